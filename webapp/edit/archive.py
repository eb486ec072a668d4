"""GET or POST /selection.zip: send the files of a selection as one zip, built while it is sent and never held whole."""

import json
import re
from collections.abc import AsyncIterator
from datetime import datetime
from io import RawIOBase
from typing import Any
from uuid import UUID
from zipfile import ZIP_STORED, ZipFile, ZipInfo

from litestar import HttpMethod, Request, route
from litestar.openapi.spec import Schema
from litestar.openapi.spec.enums import OpenAPIType
from msgspec import to_builtins
from starlette.responses import Response

from tasks.db import ids
from tasks.db.database import now
from tasks.db.tables import Condition, Job, Output
from tasks.files.storage import Storage, unavailable
from tasks.library import cards
from tasks.library.cards import Card
from webapp.edit.selection import chosen
from webapp.http.authentication import actor_of
from webapp.http.methods import READ
from webapp.http.streams import streamed
from webapp.schemas import describe
from webapp.schemas import jobs as schemas
from webapp.schemas.codes import Code
from webapp.schemas.requests import Bytes

JOBS_PER_CHUNK = 100  # jobs read at a time
ID_BYTES = 16  # bytes

CHOSEN = [
    describe.parameter("job", "query", "The ids of the jobs.", Schema(type=OpenAPIType.ARRAY, items=describe.UUID)),
    describe.parameter("all", "query", "All jobs that `q` finds.", Schema(type=OpenAPIType.STRING, enum=["1"])),
    describe.parameter("q", "query", "A search, as in the gallery.", describe.SEARCH),
]


@route(
    "/selection.zip",
    http_method=[*READ, HttpMethod.POST],
    status_code=200,
    name="download_jobs",
    tags=["Jobs"],
    summary="Download the files of many jobs as a ZIP",
    responses=describe.problems(
        Code.NOTHING_SELECTED, Code.UNCLEAR_SEARCH, Code.INVALID_SELECTION, Code.STORAGE_UNAVAILABLE
    )
    | {200: describe.answer(Bytes, "The ZIP file.", media_type="application/zip")},
    opt=describe.takes(parameters=CHOSEN),
)
async def download(request: Request[Any, Any, Any]) -> Response:
    """Download the files of jobs as one ZIP, streamed and uncompressed.

    Its metadata.json describes the jobs, newest first, each with the names of its `files`, and with `missing_files` for
    those that were not in storage. The jobs are those named by `job` or, with `all`, those that the search `q` finds.
    """
    asked = await request.form() if request.method == HttpMethod.POST else request.query_params
    where = chosen(asked, actor_of(request))
    headers = {
        "Content-Disposition": f'attachment; filename="darkroom-{now():%Y-%m-%d-%H%M%S}.zip"',
        "Cache-Control": "no-store",
    }
    if request.method == HttpMethod.HEAD:
        return Response(headers=headers, media_type="application/zip")
    pieces = archive(where, request.app.state.storage)
    return await streamed("selection.zip", pieces, headers=headers | {"Content-Type": "application/zip"})


async def archive(where: Condition, storage: Storage) -> AsyncIterator[bytes]:
    """Yield the zip piece by piece: the files, then metadata.json with the JSON shape of every job.

    The files are stored uncompressed, because pictures do not get smaller. A missing file is noted in metadata.json.
    Raises Failure("storage_unavailable"), also when every file is missing.
    """
    outlet, missing = _Outlet(), set[str]()
    ids = bytearray()  # of the jobs in the zip: metadata.json describes the same jobs, whatever changes meanwhile
    with ZipFile(outlet, "w", ZIP_STORED) as archive:
        async for card in _cards(where):
            ids += card.job.id.bytes
            for output in card.outputs:
                async for piece in _file(archive, outlet, storage, output, _name(card, output), missing):
                    yield piece
        if missing and not archive.filelist:  # a folder that is not mounted looks like this
            raise unavailable()
        with archive.open(_entry("metadata.json", now()), "w", force_zip64=True) as entry:
            between = b"[\n"
            for start in range(0, len(ids), JOBS_PER_CHUNK * ID_BYTES):
                portion = ids[start : start + JOBS_PER_CHUNK * ID_BYTES]
                job_ids = [UUID(bytes=bytes(portion[at : at + ID_BYTES])) for at in range(0, len(portion), ID_BYTES)]
                for card in await cards.by_ids(job_ids):
                    entry.write(between + json.dumps(_metadata(card, missing), ensure_ascii=False).encode())
                    between = b",\n"
                yield outlet.drained()
            entry.write(b"\n]\n" if ids else b"[]\n")
    yield outlet.drained()


class _Outlet(RawIOBase):
    """A file object that cannot seek, for writing a zip: drained() hands over what was written."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, piece: Any) -> int:
        self._pieces.append(bytes(piece))
        return len(piece)

    def drained(self) -> bytes:
        """Return everything that was written since the last call."""
        pieces, self._pieces = self._pieces, []
        return b"".join(pieces)


async def _cards(where: Condition) -> AsyncIterator[Card]:
    """Yield the jobs, newest first. They are read in portions, and nothing is held open between two portions."""
    last = ids.LAST
    while True:
        rows = (
            await Job.select(Job.id)
            .where(where & (Job.id < last))
            .order_by(Job.id, ascending=False)
            .limit(JOBS_PER_CHUNK)
        )
        for card in await cards.by_ids([row["id"] for row in rows]):
            if not card.deleted:
                yield card
        if len(rows) < JOBS_PER_CHUNK:
            return
        last = rows[-1]["id"]


async def _file(
    archive: ZipFile, outlet: _Outlet, storage: Storage, output: Output, name: str, missing: set[str]
) -> AsyncIterator[bytes]:
    stored_key = output.stored_key or output.key
    stored = await storage.head(stored_key)
    if stored is None:
        missing.add(name)
        return
    with archive.open(_entry(name, stored.modified), "w", force_zip64=True) as entry:
        async for piece in storage.read(stored_key, 0, stored.size):
            entry.write(piece)
            yield outlet.drained()


def _entry(name: str, modified: datetime) -> ZipInfo:
    return ZipInfo(name, modified.timetuple()[:6])


def _name(card: Card, output: Output) -> str:
    """Return a readable file name, unique by a part of the id, as in `2026-11-25 a-red-fox 0ab0c45d1e7b36.png`."""
    words = re.sub(r"[^\w]+", "-", card.job.prompt, flags=re.ASCII).strip("-_").lower()[:60].strip("-")
    number = f"-{output.position + 1}" if len(card.outputs) > 1 else ""
    ending = output.key.rpartition(".")[2]
    return f"{card.job.created_at:%Y-%m-%d} {words or 'print'} {card.job.id.hex[-14:]}{number}.{ending}"


def _metadata(card: Card, missing: set[str]) -> dict[str, Any]:
    names = [_name(card, output) for output in card.outputs]
    shape: dict[str, Any] = to_builtins(schemas.Job.of(card))
    shape |= {"files": [name for name in names if name not in missing]}
    absent = [name for name in names if name in missing]
    return shape | ({"missing_files": absent} if absent else {})
