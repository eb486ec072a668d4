"""Inboxes of open pages: queues of events that take little memory, because there are thousands of them."""

import asyncio
from collections.abc import Iterable
from typing import TypeVar

from tasks.accounts.actors import OPEN_HOUSE, Actor

MAX_QUEUED_EVENTS = 256  # events that wait for a slow page before it is dropped; it then reconnects and catches up

Key = TypeVar("Key")


class Mailbox:
    """The events that one page has not read yet. An empty asyncio.Queue takes 3 KiB, a Mailbox a tenth of it.

    actor: whose page it is.
    """

    __slots__ = ("_closed", "_events", "_waiter", "actor")

    def __init__(self, actor: Actor = OPEN_HOUSE) -> None:
        self.actor = actor
        self._events: list[bytes] = []
        self._waiter: asyncio.Future[None] | None = None
        self._closed = False

    def put(self, event: bytes) -> bool:
        """Add an event. Returns whether there was room for it."""
        if len(self._events) >= MAX_QUEUED_EVENTS:
            return False
        self._events.append(event)
        self._wake()
        return True

    def close(self) -> None:
        """Close the inbox: no more events come."""
        self._closed = True
        self._wake()

    async def get(self) -> bytes | None:
        """Wait for the next event and return it. Returns None when no more events come."""
        while not self._events:
            if self._closed:
                return None
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        return self._events.pop(0)

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


def opened(pages: dict[Key, set[Mailbox]], key: Key, actor: Actor) -> Mailbox:
    """Return a new inbox among `pages`. Open it before the page queries the database, so that nothing is missed."""
    inbox = Mailbox(actor)
    pages.setdefault(key, set()).add(inbox)
    return inbox


def close(pages: dict[Key, set[Mailbox]], key: Key, inbox: Mailbox) -> None:
    """Remove the inbox of a page that is gone."""
    inboxes = pages.get(key, set())
    inboxes.discard(inbox)
    if not inboxes:
        pages.pop(key, None)


def close_all(pages: Iterable[set[Mailbox]]) -> None:
    """Drop all pages in `pages`. They reconnect and catch up."""
    for inboxes in pages:
        for inbox in inboxes:
            inbox.close()
        inboxes.clear()


def send(inboxes: set[Mailbox], *events: bytes) -> None:
    """Add events to every inbox. A page that is too slow is dropped: it reconnects and catches up."""
    for inbox in list(inboxes):
        if not all(inbox.put(event) for event in events):
            inboxes.discard(inbox)
            inbox.close()
