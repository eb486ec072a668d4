"""The hub: hears what changed, and tells the open pages of this process.

Pages of one search are told together: the database is asked once which of the changed jobs it finds, and each card is
rendered once. Every few seconds the database is asked what changed, whatever was heard. What fails for one search or
one job does not concern the other pages: its own are closed, and come back to catch up.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from traceback import format_exception
from uuid import UUID

from tasks import events, library
from tasks.database import now
from tasks.failures import DatabaseAway
from tasks.library import Card
from tasks.search import Search
from tasks.tables import Status
from webapp import halted, wire
from webapp.errors import Problem
from webapp.fragments import halt_fragment, job_fragment
from webapp.inbox import Inbox, close, close_all, opened, send
from webapp.sheet import Sheet
from webapp.told import Told

log = logging.getLogger(__name__)

LOOK = 3.0  # seconds between looks for changes that no hint told of
GATHER = 0.02  # seconds after what was told in which hints are gathered, to be told together
MANY = 1000  # changes that pages are told card by card; after more, as of a bulk action, they get their cards anew
WINDOW = 5 * MANY  # changes that one look sees; most of them were told at once
SEARCH_TIMEOUT = 5.0  # seconds that the pages of one search, or of one job, may keep the others waiting
MAX_TROUBLES = 1000  # searches and jobs of which it is remembered that their trouble is in the log
LONGEST_TRACEBACK = 4000  # characters of its end


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
        self._troubles: set[object] = set()

    async def listen(self) -> None:
        """Gather the hints, for ever. Of more than are told card by card, the next look learns."""
        while True:
            try:
                async for job_id in events.listen(events.CHANGED):
                    if len(self._hinted) < MANY:
                        self._hinted.add(job_id)
                    self._hint.set()
            except Exception:
                log.exception("hints are not heard; listening again")
            await asyncio.sleep(LOOK)

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
                send(inboxes, wire.event(html))

    async def _tell(self, cards: Sequence[Card], again: bool = False) -> None:
        known = {card.job.id: card.job.changed_at for card in cards}
        untold = known if again else self._told.untold(known)
        news = sorted((card for card in cards if card.job.id in untold), key=lambda card: card.job.changed_at)
        await self._tell_galleries(news)
        await self._tell_job_pages(news)
        self._told.tell(news)

    async def _tell_galleries(self, news: list[Card]) -> None:
        """Tell the pages of each search; those without one first, as nothing is asked for them."""
        if not news or not self._galleries:
            return
        faces, searches = await wire.faces(news), dict[Search, list[set[Inbox]]]()
        for sheet, inboxes in self._galleries.items():
            searches.setdefault(sheet.search, []).append(inboxes)
        for search in sorted(searches, key=bool):
            async with self._apart(search, *searches[search]):
                messages = await wire.changed(news, search, faces)
                for inboxes in searches[search]:
                    send(inboxes, *messages)

    async def _tell_job_pages(self, news: list[Card]) -> None:
        for card in news:
            if inboxes := self._job_pages.get(card.job.id):
                async with self._apart(card.job.id, inboxes):
                    send(inboxes, wire.event(await job_fragment(card), card.job.changed_at))

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
        for sheet, inboxes in sorted(self._galleries.items(), key=lambda gallery: bool(gallery[0].search)):
            async with self._apart(sheet.search, inboxes):
                send(inboxes, await wire.anew(sheet, max(changes.values())))
        await self._tell_job_pages(await library.cards(list(self._job_pages)))
        self._told.tell_at_once(changes)

    async def _tell_places(self) -> None:
        """The front of the queue moves when no row of those behind changes."""
        waiting = await library.waiting()
        front = [card.job.id for card in sorted(waiting, key=lambda card: card.place or 0)]
        if front != self._front:
            self._front = front
            behind = await library.cards([job_id for job_id in self._job_pages if job_id not in front])
            await self._tell([*waiting, *(card for card in behind if card.job.status == Status.QUEUED)], again=True)

    @asynccontextmanager
    async def _apart(self, whose: Search | UUID, *pages: set[Inbox]) -> AsyncIterator[None]:
        """Let what fails while some pages are told, or takes too long, end these alone: they come back to catch up."""
        try:
            async with asyncio.timeout(SEARCH_TIMEOUT):
                yield
        except Exception as error:
            self._note(whose, error)
            close_all(pages)

    def _note(self, whose: Search | UUID, error: Exception) -> None:
        """Log the first trouble with the pages of a search or a job."""
        if isinstance(error, DatabaseAway):
            log.warning("changes are passed on later to the pages of %.200r: %s", str(whose), error)
        elif whose not in self._troubles:
            self._troubles = {*self._troubles, whose} if len(self._troubles) < MAX_TROUBLES else {whose}
            traceback = "".join(format_exception(error))[-LONGEST_TRACEBACK:]
            words = "the pages of %.200r could not be told what changed:\n%s"
            log.error(words, str(whose), traceback, extra={"has_traceback": True})

    async def gallery(self, sheet: Sheet, since: datetime) -> AsyncGenerator[bytes, None]:
        """The stream of a sheet that was made, or last heard of us, at `since`.

        Raises DatabaseAway or Problem first.
        """
        inbox = opened(self._galleries, sheet)
        try:
            for event in [*await self._missed(sheet, since), wire.event(halt_fragment())]:
                yield event
            while (news := await inbox.get()) is not None:
                yield news
        finally:
            close(self._galleries, sheet, inbox)

    async def _missed(self, sheet: Sheet, since: datetime) -> list[bytes]:
        """What a sheet missed. A page that was closed over trouble comes back here, again and again."""
        try:
            return await wire.missed(sheet, since)
        except DatabaseAway:
            raise
        except Exception as error:
            self._note(sheet.search, error)
            detail = "What changed cannot be told at the moment. The operator finds it in the log."
            raise Problem(503, "stream_unavailable", detail, headers={"Retry-After": "5"}) from error

    async def job_page(self, job_id: UUID) -> AsyncGenerator[bytes, None]:
        """The stream of a job's page. Raises DatabaseAway first."""
        inbox = opened(self._job_pages, job_id)
        try:
            if card := await library.card(job_id):
                yield wire.event(await job_fragment(card), card.job.changed_at)
            yield wire.event(halt_fragment())
            while (news := await inbox.get()) is not None:
                yield news
        finally:
            close(self._job_pages, job_id, inbox)
