"""The hub: hears what changed, and tells the open pages of this process.

Pages of one search are told together: the database is asked once which of the changed jobs it finds, and each card is
rendered once. Every few seconds the database is asked what changed, whatever was heard.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TypeVar
from uuid import UUID

from tasks import events, library
from tasks.database import now
from tasks.failures import DatabaseAway
from tasks.library import Card
from tasks.search import Search
from tasks.tables import Status
from webapp import halted, wire
from webapp.fragments import card_face, halt_fragment, job_fragment
from webapp.inbox import Inbox
from webapp.sheet import Sheet
from webapp.told import Told

log = logging.getLogger(__name__)

LOOK = 3.0  # seconds between looks for changes that no hint told of
GATHER = 0.02  # seconds after what was told in which hints are gathered, to be told together
MANY = 1000  # changes that pages are told card by card; after more, as of a bulk action, they get their cards anew
WINDOW = 5 * MANY  # changes that one look sees; most of them were told at once

Key = TypeVar("Key")


class Hub:
    """Passes every change on to the open pages of this process: rendered once, copied to each."""

    def __init__(self) -> None:
        self._galleries: dict[Sheet, set[Inbox]] = {}
        self._job_pages: dict[UUID, set[Inbox]] = {}
        self._hinted: set[UUID] = set()
        self._hint = asyncio.Event()
        self._told = Told(10 * wire.OVERLAP)
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
                    await asyncio.sleep(GATHER)
                    await self._hint.wait()

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
                await self._tell_all_since(looked - wire.OVERLAP)
                await self._tell_places()
        return moment if due else looked

    async def _tell_of_a_halt(self) -> None:
        await halted.look()
        if (html := halt_fragment()) != self._halt:
            self._halt = html
            for inboxes in (*self._galleries.values(), *self._job_pages.values()):
                _send(inboxes, wire.event(html))

    async def _tell(self, cards: Sequence[Card], again: bool = False) -> None:
        known = {card.job.id: card.job.changed_at for card in cards}
        untold = known if again else self._told.untold(known)
        news = sorted((card for card in cards if card.job.id in untold), key=lambda card: card.job.changed_at)
        for inboxes, messages in [*await self._to_galleries(news), *await self._to_job_pages(news)]:
            _send(inboxes, *messages)
        self._told.tell(news)

    async def _to_galleries(self, news: list[Card]) -> list[tuple[set[Inbox], list[bytes]]]:
        """What the pages of each search are told."""
        galleries = list(self._galleries.items()) if news else []
        faces = {card.job.id: card_face(card) for card in news} if galleries else {}
        told: dict[Search, list[bytes]] = {}
        for sheet, _ in galleries:
            if sheet.search not in told:
                told[sheet.search] = await wire.changed(news, sheet.search, faces)
        return [(inboxes, told[sheet.search]) for sheet, inboxes in galleries]

    async def _to_job_pages(self, news: list[Card]) -> list[tuple[set[Inbox], list[bytes]]]:
        watched = [(self._job_pages[card.job.id], card) for card in news if card.job.id in self._job_pages]
        return [(inboxes, [wire.event(await job_fragment(card), card.job.changed_at)]) for inboxes, card in watched]

    async def _tell_all_since(self, since: datetime) -> None:
        changes = await library.changes_since(since, WINDOW, self._told.at_once)
        untold = self._told.untold(changes)
        if len(untold) > MANY or len(changes) == WINDOW:
            await self._tell_anew(changes)
            return
        for start in range(0, len(untold), wire.CATCH_UP):
            await self._tell(await library.cards(untold[start : start + wire.CATCH_UP]))

    async def _tell_anew(self, changes: Mapping[UUID, datetime]) -> None:
        """Give every page its cards anew."""
        anew = [
            (inboxes, await wire.anew(sheet, max(changes.values())))
            for sheet, inboxes in self._galleries.copy().items()
        ]
        watched = await self._to_job_pages(await library.cards(list(self._job_pages)))
        for inboxes, messages in [*((inboxes, [message]) for inboxes, message in anew), *watched]:
            _send(inboxes, *messages)
        self._told.tell_at_once(changes)

    async def _tell_places(self) -> None:
        """The front of the queue moves when no row of those behind changes."""
        waiting = await library.waiting()
        front = [card.job.id for card in sorted(waiting, key=lambda card: card.place or 0)]
        if front != self._front:
            self._front = front
            behind = await library.cards([job_id for job_id in self._job_pages if job_id not in front])
            await self._tell([*waiting, *(card for card in behind if card.job.status == Status.QUEUED)], again=True)

    async def gallery(self, sheet: Sheet, since: datetime) -> AsyncGenerator[bytes, None]:
        """The stream of a sheet that was made, or last heard of us, at `since`. Raises DatabaseAway first."""
        inbox = _opened(self._galleries, sheet)
        try:
            for event in [*await wire.missed(sheet, since), wire.event(halt_fragment())]:
                yield event
            while (news := await inbox.get()) is not None:
                yield news
        finally:
            _close(self._galleries, sheet, inbox)

    async def job_page(self, job_id: UUID) -> AsyncGenerator[bytes, None]:
        """The stream of a job's page. Raises DatabaseAway first."""
        inbox = _opened(self._job_pages, job_id)
        try:
            if card := await library.card(job_id):
                yield wire.event(await job_fragment(card), card.job.changed_at)
            yield wire.event(halt_fragment())
            while (news := await inbox.get()) is not None:
                yield news
        finally:
            _close(self._job_pages, job_id, inbox)


def _opened(told: dict[Key, set[Inbox]], key: Key) -> Inbox:
    """An inbox among those that are told: there before its page looks into the database, so that nothing is missed."""
    inbox = Inbox()
    told.setdefault(key, set()).add(inbox)
    return inbox


def _close(told: dict[Key, set[Inbox]], key: Key, inbox: Inbox) -> None:
    inboxes = told.get(key, set())
    inboxes.discard(inbox)
    if not inboxes:
        told.pop(key, None)


def _send(inboxes: set[Inbox], *events: bytes) -> None:
    """Hand events to every page. One that is too slow is dropped: it comes back and catches up."""
    for inbox in list(inboxes):
        if not all(inbox.put(event) for event in events):
            inboxes.discard(inbox)
            inbox.close()
