"""POST /imprint: a file of ours tells how it was made, so that the form can be filled in with it again."""

import json
from typing import Any
from urllib.parse import urlencode

from litestar import Request, Response, post
from litestar.datastructures import UploadFile
from litestar.exceptions import HTTPException
from litestar.response import Redirect

from tasks.imprint import files
from tasks.imprint.packet import Imprint
from tasks.imprint.source import Read
from webapp.composer import as_query
from webapp.errors import Problem, wants_html
from webapp.visitors import by_htmx

AnyRequest = Request[Any, Any, Any]

LARGEST = 20 * 2**20  # bytes of a request
LONGEST = 2000  # characters of a parameter that goes into an address: no picture in a data: URL does


@post("/imprint", status_code=200, request_max_body_size=LARGEST)
async def imprint(request: AnyRequest) -> Response[Any]:
    """Where the form is filled in as it was for this file: sent as the body, or as the first file of a form."""
    size, read = await _sent(request)
    made = await files.find(size, read)
    if made is None:
        raise Problem(422, "no_imprint", "This file does not say how it was made, or was not made by Darkroom.")
    use = f"/?{urlencode(as_query(made.prompt, made.model, _short(made)))}"
    if wants_html(request) and not by_htmx(request):
        return Redirect(use, status_code=303)
    return Response({"use": use})


async def _sent(request: AnyRequest) -> tuple[int, Read]:
    """The size of the file that was sent, and how to read it."""
    try:
        if request.content_type[0] == "multipart/form-data":
            sent = [value for _, value in (await request.form()).multi_items() if isinstance(value, UploadFile)]
            return _in_form(sent[0]) if sent else _in_memory(b"")
        return _in_memory(await request.body())
    except HTTPException as error:
        if error.status_code != 413:
            raise
        raise Problem(413, "body_too_large", f"The file is larger than {LARGEST // 2**20} MiB.") from error


def _in_memory(body: bytes) -> tuple[int, Read]:
    async def read(start: int, end: int) -> bytes:
        return body[start:end]

    return len(body), read


def _in_form(sent: UploadFile) -> tuple[int, Read]:
    async def read(start: int, end: int) -> bytes:
        await sent.seek(start)
        return await sent.read(end - start)

    return sent.file.seek(0, 2), read


def _short(made: Imprint) -> dict[str, Any]:
    return {name: value for name, value in made.settings.items() if len(json.dumps(value)) <= LONGEST}
