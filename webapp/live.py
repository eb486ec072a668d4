"""Server-sent events: one listener per process, any number of pages.

An event carries the whole new card and replaces it, so a page may get it twice or miss one in between. Its id is the
time of the change; a page that comes back sends it as Last-Event-ID and gets every card changed since.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator
from contextlib import aclosing, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from litestar import Request, get
from litestar.di import NamedDependency
from litestar.params import FromQuery
from litestar.types import ASGIApp
from sse_starlette import EventSourceResponse

from tasks import events, library
from tasks.database import now
from tasks.failures import DatabaseAway
from tasks.library import Card
from tasks.tables import Status
from webapp import halted
from webapp.fragments import PAGE, card_fragment, halt_fragment, job_fragment, sheet_fragment

log = logging.getLogger(__name__)

BACKLOG = 256  # events that wait for a slow page before it is dropped, to come back and catch up
OVERLAP = timedelta(seconds=5)  # looked back over at each look: clocks differ, and commits take time
LOOK = 3.0  # seconds between looks for changes that no hint told of
GATHER = 0.02  # seconds in which hints are gathered into one query
CATCH_UP = 200  # changes that a page catches up with; after more it gets the first page anew
PING = 15  # seconds

Queue = asyncio.Queue[bytes | None]


class Hub:
    """Passes every change on to the open pages of this process: rendered once, copied to each."""

    def __init__(self) -> None:
        self._galleries: set[Queue] = set()
        self._job_pages: dict[UUID, set[Queue]] = {}
        self._hinted: set[UUID] = set()
        self._hint = asyncio.Event()
        self._told: dict[UUID, datetime] = {}  # the last change told, of the jobs that changed of late
        self._front: list[UUID] = []
        self._halt = ""

    async def listen(self) -> None:
        """Gather the hints, for ever."""
        async for job_id in events.listen(events.CHANGED):
            self._hinted.add(job_id)
            self._hint.set()

    async def pass_on(self) -> None:
        """Tell the pages what changed, for ever: at once what was hinted at, every few seconds whatever else did."""
        looked = now() - timedelta(seconds=LOOK)
        while True:
            try:
                looked = await self._tell_news(looked)
            except DatabaseAway as away:
                log.warning("changes are passed on later: %s", away)
            except Exception:
                log.exception("changes could not be passed on; trying again")
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK):
                    await self._hint.wait()
                await asyncio.sleep(GATHER)

    async def _tell_news(self, looked: datetime) -> datetime:
        """Tell what was hinted at and, when it is time for a look, all that changed since the last one.

        Answers when it looked last: what fails is told with the next look.
        """
        self._hint.clear()
        hinted, self._hinted = self._hinted, set()
        moment = now()
        due = (moment - looked).total_seconds() >= LOOK
        if due:
            await self._tell_of_a_halt()
        if self._galleries or self._job_pages:
            await self._tell(await library.cards(list(hinted)))
            if due:
                await self._tell_all_since(looked - OVERLAP)
                await self._tell_places()
        return moment if due else looked

    async def _tell_of_a_halt(self) -> None:
        await halted.look()
        if (html := halt_fragment()) != self._halt:
            self._halt = html
            for queues in (self._galleries, *self._job_pages.values()):
                _send(queues, _message(html))

    async def _tell(self, cards: Iterable[Card], again: bool = False) -> None:
        for card in cards:
            if again or self._told.get(card.job.id) != card.job.changed_at:
                self._told[card.job.id] = card.job.changed_at
                if self._galleries:
                    _send(self._galleries, _message(card_fragment(card), card.job.changed_at))
                if job_pages := self._job_pages.get(card.job.id):
                    _send(job_pages, _message(await job_fragment(card), card.job.changed_at))
        long_ago = now() - 10 * OVERLAP
        self._told = {job_id: moment for job_id, moment in self._told.items() if moment > long_ago}

    async def _tell_all_since(self, since: datetime) -> None:
        while True:
            changed = await library.changed_since(since, CATCH_UP)
            await self._tell(changed)
            if len(changed) < CATCH_UP or changed[-1].job.changed_at == since:
                return
            since = changed[-1].job.changed_at

    async def _tell_places(self) -> None:
        """The front of the queue moves when no row of those behind changes."""
        waiting = await library.waiting()
        front = [card.job.id for card in sorted(waiting, key=lambda card: card.place or 0)]
        if front != self._front:
            self._front = front
            behind = await library.cards([job_id for job_id in self._job_pages if job_id not in front])
            await self._tell([*waiting, *(card for card in behind if card.job.status == Status.QUEUED)], again=True)

    async def gallery(self, since: datetime) -> AsyncGenerator[bytes, None]:
        """The stream of a gallery page that was made, or last heard of us, at `since`. Raises DatabaseAway first."""
        with _listening(self._galleries) as queue:
            for message in [*await _missed(since), _message(halt_fragment())]:
                yield message
            while (news := await queue.get()) is not None:
                yield news

    async def job_page(self, job_id: UUID) -> AsyncGenerator[bytes, None]:
        """The stream of a job's page. Raises DatabaseAway first."""
        queues = self._job_pages.setdefault(job_id, set())
        try:
            with _listening(queues) as queue:
                if card := await library.card(job_id):
                    yield _message(await job_fragment(card), card.job.changed_at)
                yield _message(halt_fragment())
                while (message := await queue.get()) is not None:
                    yield message
        finally:
            if not queues and self._job_pages.get(job_id) is queues:
                del self._job_pages[job_id]


