"""POST /webhooks/replicate: receives Replicate's reports on predictions."""

from typing import Any

from litestar import Request, post
from litestar.di import NamedDependency

from tasks.predictions.webhooks import Forged, Malformed, Signatures, may_be_signed, take
from webapp.http.bodies import in_file
from webapp.http.errors import Problem

MAX_DELIVERY = 16 * 2**20  # bytes; outputs may be data: URLs


@post("/webhooks/replicate", status_code=204, request_max_body_size=MAX_DELIVERY)
async def from_replicate(request: Request[Any, Any, Any], signatures: NamedDependency[Signatures]) -> None:
    """Accept a webhook of Replicate. One that is no longer relevant is accepted too, so that it is not sent again.

    The body is kept in a file until it is complete: its sender is not known before.
    """
    try:
        may_be_signed(request.headers)
        file = await in_file(request)
        try:
            body = await file.read()
        finally:
            await file.close()
        await signatures.verify(body, request.headers)
        await take(request.headers["webhook-id"], body, request.query_params.get("attempt", ""))
    except Forged as forged:
        raise Problem(400, "not_signed", "This does not come from Replicate.") from forged
    except Malformed as malformed:
        raise Problem(400, "bad_request", str(malformed)) from malformed
