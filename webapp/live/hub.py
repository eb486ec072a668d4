"""The hub: receives hints about changes, and sends the changes to the open pages of this process.

Pages with the same search are served together: one query finds which of the changed jobs match, and each card is
rendered once. Every few seconds the hub queries the database for changes, regardless of hints. A failure for
one search or one job does not affect other pages: only its own pages are closed. They reconnect and catch up.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from uuid import UUID

from tasks.accounts.actors import OPEN_HOUSE, Actor
from tasks.accounts.recheck import still_valid
from tasks.background import repeat
from tasks.db.database import now
from tasks.db.tables import Status
from tasks.errors import DatabaseAway
from tasks.library import cards
from tasks.library.cards import Card
from tasks.library.query import Search
from tasks.messaging import events
from webapp.http.errors import Problem
from webapp.http.waiters import Waiters
from webapp.listing.fragments import halt_fragment, job_fragment, tally_fragment
from webapp.listing.query import Sheet
from webapp.live import sse
from webapp.live.board import Board
from webapp.live.feeds import Feeds
from webapp.live.mailbox import Mailbox, close, close_all, opened, send
from webapp.live.sent import Sent
from webapp.render import halt_banner, queue_tally
from webapp.schemas.codes import Code

log = logging.getLogger(__name__)

RECHECK_SECONDS = 30.0  # seconds between looks whether those whose pages are open may still see them
POLL_SECONDS = 3.0  # seconds between looks for changes that no hint announced
DEBOUNCE_SECONDS = 0.02  # seconds after a delivery in which hints are gathered, to be sent together
# Changes that are sent card by card; after more, as by a bulk action, pages get all their cards again.
MAX_CARD_EVENTS = 1000
MAX_CHANGES = 5 * MAX_CARD_EVENTS  # changes that one look reads; most of them were sent when their hints came
SEARCH_TIMEOUT = 5.0  # seconds that the pages of one search, or of one job, may delay the others
MAX_LOGGED_FAILURES = 1000  # searches and jobs that are remembered because their failure is in the log


class Hub:
    """The distributor of changes to this process's open pages. Each change is rendered once and copied to each page.

    boards: pages of other kinds, whose viewers it looks after, too.
    """

    def __init__(self, boards: Sequence[Board] = ()) -> None:
        self.feeds, self.waiters, self._boards = Feeds(), Waiters(), boards
        self._galleries: dict[Sheet, set[Mailbox]] = {}
        self._job_pages: dict[UUID, set[Mailbox]] = {}
        self._hinted: set[UUID] = set()
        self._hint = asyncio.Event()
        self._sent = Sent(10 * sse.OVERLAP)
        self._front: list[UUID] = []
        self._halt = ""
        self._tally = ""
        self._folded = False
        self._troubles: set[object] = set()

    @property
    def open_pages(self) -> int:
        """How many pages this process keeps up to date."""
        return sum(map(len, self._pages))

    @property
    def _pages(self) -> list[set[Mailbox]]:
        boards = [inboxes for board in self._boards for inboxes in board.pages]
        return [*self._galleries.values(), *self._job_pages.values(), *self.feeds.streams, *boards]

    async def listen(self) -> None:
        """Gather hints forever. Hints beyond MAX_CARD_EVENTS are dropped: the next look finds their changes."""
        while True:
            try:
                async for job_id in events.listen(events.CHANGED):
                    if len(self._hinted) < MAX_CARD_EVENTS:
                        self._hinted.add(job_id)
                    self._hint.set()
            except Exception:
                log.exception("could not listen for hints; trying again")
            await asyncio.sleep(POLL_SECONDS)

    async def pass_on(self) -> None:
        """Send changes to the pages forever: hinted changes immediately, all others every few seconds."""
        looked = now() - timedelta(seconds=POLL_SECONDS)
        while True:
            try:
                looked = await self._tell_news(looked)
            except DatabaseAway as away:
                log.warning("sending changes later: %s", away)
            except Exception:
                log.exception("could not send changes; trying again")
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_SECONDS):
                    await asyncio.sleep(DEBOUNCE_SECONDS)
                    await self._hint.wait()

    async def recheck(self) -> None:
        """End the streams of those who were signed out, disabled or revoked meanwhile. Runs forever."""

        async def end_refused() -> None:
            pages = self._pages
            actors = {inbox.actor for inboxes in pages for inbox in inboxes}
            refused = actors - await still_valid(actors) if actors else set()
            for inboxes in pages if refused else []:
                close_all([{inbox for inbox in inboxes if inbox.actor in refused}])

        await repeat(end_refused, lambda: RECHECK_SECONDS, "could not ask again whose pages are open", log)

    async def _tell_news(self, looked: datetime) -> datetime:
        """Send the hinted changes and, when a look is due, everything that changed since the last look.

        Returns the time of the last look. What fails is sent with the next look.
        """
        self._hint.clear()
        hinted, self._hinted = self._hinted, set()
        moment = now()
        due = (moment - looked).total_seconds() >= POLL_SECONDS
        if due:
            await self._tell_of_a_halt()
        if due or self._galleries or self._job_pages:
            await self._tell_tally()
        if self._galleries or self._job_pages or self.feeds or self.waiters:
            await self._tell(await cards.by_ids(list(hinted)))
            if due:
                await self._tell_all_since(looked - sse.OVERLAP)
                await self._tell_places()
        return moment if due else looked

    async def _tell_of_a_halt(self) -> None:
        await halt_banner.look()
        if (html := halt_fragment()) != self._halt:
            self._halt = html
            self._tell_all_pages(html)

    async def _tell_tally(self) -> None:
        """Send how much runs and waits, once it is told otherwise, and the jobs that are no longer folded."""
        await queue_tally.look()
        if (html := tally_fragment()) != self._tally:
            self._tally = html
            self._tell_all_pages(html)
        folded, self._folded = self._folded, queue_tally.folded() is not None
        if folded and not self._folded:
            await self._tell(await sse.waiting(), again=True)

    def _tell_all_pages(self, html: str) -> None:
        message = sse.event(html)
        for inboxes in (*self._galleries.values(), *self._job_pages.values()):
            send(inboxes, message)

    async def _tell(self, card_list: Sequence[Card], again: bool = False) -> None:
        known = {card.job.id: card.job.changed_at for card in card_list}
        unsent = known if again else self._sent.unsent(known)
        news = sorted((card for card in card_list if card.job.id in unsent), key=lambda card: card.job.changed_at)
        self.waiters.wake(news)
        await self._tell_galleries(news)
        await self._tell_job_pages(news)
        await self.feeds.send(news, self._apart)
        self._sent.add(news)

    async def _tell_galleries(self, news: list[Card]) -> None:
        """Send changes to the pages of each search. Pages without a search come first, because they need no query."""
        if not news or not self._galleries:
            return
        faces, searches = await sse.faces(news), dict[Search, list[set[Mailbox]]]()
        for sheet, inboxes in self._galleries.items():
            searches.setdefault(sheet.search, []).append(inboxes)
        for search in sorted(searches, key=bool):
            async with self._apart(search, *searches[search]):
                messages = await sse.changed(news, search, faces)
                for inboxes in searches[search]:
                    send(inboxes, *messages)

    async def _tell_job_pages(self, news: list[Card]) -> None:
        for card in news:
            if inboxes := self._job_pages.get(card.job.id):
                async with self._apart(card.job.id, inboxes):
                    send(inboxes, sse.event(await job_fragment(card), card.job.changed_at))

    async def _tell_all_since(self, since: datetime) -> None:
        changes = await cards.changes_since(since, MAX_CHANGES, self._sent.at_once)
        unsent = self._sent.unsent(changes)
        if len(unsent) > MAX_CARD_EVENTS or len(changes) == MAX_CHANGES:
            await self._tell_anew(changes)
            return
        for start in range(0, len(unsent), sse.MAX_CATCH_UP):
            await self._tell(await cards.by_ids(unsent[start : start + sse.MAX_CATCH_UP]))

    async def _tell_anew(self, changes: Mapping[UUID, datetime]) -> None:
        """Send every page all its cards again."""
        self.waiters.wake(await cards.by_ids([job_id for job_id in self.waiters.jobs if job_id in changes]))
        await self.feeds.send_anew(changes, self._apart)
        for sheet, inboxes in sorted(self._galleries.items(), key=lambda gallery: bool(gallery[0].search)):
            async with self._apart(sheet.search, inboxes):
                send(inboxes, await sse.whole_sheet(sheet, max(changes.values())))
        await self._tell_job_pages(await cards.by_ids(list(self._job_pages)))
        self._sent.add_bulk(changes)

    async def _tell_places(self) -> None:
        """Send new places when the front of the queue moves: the rows of the jobs behind it do not change then."""
        waiting = await cards.waiting()
        front = [card.job.id for card in sorted(waiting, key=lambda card: card.place or 0)]
        if front != self._front:
            self._front = front
            behind = await cards.by_ids([job_id for job_id in self._job_pages if job_id not in front])
            await self._tell([*waiting, *(card for card in behind if card.job.status == Status.QUEUED)], again=True)

    @asynccontextmanager
    async def _apart(self, whose: Search | UUID, *pages: set[Mailbox]) -> AsyncIterator[None]:
        """Confine a failure or a timeout of the block to `pages`: only they are closed. They reconnect and catch up."""
        try:
            async with asyncio.timeout(SEARCH_TIMEOUT):
                yield
        except Exception as error:
            self._note(whose, error)
            close_all(pages)

    def _note(self, whose: Search | UUID, error: Exception) -> None:
        """Log a failure for the pages of a search or a job: DatabaseAway each time, other errors the first time."""
        if isinstance(error, DatabaseAway):
            log.warning("sending changes to the pages of %.200r later: %s", str(whose), error)
        elif whose not in self._troubles:
            self._troubles = {*self._troubles, whose} if len(self._troubles) < MAX_LOGGED_FAILURES else {whose}
            log.error("could not send changes to the pages of %.200r", str(whose), exc_info=error)

    async def gallery(self, sheet: Sheet, since: datetime, actor: Actor = OPEN_HOUSE) -> AsyncGenerator[bytes, None]:
        """Yield the events of a sheet that was made, or received its last event, at `since`.

        Raises DatabaseAway or Problem before the first event.
        """
        inbox = opened(self._galleries, sheet, actor)
        try:
            missed, state = await self._missed(sheet, since), sse.event(halt_fragment() + tally_fragment())
            for event in [*missed, state, *await sse.unfolded(sheet)]:
                yield event
            while (news := await inbox.get()) is not None:
                yield news
        finally:
            close(self._galleries, sheet, inbox)

    async def _missed(self, sheet: Sheet, since: datetime) -> list[bytes]:
        """Return the events that a sheet missed. A page that was closed after a failure calls this repeatedly."""
        try:
            return await sse.missed(sheet, since)
        except DatabaseAway:
            raise
        except Exception as error:
            self._note(sheet.search, error)
            detail = "Live updates are unavailable right now. The operator can find the error in the log."
            raise Problem(Code.STREAM_UNAVAILABLE, detail, headers={"Retry-After": "5"}) from error

    async def job_page(self, job_id: UUID, actor: Actor = OPEN_HOUSE) -> AsyncGenerator[bytes, None]:
        """Yield the events of a job's page. Raises DatabaseAway before the first event."""
        inbox = opened(self._job_pages, job_id, actor)
        try:
            if card := await cards.by_id(job_id):
                yield sse.event(await job_fragment(card), card.job.changed_at)
            yield sse.event(halt_fragment() + tally_fragment())
            while (news := await inbox.get()) is not None:
                yield news
        finally:
            close(self._job_pages, job_id, inbox)
