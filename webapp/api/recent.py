"""GET /finished.json: the completed jobs, which a hidden tab polls to count them in its title."""

from datetime import UTC, datetime
from typing import Any

from litestar import Response, route
from litestar.params import FromQuery

from tasks.db.database import now
from tasks.library.recent import finished_since
from webapp.http.methods import READ


@route("/finished.json", http_method=READ)
async def finished(since: FromQuery[datetime | None] = None) -> Response[dict[str, Any]]:
    """Return the jobs completed since `since`, and in `until` the `since` of the next request.

    Without `since`, no jobs are returned.
    """
    moment = now()  # read first: a job that completes meanwhile is reported next time
    found = await finished_since(since if since.tzinfo else since.replace(tzinfo=UTC)) if since else []
    body = {
        "until": moment.isoformat().replace("+00:00", "Z"),
        "finished": [{"job_id": str(job_id), "prompt": prompt} for job_id, prompt in found],
    }
    return Response(body, headers={"Cache-Control": "no-store"})
