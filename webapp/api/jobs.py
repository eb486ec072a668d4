"""GET /jobs.json: the jobs that a search finds, page by page, for programs."""

from typing import Any

from litestar import Request, Response, route
from litestar.openapi.spec import Schema
from litestar.openapi.spec.enums import OpenAPIType

from tasks.errors import Fault, Rejected
from tasks.library.paging import Sort
from webapp.http.authentication import actor_of
from webapp.http.etag import revalidated_json
from webapp.http.methods import READ
from webapp.listing.query import PAGE, read
from webapp.schemas import describe, examples
from webapp.schemas.codes import Code
from webapp.schemas.jobs import Job, JobPage

MAX_PAGE_SIZE = 200  # jobs on one page

SEARCH = [
    describe.SEARCH_QUERY,
    describe.parameter(
        "sort",
        "query",
        "The sort order. `favorites`: favorites first, then the others, each newest first.",
        Schema(type=OpenAPIType.STRING, enum=list(Sort), default=Sort.NEWEST),
    ),
    describe.parameter(
        "cursor", "query", "The start of the page, from the `next` of a page with the same order.", describe.STRING
    ),
]
LIMIT = describe.parameter(
    "limit",
    "query",
    "Jobs per page.",
    Schema(type=OpenAPIType.INTEGER, minimum=1, maximum=MAX_PAGE_SIZE, default=PAGE),
)


@route(
    "/jobs.json",
    http_method=READ,
    name="jobs",
    tags=["Jobs"],
    summary="Search jobs",
    response_headers=[describe.ETAG, describe.LINK],
    responses=describe.problems(Code.INVALID_QUERY, Code.INVALID_CURSOR)
    | {200: describe.answer(JobPage, "A page of jobs.", examples.JOB_PAGE)},
    opt=describe.takes(parameters=[*SEARCH, LIMIT]),
)
async def jobs_json(request: Request[Any, Any, Any]) -> Response[JobPage]:
    """Return a page of the jobs that a search finds. Jobs in the trash are found with `in:trash` only.

    The address of the next page is in the body, and in the header Link (RFC 8288); the last page has neither.
    """
    query = request.query_params
    sheet, limit = read(query, actor_of(request)), _limit(query.get("limit", str(PAGE)))
    cards, more = await sheet.cards(limit)
    found = JobPage([Job.of(card) for card in cards])
    headers = {}
    if more:
        found.next = sheet.address(more, path="/jobs.json", limit=limit)
        headers["Link"] = f'<{found.next}>; rel="next"'
    return revalidated_json(request.scope, found, headers)


def _limit(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 3 or not 1 <= int(text) <= MAX_PAGE_SIZE:
        raise Rejected(
            "invalid_query", [Fault("/limit", f"The limit must be a whole number from 1 to {MAX_PAGE_SIZE}.")]
        )
    return int(text)
