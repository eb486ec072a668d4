"""The live streams of programs: whole jobs as JSON, of one job until it has ended, or of all that a search finds."""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from uuid import UUID

from litestar.serialization import encode_json

from tasks.accounts.actors import Actor
from tasks.db.tables import ENDED
from tasks.library import cards
from tasks.library.cards import Card
from tasks.library.query import Search
from webapp.listing.query import Sheet
from webapp.live import sse
from webapp.live.mailbox import Mailbox, close, close_all, opened, send
from webapp.schemas.jobs import Job

RETRY = b"retry: 3000\n\n"  # milliseconds after which a client that was cut off connects again
MAX_FIRST = 200  # jobs that the stream of a search begins with

Apart = Callable[..., AbstractAsyncContextManager[None]]
"""Confines a failure to the streams that it is given: see Hub._apart."""


class Feeds:
    """The open streams of programs, by job and by search."""

    def __init__(self) -> None:
        self._jobs: dict[UUID, set[Mailbox]] = {}
        self._searches: dict[Search, set[Mailbox]] = {}

    def __bool__(self) -> bool:
        return bool(self._jobs or self._searches)

    @property
    def streams(self) -> list[set[Mailbox]]:
        """All streams."""
        return [*self._jobs.values(), *self._searches.values()]

    async def send(self, news: Sequence[Card], apart: Apart) -> None:
        """Send changed jobs. The streams of those that have ended end with it."""
        known: dict[UUID, bytes] = {}
        for card in news:
            if inboxes := self._jobs.get(card.job.id):
                async with apart(card.job.id, inboxes):
                    send(inboxes, _event(card, known))
                    if card.job.status in ENDED:
                        close_all([inboxes])
        for search, inboxes in list(self._searches.items()):
            async with apart(search, inboxes):
                send(inboxes, *[_event(card, known) for card in await _found(news, search)])

    async def send_anew(self, changes: Mapping[UUID, datetime], apart: Apart) -> None:
        """Send what matters of very many changes: to those that follow a search, by having them connect again."""
        close_all(self._searches.values())
        await self.send(await cards.by_ids([job_id for job_id in self._jobs if job_id in changes]), apart)

    async def of_job(self, known: Card, actor: Actor) -> AsyncGenerator[bytes, None]:
        """Yield the events of a job until it has ended. known: the job as it was just before."""
        job_id = known.job.id
        inbox = opened(self._jobs, job_id, actor)
        try:
            card = await cards.by_id(job_id) or known
            yield RETRY + _event(card, {})
            while card.job.status not in ENDED and (news := await inbox.get()) is not None:
                yield news
        finally:
            close(self._jobs, job_id, inbox)

    async def of_search(self, sheet: Sheet, since: datetime | None, actor: Actor) -> AsyncGenerator[bytes, None]:
        """Yield the events of a search: first its newest jobs or, of those, what changed since `since`."""
        inbox = opened(self._searches, sheet.search, actor)
        try:
            yield RETRY
            for card in await _missed(sheet, since):
                yield _event(card, {})
            while (news := await inbox.get()) is not None:
                yield news
        finally:
            close(self._searches, sheet.search, inbox)


def _event(card: Card, known: dict[UUID, bytes]) -> bytes:
    """Return the event that has a job as it is. Its id is the time of the job's last change.

    known: the events that were made already, by job.
    """
    if card.job.id not in known:
        moment = card.job.changed_at.isoformat().replace("+00:00", "Z")  # a plus in an address is a space
        known[card.job.id] = b"id: %b\nevent: job\ndata: %b\n\n" % (moment.encode(), encode_json(Job.of(card)))
    return known[card.job.id]


async def _missed(sheet: Sheet, since: datetime | None) -> list[Card]:
    """Return the jobs that a stream begins with, in the order in which they changed."""
    if since is not None:
        news = await cards.changed_since(since - sse.OVERLAP, sse.MAX_CATCH_UP + 1)
        if len(news) <= sse.MAX_CATCH_UP:
            return await _found(news, sheet.search)
    first, _ = await sheet.cards(MAX_FIRST)
    return sorted(first, key=lambda card: card.job.changed_at)


async def _found(news: Sequence[Card], search: Search) -> list[Card]:
    found = await cards.found_among([card.job.id for card in news], search)
    return [card for card in news if card.job.id in found]
