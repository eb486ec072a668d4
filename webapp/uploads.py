"""Files that come in as input for models: POST /uploads, and those that the composer's form brings."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from litestar import Request, Response, post
from litestar.datastructures import UploadFile
from litestar.di import NamedDependency

from tasks import uploads
from tasks.media_types import MEDIA_TYPES
from tasks.schemas import Fault
from tasks.settings import settings
from tasks.storage import Storage
from tasks.tables import Upload
from tasks.uploads import Unfit
from webapp.controls import PREFIX
from webapp.errors import Problem
from webapp.forms import MAX_TEXT

AnyRequest = Request[Any, Any, Any]
Form = Mapping[str, list[str]]

FILE, FILES = "file:", "files:"  # before the name of a parameter: a chosen file for it, or more for its list
MAX_BODY = uploads.MAX_BYTES + MAX_TEXT
TOO_LARGE = {"too_large": ("upload_too_large", f"A file may have up to {settings.max_upload_mib} MiB.")}
PIECE = 256 * 1024  # bytes
STATUSES = {"upload_too_large": 413, "upload_type_refused": 415, "uploads_full": 507}


@dataclass
class Received:
    """A form that came in, and its files: used in a `with`, and where that ends with an error they go again.

    typed: its fields without the files. form: with their addresses. faults: what is wrong with them.
    """

    storage: Storage
    typed: dict[str, list[str]] = field(default_factory=dict)
    form: dict[str, list[str]] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    new: list[str] = field(default_factory=list)  # keys of files that nobody gave us before

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, error: type[BaseException] | None, *_: object) -> None:
        if error is not None:
            await uploads.discard(self.new, self.storage)


@post("/uploads", status_code=201, request_max_body_size=MAX_BODY, opt=TOO_LARGE)
async def upload(request: AnyRequest, storage: NamedDependency[Storage]) -> Response[dict[str, Any]]:
    """Keep a file that somebody wants to use as input. Answers the address to name it by."""
    if request.content_type[0] != "multipart/form-data":
        raise Problem(415, "unsupported_media_type", "The file must be sent as multipart/form-data.")
    files = [file for _, file in (await request.form()).items() if isinstance(file, UploadFile)]
    if not files:
        raise Problem(422, "upload_missing", "There is no file in the form.")
    try:
        kept = await uploads.keep(_pieces(files[0]), storage)
    except Unfit as unfit:
        raise Problem(STATUSES.get(unfit.code, 422), unfit.code, unfit.message) from unfit
    return Response(_shape(kept), headers={"Location": f"/media/{kept.key}"})


async def received(request: AnyRequest, storage: Storage) -> Received:
    """What a form holds, each file that came with it kept and named by its address; and what is wrong with those."""
    sent, files = Received(storage), list[tuple[str, UploadFile]]()
    for name, value in (await request.form()).items():
        if isinstance(value, UploadFile):
            files.append((name, value))
        else:
            sent.typed.setdefault(name, []).append(value)
    sent.form = dict(sent.typed)
    async with sent:
        for name, file in files:
            await _take_in(sent, name, file)
    return sent


async def _take_in(sent: Received, name: str, file: UploadFile) -> None:
    several = name.startswith(FILES)
    control = name.removeprefix(FILES if several else FILE)
    try:
        kept, is_new = await uploads.add(_pieces(file), sent.storage)
    except Unfit as unfit:
        sent.faults.append(Fault(f"/parameters/{control.removeprefix(PREFIX)}", f"{file.filename}: {unfit.message}"))
        return
    if is_new:
        sent.new.append(kept.key)
    address, before = f"/media/{kept.key}", (sent.form.get(control) or [""])[-1].strip()
    sent.form[control] = [f"{before}\n{address}".strip() if several else address]


async def _pieces(file: UploadFile) -> AsyncIterator[bytes]:
    while piece := await file.read(PIECE):
        yield piece


def _shape(kept: Upload) -> dict[str, Any]:
    shape = {
        "url": f"/media/{kept.key}",
        "kind": MEDIA_TYPES[kept.key.rpartition(".")[2]].kind,
        "media_type": kept.media_type,
        "bytes": kept.bytes,
        "width": kept.width,
        "height": kept.height,
        "sha256": kept.sha256,
    }
    return {name: value for name, value in shape.items() if value is not None}


ROUTES = [upload]
