"""GET /finished.json: the completed jobs, which a hidden tab polls to count them in its title."""

from datetime import UTC, datetime

from litestar import Response, route
from litestar.openapi.spec import Schema
from litestar.openapi.spec.enums import OpenAPIFormat, OpenAPIType
from litestar.params import FromQuery

from tasks.db.database import now
from tasks.library.recent import finished_since
from webapp.http.authentication import actor_of
from webapp.http.errors import AnyRequest
from webapp.http.etag import NO_STORE
from webapp.http.methods import READ
from webapp.schemas import describe, examples
from webapp.schemas.codes import Code
from webapp.schemas.jobs import FinishedJob, FinishedJobs

SINCE = describe.parameter(
    "since",
    "query",
    "The `until` of the previous response. Without it, the response is only `until`.",
    Schema(type=OpenAPIType.STRING, format=OpenAPIFormat.DATE_TIME),
)


@route(
    "/finished.json",
    http_method=READ,
    name="finished_jobs",
    tags=["Jobs"],
    summary="List jobs completed since a time within the last day",
    responses=describe.problems(Code.BAD_REQUEST)
    | {200: describe.answer(FinishedJobs, "The jobs, oldest first.", examples.FINISHED)},
    opt=describe.takes(parameters=[SINCE]),
)
async def finished(request: AnyRequest, since: FromQuery[datetime | None] = None) -> Response[FinishedJobs]:
    """Return the jobs completed since `since`, and in `until` the `since` of the next request."""
    moment = now()  # read first: a job that completes meanwhile is reported next time
    only = actor_of(request).sees_only
    found = await finished_since(since if since.tzinfo else since.replace(tzinfo=UTC), only) if since else []
    body = FinishedJobs(moment, [FinishedJob(job_id, prompt) for job_id, prompt in found])
    return Response(body, headers=NO_STORE)
