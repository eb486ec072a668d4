"""Files that come in as input for models: POST /uploads, and those that the composer's form brings."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

from litestar import Request, Response, post
from litestar.datastructures import UploadFile
from litestar.di import NamedDependency
from litestar.exceptions import HTTPException

from tasks import uploads
from tasks.media_types import MEDIA_TYPES
from tasks.schemas import Fault
from tasks.settings import settings
from tasks.storage import Storage
from tasks.tables import Upload
from tasks.uploads import Unfit
from webapp.controls import PREFIX
from webapp.errors import Problem

AnyRequest = Request[Any, Any, Any]
Form = Mapping[str, list[str]]

FILE, FILES = "file:", "files:"  # before the name of a parameter: a chosen file for it, or more for its list
MAX_FORM = 1024 * 1024  # bytes of a form without files
MAX_BODY = uploads.MAX_BYTES + MAX_FORM
PIECE = 256 * 1024  # bytes
STATUSES = {"upload_too_large": 413, "upload_type_refused": 415}


@post("/uploads", status_code=201, request_max_body_size=MAX_BODY)
async def upload(request: AnyRequest, storage: NamedDependency[Storage]) -> Response[dict[str, Any]]:
    """Keep a file that somebody wants to use as input. Answers the address to name it by."""
    if request.content_type[0] != "multipart/form-data":
        raise Problem(415, "unsupported_media_type", "The file must be sent as multipart/form-data.")
    files = [file for _, file in await _form(request) if isinstance(file, UploadFile)]
    if not files:
        raise Problem(422, "upload_missing", "There is no file in the form.")
    try:
        kept = await uploads.keep(_pieces(files[0]), storage)
    except Unfit as unfit:
        raise Problem(STATUSES.get(unfit.code, 422), unfit.code, unfit.message) from unfit
    finally:
        for file in files:
            await file.close()
    return Response(_shape(kept), headers={"Location": f"/media/{kept.key}"})


async def received(request: AnyRequest, storage: Storage) -> tuple[Form, list[Fault]]:
    """What a form holds, each file that came with it kept and named by its address; and what is wrong with those."""
    form: dict[str, list[str]] = {}
    files: list[tuple[str, UploadFile]] = []
    if request.content_type[0] != "multipart/form-data" and int(request.headers.get("Content-Length", 0)) > MAX_FORM:
        raise Problem(413, "body_too_large", "A form without files may have up to 1 MiB.")
    for name, value in await _form(request):
        if isinstance(value, UploadFile):
            files.append((name, value))
        else:
            form.setdefault(name, []).append(value)
    faults = [fault for name, file in files if (fault := await _taken_in(form, name, file, storage))]
    return form, faults


async def _taken_in(form: dict[str, list[str]], name: str, file: UploadFile, storage: Storage) -> Fault | None:
    several = name.startswith(FILES)
    field = name.removeprefix(FILES if several else FILE)
    try:
        address = f"/media/{(await uploads.keep(_pieces(file), storage)).key}"
    except Unfit as unfit:
        return Fault(f"/parameters/{field.removeprefix(PREFIX)}", f"{file.filename}: {unfit.message}")
    finally:
        await file.close()
    before = (form.get(field) or [""])[-1].strip()
    form[field] = [f"{before}\n{address}".strip() if several else address]
    return None


async def _form(request: AnyRequest) -> list[tuple[str, Any]]:
    try:
        form = await request.form()
    except HTTPException as error:
        if error.status_code != 413:
            raise
        limit = f"A file may have up to {settings.max_upload_mib} MiB."
        raise Problem(413, "upload_too_large", limit) from error
    return list(form.items())


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
