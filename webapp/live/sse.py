"""Live events as they are sent: cards that changed, whole sheets, and what a page missed.

An event carries the whole new card and replaces it, so a page may get it twice or miss one in between. Its id is the
time of the change.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from tasks.library import cards
from tasks.library.cards import Card
from tasks.library.paging import Sort
from tasks.library.query import Search, parse
from webapp.listing.fragments import card_face, card_fragment, sheet_fragment
from webapp.listing.query import Sheet
from webapp.render import queue_tally

log = logging.getLogger(__name__)

OVERLAP = timedelta(seconds=5)  # each look reaches this much further back: clocks differ, and commits take time
WAITING = parse("status:queued")
MAX_CATCH_UP = 200  # changes that a page catches up with; after more it gets all its cards again


async def missed(sheet: Sheet, since: datetime) -> list[bytes]:
    """Return what a sheet missed since `since`: the cards that changed or, after very many changes, all its cards."""
    news = await cards.changed_since(since - OVERLAP, MAX_CATCH_UP + 1)
    if len(news) > MAX_CATCH_UP:
        return [await whole_sheet(sheet, news[-1].job.changed_at)]
    return await changed(news, sheet.search, await faces(news))


async def unfolded(sheet: Sheet) -> list[bytes]:
    """Return the cards of the jobs that wait, if they were folded when the sheet was made and may not be any more."""
    if not sheet.folds or queue_tally.folded() or not queue_tally.known().waiting:
        return []
    card_list = await waiting()
    return await changed(card_list, sheet.search, await faces(card_list))


async def waiting() -> list[Card]:
    """Return the jobs that wait, as many as a sheet shows without folding them."""
    found, _ = await cards.page(WAITING, Sort.NEWEST, None, queue_tally.MAX_UNFOLDED)
    return found


async def faces(card_list: Sequence[Card]) -> dict[UUID, str]:
    """Render cards as the gallery shows them. A card that fails is logged and left out, so that the others are sent."""
    rendered: dict[UUID, str] = {}
    for card in card_list:
        try:
            rendered[card.job.id] = card_face(card)
        except Exception:
            log.exception("job %s could not be rendered", card.job.id)
        await asyncio.sleep(0)  # so that other tasks of this process need not wait for all of them
    return rendered


async def changed(card_list: list[Card], search: Search, faces: Mapping[UUID, str]) -> list[bytes]:
    """Return the events about changed cards for the pages of a search.

    faces: the rendered cards, by job id. Cards without one are left out.
    """
    card_list = [card for card in card_list if card.job.id in faces]
    ids = [card.job.id for card in card_list]
    found = await cards.found_among(ids, search) if search else set(ids)
    return [
        event(card_fragment(card, faces[card.job.id], card.job.id in found, search.trash), card.job.changed_at)
        for card in card_list
    ]


async def whole_sheet(sheet: Sheet, moment: datetime) -> bytes:
    """Return an event with all cards of a sheet. moment: when the latest of them changed."""
    return event(await sheet_fragment(sheet), moment)


def event(html: str, moment: datetime | None = None) -> bytes:
    """Return one event in the format of the HTML standard's section on server-sent events.

    Its id is the moment of the change.
    """
    event_id = f"id: {moment.isoformat()}\n" if moment else ""
    lines = "".join(f"data: {line}\n" for line in html.splitlines())
    return f"{event_id}{lines}\n".encode()
