"""Live events as they go over the wire: cards that changed, sheets anew, and what a page missed.

An event carries the whole new card and replaces it, so a page may get it twice or miss one in between. Its id is the
time of the change.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from tasks import library
from tasks.library import Card
from tasks.search import Search
from webapp.fragments import card_face, card_fragment, sheet_fragment
from webapp.sheet import Sheet

log = logging.getLogger(__name__)

OVERLAP = timedelta(seconds=5)  # looked back over at each look: clocks differ, and commits take time
CATCH_UP = 200  # changes that a page catches up with; after more it gets its cards anew


async def missed(sheet: Sheet, since: datetime) -> list[bytes]:
    """What a sheet missed since: the cards that changed or, after very many changes, its cards anew."""
    news = await library.changed_since(since - OVERLAP, CATCH_UP + 1)
    if len(news) > CATCH_UP:
        return [await anew(sheet, news[-1].job.changed_at)]
    return await changed(news, sheet.search, await faces(news))


async def faces(cards: Sequence[Card]) -> dict[UUID, str]:
    """Cards as the gallery shows them. One that cannot be rendered is left out, and logged: the others are told."""
    rendered: dict[UUID, str] = {}
    for card in cards:
        try:
            rendered[card.job.id] = card_face(card)
        except Exception:
            log.exception("job %s cannot be shown", card.job.id)
        await asyncio.sleep(0)  # so that whoever else waits for this process need not wait for all of them
    return rendered


async def changed(cards: list[Card], search: Search, faces: Mapping[UUID, str]) -> list[bytes]:
    """Cards that changed, as the pages of a search are told of them. faces: those of the cards that are told."""
    cards = [card for card in cards if card.job.id in faces]
    ids = [card.job.id for card in cards]
    found = await library.found_among(ids, search) if search else set(ids)
    return [
        event(card_fragment(card, faces[card.job.id], card.job.id in found, search.trash), card.job.changed_at)
        for card in cards
    ]


async def anew(sheet: Sheet, moment: datetime) -> bytes:
    """A sheet's cards anew, whose latest change was at that moment."""
    return event(await sheet_fragment(sheet), moment)


def event(html: str, moment: datetime | None = None) -> bytes:
    """One event, as the HTML standard's section on server-sent events has it; its id is the moment of the change."""
    event_id = f"id: {moment.isoformat()}\n" if moment else ""
    lines = "".join(f"data: {line}\n" for line in html.splitlines())
    return f"{event_id}{lines}\n".encode()
