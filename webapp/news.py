"""GET /finished.json: what a hidden tab asks for now and then, to count it in its title."""

from datetime import UTC, datetime
from typing import Any

from litestar import Response, route
from litestar.params import FromQuery

from tasks.database import now
from tasks.news import finished_since
from webapp.methods import READ


@route("/finished.json", http_method=READ)
async def finished(since: FromQuery[datetime | None] = None) -> Response[dict[str, Any]]:
    """The jobs completed since a moment, and from when on to ask next. Without `since` only the latter."""
    moment = now()  # taken first: what is completed meanwhile is told next time
    found = await finished_since(since if since.tzinfo else since.replace(tzinfo=UTC)) if since else []
    body = {
        "until": moment.isoformat().replace("+00:00", "Z"),
        "finished": [{"job_id": str(job_id), "prompt": prompt} for job_id, prompt in found],
    }
    return Response(body, headers={"Cache-Control": "no-store"})
