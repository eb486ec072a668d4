"""The stand-in: a small imitation of Replicate that draws its pictures on this machine."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from ssl import SSLContext

import httpx
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from tasks.standin import delivery
from tasks.standin.predictions import Predictions
from tasks.standin.problems import Problem, of_status
from tasks.standin.room import Room
from tasks.standin.routes import routes
from tasks.standin.timeline import TERMINAL, outcome
from tasks.standin.uploads import Uploads
from tasks.standin.webhooks import deliver

WEBHOOK_SECRET = "whsec_ZGFya3Jvb20tc3RhbmQtaW4tc2VjcmV0"  # noqa: S105 (made up, and known to everybody)


def create_app(
    folder: Path,
    *,
    pace: float = 1.0,
    token: str | None = None,
    webhook_secret: str = WEBHOOK_SECRET,
    clock: Callable[[], int] = time.time_ns,
    control: bool = False,
) -> Starlette:
    """Return a stand-in that stores its predictions and files in `folder`, and loads those already stored.

    pace: 1 means a plausible second or two for a picture; 0.1 is ten times as fast. token: the only accepted token;
    None accepts any. webhook_secret: "whsec_" and base64. clock: returns Unix nanoseconds. control: whether to
    serve /_standin, where tests add fault rules.
    """
    room = Room(Predictions(folder / "predictions"), Uploads(folder / "uploads"), pace, token, webhook_secret, clock)
    app = Starlette(
        routes=routes(control),
        exception_handlers={Problem: _answer, HTTPException: _of_starlette},
        lifespan=_lifespan,
    )
    app.router.redirect_slashes = False
    app.state.room = room
    return app


@asynccontextmanager
async def _lifespan(app: Starlette) -> AsyncIterator[None]:
    room: Room = app.state.room
    async with httpx.AsyncClient(timeout=10, follow_redirects=False, verify=_certificates()) as room.sender:
        tidying = asyncio.create_task(delivery.tidy(room))
        _resume(room)
        yield
        for task in (tidying, *room.deliveries):
            task.cancel()


@cache
def _certificates() -> SSLContext:
    return httpx.create_ssl_context()  # slow, so all apps of a process share one


def _resume(room: Room) -> None:
    """Resume the webhooks that an earlier stand-in still had to send."""
    for record in room.predictions:
        if record.webhook and outcome(record, room.clock())[0] not in TERMINAL:
            deliver(room, record)


async def _answer(_: Request, problem: Exception) -> Response:
    assert isinstance(problem, Problem)
    return problem.answer()


async def _of_starlette(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    problem = of_status(error.status_code)
    problem.headers = error.headers
    return problem.answer()
