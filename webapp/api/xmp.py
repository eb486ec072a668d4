"""POST /imprint: reads how a file of ours was made, so that the form can be filled in the same way again."""

import json
from functools import partial
from typing import Any
from urllib.parse import urlencode

from litestar import Request, Response, post
from litestar.datastructures import UploadFile
from litestar.response import Redirect

from tasks.files.xmp import files
from tasks.files.xmp.packet import Imprint
from webapp.composer.form import as_query
from webapp.http.bodies import in_file
from webapp.http.clients import by_htmx
from webapp.http.errors import Problem, wants_html
from webapp.schemas import describe, examples
from webapp.schemas.codes import Code
from webapp.schemas.library import Made
from webapp.schemas.requests import Bytes

AnyRequest = Request[Any, Any, Any]

MAX_FILE_BYTES = 20 * 2**20  # bytes of a request
MAX_PARAMETER_LENGTH = 2000  # characters of a parameter that is put into an address; pictures in data: URLs are longer


@post(
    "/imprint",
    status_code=200,
    request_max_body_size=MAX_FILE_BYTES,
    name="read_imprint",
    tags=["Jobs"],
    summary="Read how a file was made",
    responses=describe.problems(Code.BAD_REQUEST, Code.CROSS_SITE, Code.BODY_TOO_LARGE, Code.NO_IMPRINT)
    | {
        200: describe.answer(Made, "How the file was made.", examples.IMPRINT),
        303: describe.answer(None, "A redirect to the composer, for browsers that sent a plain form."),
    },
    opt=describe.takes(Bytes, media_type="application/octet-stream"),
)
async def imprint(request: AnyRequest) -> Response[Any]:
    """Return the address of the composer, filled in as it was for a file that was downloaded with `?download`.

    The file is the body, or the first file of a multipart form: PNG, JPEG, WebP or MP4, at most 20 MiB. Only a small
    part is read, and nothing is stored.
    """
    file = await _sent(request)
    try:
        made = await files.find(file.file.seek(0, 2), partial(_read, file))
    finally:
        await file.close()
    if made is None:
        raise Problem(Code.NO_IMPRINT, "This file does not say how it was made, or was not made by Darkroom.")
    use = f"/?{urlencode(as_query(made.prompt, made.model, _short(made)))}"
    if wants_html(request) and not by_htmx(request):
        return Redirect(use, status_code=303)
    return Response(Made(use))


async def _sent(request: AnyRequest) -> UploadFile:
    """Return the file that was sent, or an empty one when there is none."""
    if request.content_type[0] != "multipart/form-data":
        return await in_file(request)
    sent = [value for _, value in (await request.form()).items() if isinstance(value, UploadFile)]
    return sent[0] if sent else UploadFile("application/octet-stream", "none")


async def _read(file: UploadFile, start: int, end: int) -> bytes:
    await file.seek(start)
    return await file.read(end - start)


def _short(made: Imprint) -> dict[str, Any]:
    return {name: value for name, value in made.settings.items() if len(json.dumps(value)) <= MAX_PARAMETER_LENGTH}