@contextmanager
def _listening(queues: set[Queue]) -> Iterator[Queue]:
    """A queue among those that are told: there before its page looks into the database, so that nothing is missed."""
    queue: Queue = asyncio.Queue(BACKLOG)
    queues.add(queue)
    try:
        yield queue
    finally:
        queues.discard(queue)


async def _missed(since: datetime) -> list[bytes]:
    """What a gallery page missed since: the cards that changed or, after very many changes, the first page anew."""
    changed = await library.changed_since(since - OVERLAP, CATCH_UP + 1)
    if len(changed) > CATCH_UP:
        return [_message(sheet_fragment(await library.newest(PAGE)), changed[-1].job.changed_at)]
    return [_message(card_fragment(card), card.job.changed_at) for card in changed]


def _send(queues: set[Queue], message: bytes) -> None:
    """Hand a message to every page. One that is too slow is dropped: it comes back and catches up."""
    for queue in list(queues):
        try:
            queue.put_nowait(message)
        except asyncio.QueueFull:
            queues.discard(queue)
            queue.get_nowait()
            queue.put_nowait(None)


@get("/events")
async def stream(
    request: Request[Any, Any, Any],
    hub: NamedDependency[Hub],
    since: FromQuery[str] = "",
    job: FromQuery[UUID | None] = None,
) -> ASGIApp:
    """The live stream of a page: of the gallery, or of one job."""
    if job is not None:
        source = hub.job_page(job)
    else:
        source = hub.gallery(_moment(request.headers.get("Last-Event-ID") or since))
    stream = _begun(source, await anext(source))  # begun here: where the database is away, that is the answer
    return EventSourceResponse(stream, ping=PING, send_timeout=10, headers={"Cache-Control": "no-store"})  # type: ignore[return-value]


async def _begun(source: AsyncGenerator[bytes, None], first: bytes) -> AsyncIterator[bytes]:
    async with aclosing(source):
        yield first
        async for message in source:
            yield message


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return now()
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _message(html: str, moment: datetime | None = None) -> bytes:
    """One event, as the HTML standard's section on server-sent events has it; its id is the moment of the change."""
    event_id = f"id: {moment.isoformat()}\n" if moment else ""
    lines = "".join(f"data: {line}\n" for line in html.splitlines())
    return f"{event_id}{lines}\n".encode()
