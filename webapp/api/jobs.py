"""GET /jobs.json: the jobs that a search finds, page by page, for programs."""

from typing import Any

from litestar import Request, Response, route

from tasks.errors import Fault, Rejected
from webapp.http.etag import revalidated_json
from webapp.http.methods import READ
from webapp.listing.query import PAGE, read
from webapp.render.views import job_json

MAX_PAGE_SIZE = 200  # jobs on one page


@route("/jobs.json", http_method=READ)
async def jobs_json(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Return a page of the jobs that a search finds.

    The address of the next page is in the body, and in the header Link (RFC 8288).
    """
    query = request.query_params
    sheet, limit = read(query), _limit(query.get("limit", str(PAGE)))
    cards, more = await sheet.cards(limit)
    shape: dict[str, Any] = {"jobs": [job_json(card) for card in cards]}
    headers = {}
    if more:
        shape["next"] = sheet.address(more, path="/jobs.json", limit=limit)
        headers["Link"] = f'<{shape["next"]}>; rel="next"'
    return revalidated_json(request.scope, shape, headers)


def _limit(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 3 or not 1 <= int(text) <= MAX_PAGE_SIZE:
        raise Rejected(
            "invalid_query", [Fault("/limit", f"The limit must be a whole number from 1 to {MAX_PAGE_SIZE}.")]
        )
    return int(text)
