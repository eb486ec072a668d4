"""/operate: the state of everything for operators, live, with what they can do about it."""

from dataclasses import dataclass
from typing import Any

from litestar import Response, get, route
from litestar.types import ASGIApp

from tasks.db.database import now
from tasks.files.storage import Storage
from tasks.jobs import workers
from tasks.operations import overview
from tasks.operations.overview import Overview
from webapp.http.authentication import actor_of
from webapp.http.errors import AnyRequest
from webapp.http.etag import NO_STORE
from webapp.http.event_stream import streamed
from webapp.http.methods import READ
from webapp.operate.views import model_rows, plots, times, worker_rows
from webapp.render import halt_banner, queue_tally, templates


@dataclass(frozen=True, slots=True)
class OperatePage:
    """The page. storage: which is checked."""

    storage: Storage

    async def fragment(self) -> str:
        """Return the fragment that replaces what the page shows."""
        html = templates.render("fragments/operate.html", **context(await overview.of(self.storage)))
        return f'<hx-partial hx-target="#operate" hx-swap="outerMorph">{html}</hx-partial>'

    async def pulse(self) -> object:
        """Return what tells at once that the page has changed: the queue, its halt, and who is late."""
        late = {worker.id: workers.is_late(worker) for worker in await workers.everyone()}
        halt, counted = halt_banner.known(), queue_tally.known()  # the hub looks at both every few seconds
        return late, halt and halt.message, counted.running, counted.waiting


@route("/operate", http_method=READ)
async def shown(request: AnyRequest) -> Response[str]:
    """Return the page."""
    found = await overview.of(request.app.state.storage)
    return templates.page("pages/operate.html", headers=NO_STORE, live="/operate/events", **context(found))


@get("/operate/events")
async def live(request: AnyRequest) -> ASGIApp:
    """Stream the changes of the page."""
    return await streamed(request.app.state.board.stream(actor_of(request)))


def context(found: Overview) -> dict[str, Any]:
    """Return what the template needs."""
    return {
        "found": found,
        "plots": plots(found.histories),
        "models": model_rows(found),
        "worker_rows": worker_rows(found),
        "times": times,
        "now": now(),
    }


ROUTES = [shown, live]
