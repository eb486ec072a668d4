"""The tools of MCP that are about jobs: generate, job, search and cancel."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic
from typing import Any

import msgspec
from litestar import Request

from tasks.accounts.actors import Actor
from tasks.db.tables import ENDED, Output
from tasks.errors import Failure
from tasks.files.storage import Storage
from tasks.library.cards import Card
from tasks.models.costs import dollars
from tasks.replicate.client import Replicate
from webapp.http.authentication import actor_of
from webapp.http.cancellation import canceled
from webapp.http.clients import site_of
from webapp.http.requests import existing
from webapp.http.submission import submitted
from webapp.http.waiters import waited
from webapp.listing.query import read
from webapp.render.views import OutputView
from webapp.schemas.jobs import Cancel, Job

ORIGIN = "mcp"
MAX_WAIT_SECONDS = 45  # many programs give a call up after 60
REPORT_SECONDS = 2.0  # seconds between reports of progress
MAX_FOUND = 20  # jobs of one answer
MAX_FILES = 20  # of a job in one answer: a model may make a thousand
MAX_PREVIEW_BYTES = 200_000  # as base64 it takes a third more, of the million that some programs accept
MAX_PROMPT_SHOWN = 200  # characters

Report = Callable[[float, str], Awaitable[None]]
"""Reports progress: seconds so far, which must grow, and what is going on."""


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a tool. report: None where nobody wants to know its progress."""

    request: Request[Any, Any, Any]
    report: Report | None = None

    @property
    def actor(self) -> Actor:
        """Who calls."""
        return actor_of(self.request)

    @property
    def replicate(self) -> Replicate:
        """The client of Replicate."""
        return self.request.app.state.replicate  # type: ignore[no-any-return]


@dataclass(frozen=True, slots=True)
class File:
    """A file that an answer links to."""

    name: str
    url: str
    media_type: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What a tool answers, in JSON's types.

    members: for programs. text: for the model, as JSON. preview: a WebP.
    """

    members: Mapping[str, Any]
    text: Mapping[str, Any]
    preview: bytes | None = None
    files: Sequence[File] = ()


async def generate(
    call: Call,
    prompt: str,
    model: str | None = None,
    parameters: Mapping[str, Any] | None = None,
    wait: float = MAX_WAIT_SECONDS,
    idempotency_key: str | None = None,
) -> Answer:
    """Submit a job, and wait for its end, for some seconds at most."""
    card, _ = await submitted(
        call.request, call.replicate, ORIGIN, prompt, model, parameters or {}, key=idempotency_key
    )
    return await _shown(call, await _watched(call, card, wait))


async def job(call: Call, job_id: str, wait: float = 0) -> Answer:
    """Return a job, when it has ended or after some seconds."""
    return await _shown(call, await _watched(call, await existing(job_id, call.actor), wait))


async def search(call: Call, q: str = "", limit: int = 10, cursor: str = "") -> Answer:
    """Return the newest jobs that a search finds, in few words each."""
    found, more = await read({"q": q, "cursor": cursor}, call.actor).cards(int(limit))
    members = {"jobs": [_in_short(card, site_of(call.request)) for card in found], "next": str(more) if more else None}
    return Answer(members, members)


async def cancel(call: Call, job_id: str) -> Answer:
    """Cancel a job."""
    outcome, card = await canceled(job_id, call.actor)
    return Answer(_whole(card, outcome), {**_in_short(card, site_of(call.request)), "cancel": outcome})


async def _watched(call: Call, card: Card, seconds: float) -> Card:
    """Return a job when it has ended, or as it is after some seconds. Reports its progress meanwhile."""
    begun, waiters = monotonic(), call.request.app.state.hub.waiters
    while card.job.status not in ENDED and (left := begun + seconds - monotonic()) > 0:
        if call.report:
            await call.report(monotonic() - begun, _stage(card))
            left = min(left, REPORT_SECONDS)
        card, waits = await waited(waiters, str(card.job.id), call.actor, left)
        if not waits:
            break
    return card


def _stage(card: Card) -> str:
    known = (card.job.stage, f"place {card.place}" if card.place else None, _percent(card.job.progress))
    return ", ".join([card.job.status, *filter(None, known)])


def _percent(progress: float | None) -> str | None:
    return None if progress is None else f"{progress:.0%}"


async def _shown(call: Call, card: Card) -> Answer:
    site, outputs = site_of(call.request), card.outputs[:MAX_FILES]
    text = _in_short(card, site)
    if card.job.status not in ENDED:
        text["next"] = "It has not ended. Call job with this job_id and wait: 45."
    files = [File(row.key, site + OutputView(row).url, row.media_type, row.bytes) for row in outputs]
    return Answer(_whole(card), text, await _preview(call.request.app.state.storage, outputs), files)


def _whole(card: Card, outcome: Cancel | None = None) -> dict[str, Any]:
    """Return a job in the shape that it has everywhere, with its first files."""
    shape = Job.of(card)
    if shape.outputs:
        shape.outputs = [output for output in shape.outputs if not output.trashed][:MAX_FILES]
    if outcome:
        shape.cancel = outcome
    return dict(msgspec.to_builtins(shape))


def _in_short(card: Card, site: str) -> dict[str, Any]:
    """Return what matters of a job. Its cost is None as long as it is not known."""
    row = card.job
    short: dict[str, Any] = {
        "job_id": str(row.id),
        "status": row.status,
        "model": row.model,
        "prompt": row.prompt if len(row.prompt) <= MAX_PROMPT_SHOWN else f"{row.prompt[:MAX_PROMPT_SHOWN]}…",
        "files": [site + OutputView(output).url for output in card.outputs[:MAX_FILES]],
        "cost_usd": None if row.cost is None else dollars(row.cost),
    }
    if len(card.outputs) > MAX_FILES:
        short["more_files"] = len(card.outputs) - MAX_FILES
    more = {"error": row.error, "place": card.place, "progress": None if row.status in ENDED else row.progress}
    return short | {name: value for name, value in more.items() if value is not None}


async def _preview(storage: Storage, outputs: Sequence[Output]) -> bytes | None:
    """Return the first preview that is small enough, if there is one. Without storage a job is told without it."""
    for row in outputs:
        with suppress(Failure):
            key = row.stored_preview_key or row.preview_key
            stored = await storage.head(key) if key else None
            if key and stored and stored.size <= MAX_PREVIEW_BYTES:
                return b"".join([piece async for piece in storage.read(key, 0, stored.size)])
    return None
