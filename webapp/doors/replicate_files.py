"""The files of Replicate's API: uploads, by the same checks and limits as at POST /uploads."""

from typing import Any

from litestar import Request, Response, delete, post, route
from litestar.datastructures import UploadFile
from litestar.di import NamedDependency
from litestar.params import FromPath

from tasks.db.tables import Upload
from tasks.files import uploads
from tasks.files.decoder_pool import DecoderPool
from tasks.files.storage import Storage
from webapp.composer.uploads import MAX_BODY, TOO_LARGE, sender_of, stored
from webapp.doors.replicate_shapes import File, Page
from webapp.http.clients import site_of
from webapp.http.errors import Problem
from webapp.http.idempotency import REPLAYED
from webapp.http.methods import READ
from webapp.schemas.codes import Code

AnyRequest = Request[Any, Any, Any]

PAGE_SIZE = 100  # files in a list


@post("/files", status_code=201, request_max_body_size=MAX_BODY, opt=TOO_LARGE)
async def create(
    request: AnyRequest, storage: NamedDependency[Storage], decoders: NamedDependency[DecoderPool]
) -> Response[File]:
    """Keep the file in the part `content`. Its `urls.get` can be used as input. Its metadata is not kept."""
    if request.content_type[0] != "multipart/form-data":
        raise Problem(Code.UNSUPPORTED_MEDIA_TYPE, "Send the file as multipart/form-data.")
    content = (await request.form()).get("content")
    if not isinstance(content, UploadFile):
        raise Problem(Code.UPLOAD_MISSING, "The form has no file in its part content.")
    kept, replayed = await stored(request, content, storage, decoders)
    return Response(File.of(kept, site_of(request)), headers=REPLAYED if replayed else {})


@route("/files", http_method=READ)
async def files(request: AnyRequest) -> Response[Page[File]]:
    """Return the newest files that came from the requester: with the same key, or of the same person without one."""
    origin = site_of(request)
    return Response(Page([File.of(row, origin) for row in await uploads.latest(PAGE_SIZE, sender_of(request))]))


@route("/files/{key:str}", http_method=READ)
async def file(request: AnyRequest, key: FromPath[str]) -> Response[File]:
    """Return what is known of a file. Its bytes are at /media."""
    return Response(File.of(await _existing(key), site_of(request)))


@delete("/files/{key:str}", status_code=204)
async def remove(key: FromPath[str], storage: NamedDependency[Storage]) -> None:
    """Remove a file, unless a job uses it."""
    if not await uploads.delete(await _existing(key), storage):
        raise Problem(Code.UPLOAD_IN_USE, "A prediction uses this file, so it stays as long as the prediction.")


async def _existing(key: str) -> Upload:
    row = await uploads.find(key)
    if row is None:
        raise Problem(Code.NOT_FOUND, "There is no such file.")
    return row


ROUTES = [create, files, file, remove]
