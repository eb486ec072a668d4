"""The events for a page arrive in order, and a page that does not read delays nothing."""

import asyncio

from webapp.live.mailbox import MAX_QUEUED_EVENTS, Mailbox


async def test_events_come_out_in_their_order_and_then_the_end() -> None:
    inbox = Mailbox()
    for number in range(3):
        assert inbox.put(str(number).encode())
    inbox.close()
    assert [await inbox.get() for _ in range(4)] == [b"0", b"1", b"2", None]


async def test_who_waits_is_woken_by_an_event_and_by_the_end() -> None:
    inbox = Mailbox()
    waiting = asyncio.create_task(inbox.get())
    await asyncio.sleep(0)
    inbox.put(b"news")
    assert await asyncio.wait_for(waiting, 1) == b"news"
    waiting = asyncio.create_task(inbox.get())
    await asyncio.sleep(0)
    inbox.close()
    assert await asyncio.wait_for(waiting, 1) is None


async def test_a_full_one_takes_no_more() -> None:
    inbox = Mailbox()
    assert all(inbox.put(b"news") for _ in range(MAX_QUEUED_EVENTS))
    assert not inbox.put(b"too much")


async def test_who_gave_up_waiting_does_not_keep_an_event_from_the_next() -> None:
    inbox = Mailbox()
    given_up = asyncio.create_task(inbox.get())
    await asyncio.sleep(0)
    given_up.cancel()
    await asyncio.gather(given_up, return_exceptions=True)
    inbox.put(b"news")
    assert await asyncio.wait_for(inbox.get(), 1) == b"news"
