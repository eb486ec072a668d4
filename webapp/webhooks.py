"""POST /webhooks/replicate: where Replicate tells how predictions go."""

from typing import Any

from litestar import Request, post
from litestar.di import NamedDependency
from litestar.exceptions import HTTPException

from tasks.webhooks import Forged, Malformed, Signatures, take
from webapp.errors import Problem

LARGEST = 16  # MiB; outputs may be data: URLs


@post("/webhooks/replicate", status_code=204, request_max_body_size=LARGEST * 1024 * 1024)
async def from_replicate(request: Request[Any, Any, Any], signatures: NamedDependency[Signatures]) -> None:
    """Pass on what Replicate tells. What does not concern us any more is taken too, so that it is not sent again."""
    body = await _body(request)
    try:
        await signatures.verify(body, request.headers)
        await take(request.headers["webhook-id"], body, request.query_params.get("attempt", ""))
    except Forged as forged:
        raise Problem(400, "not_signed", "This does not come from Replicate.") from forged
    except Malformed as malformed:
        raise Problem(400, "bad_request", str(malformed)) from malformed


async def _body(request: Request[Any, Any, Any]) -> bytes:
    try:
        return await request.body()
    except HTTPException as error:
        if error.status_code != 413:
            raise
        raise Problem(413, "body_too_large", f"The request's body is larger than {LARGEST} MiB.") from error
