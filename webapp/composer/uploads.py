"""Files that users send as input for models: by POST /uploads, or with the composer's form."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, Self
from uuid import UUID

from litestar import Request, Response, post
from litestar.datastructures import UploadFile
from litestar.di import NamedDependency

from tasks.db import tables
from tasks.db.request_tables import IdempotencyKey
from tasks.errors import Fault, pointer
from tasks.files import uploads
from tasks.files.decoder_pool import DecoderPool
from tasks.files.storage import Storage
from tasks.files.uploads import Unfit
from tasks.jobs import idempotency
from tasks.jobs.idempotency import KeyMismatch
from tasks.settings import settings
from webapp.composer.controls import PREFIX
from webapp.http.authentication import actor_of
from webapp.http.errors import Problem
from webapp.http.forms import MAX_TEXT_BYTES
from webapp.http.idempotency import REPLAYED, key_of
from webapp.schemas import describe, examples
from webapp.schemas.codes import Code
from webapp.schemas.library import Upload
from webapp.schemas.requests import UploadForm

AnyRequest = Request[Any, Any, Any]

FILE, FILES = "file:", "files:"  # before the name of a parameter: a file chosen for it, or files to add to its list
MAX_BODY = uploads.MAX_UPLOAD_BYTES + MAX_TEXT_BYTES
TOO_LARGE = {"too_large": (Code.UPLOAD_TOO_LARGE, f"A file can be up to {settings.max_upload_mib} MiB.")}
CHUNK_BYTES = 256 * 1024  # bytes


@dataclass
class Received:
    """A received form and its files. Use it in an `async with`: if the block raises, the new files are deleted.

    sender: see sender_of(). typed: its fields without the files. form: with the files' addresses. faults: what is wrong
    with the files.
    """

    storage: Storage
    sender: UUID | None = None
    typed: dict[str, list[str]] = field(default_factory=dict)
    form: dict[str, list[str]] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    new: list[str] = field(default_factory=list)  # keys of files that were not stored before

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, error: type[BaseException] | None, *_: object) -> None:
        if error is not None:
            await uploads.discard(self.new, self.storage)


@post(
    "/uploads",
    status_code=201,
    request_max_body_size=MAX_BODY,
    tags=["Jobs"],
    summary="Upload an input file",
    response_headers=[describe.FILE, describe.REPLAYED],
    responses=describe.problems(
        Code.BAD_REQUEST, Code.CROSS_SITE, Code.UPLOAD_TOO_LARGE, Code.TOO_MANY_FIELDS, Code.UNSUPPORTED_MEDIA_TYPE,
        Code.UPLOAD_TYPE_REFUSED, Code.UPLOAD_MISSING, Code.UPLOAD_EMPTY, Code.UPLOAD_UNREADABLE,
        Code.STORAGE_UNAVAILABLE, Code.UPLOADS_FULL, *describe.ONCE,
    )
    | {201: describe.answer(Upload, "The file is stored.", examples.UPLOAD)},
    opt=TOO_LARGE | describe.takes(
        UploadForm, media_type="multipart/form-data", parameters=[describe.IDEMPOTENCY_KEY]
    ),
)  # fmt: skip
async def upload(
    request: AnyRequest, storage: NamedDependency[Storage], decoders: NamedDependency[DecoderPool]
) -> Response[Upload]:
    """Keep a file to use as input: every parameter that takes a file accepts its `url`, or the `url` of any result.

    Replicate gets small files as a data: URL, larger ones through its files API. A file that is uploaded twice is
    stored once. A file that no job uses within a day is removed.
    """
    if request.content_type[0] != "multipart/form-data":
        raise Problem(Code.UNSUPPORTED_MEDIA_TYPE, "Send the file as multipart/form-data.")
    files = [file for _, file in (await request.form()).items() if isinstance(file, UploadFile)]
    if not files:
        raise Problem(Code.UPLOAD_MISSING, "The form has no file.")
    kept, replayed = await stored(request, files[0], storage, decoders)
    headers = {"Location": f"/media/{kept.key}"} | (REPLAYED if replayed else {})
    return Response(Upload.of(kept), headers=headers)


async def stored(
    request: AnyRequest, file: UploadFile, storage: Storage, decoders: DecoderPool
) -> tuple[tables.Upload, bool]:
    """Keep a file that a program sends. Returns the upload, and whether the request was carried out before.

    Raises Problem, KeyMismatch, and Failure("storage_unavailable").
    """
    try:
        kept, is_new = await uploads.keep(pieces(file), storage, decoders, sender=sender_of(request))
    except Unfit as unfit:
        raise Problem(Code.of(unfit.code), unfit.message) from unfit
    key = key_of(request, {"sha256": kept.sha256})

    async def entered() -> None:
        if key is not None:
            await idempotency.enter(key, upload=kept.key)

    async def as_it_is(_: IdempotencyKey) -> None:
        """Return nothing: the same bytes are the same upload."""

    try:
        _, replayed = await idempotency.once(key, entered, as_it_is)
    except KeyMismatch:
        await uploads.discard([kept.key] if is_new else [], storage)
        raise
    return kept, replayed


def sender_of(request: AnyRequest) -> UUID | None:
    """Return the key or the person whose uploads a request's files are; None in the open house."""
    actor = actor_of(request)
    return actor.key or actor.person


async def received(request: AnyRequest, storage: Storage, decoders: DecoderPool) -> Received:
    """Return a request's form, with each file stored and named by its address, and what is wrong with the files."""
    sent, files = Received(storage, sender_of(request)), list[tuple[str, UploadFile]]()
    for name, value in (await request.form()).items():
        if isinstance(value, UploadFile):
            files.append((name, value))
        else:
            sent.typed.setdefault(name, []).append(value)
    sent.form = dict(sent.typed)
    async with sent:
        for name, file in files:
            await _take_in(sent, name, file, decoders)
    return sent


async def _take_in(sent: Received, name: str, file: UploadFile, decoders: DecoderPool) -> None:
    several = name.startswith(FILES)
    control = name.removeprefix(FILES if several else FILE)
    try:
        kept, is_new = await uploads.keep(pieces(file), sent.storage, decoders, sender=sent.sender)
    except Unfit as unfit:
        sent.faults.append(
            Fault(pointer("parameters", control.removeprefix(PREFIX)), f"{file.filename}: {unfit.message}")
        )
        return
    if is_new:
        sent.new.append(kept.key)
    address, before = f"/media/{kept.key}", (sent.form.get(control) or [""])[-1].strip()
    sent.form[control] = [f"{before}\n{address}".strip() if several else address]


async def pieces(file: UploadFile) -> AsyncIterator[bytes]:
    """Yield the content of a file of a form."""
    while piece := await file.read(CHUNK_BYTES):
        yield piece


ROUTES = [upload]
