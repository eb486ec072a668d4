"""The first page of the gallery, for tests."""

from tasks.library import cards
from tasks.library.cards import Card
from tasks.library.paging import Sort
from tasks.library.query import Search


async def newest(count: int) -> list[Card]:
    card_list, _ = await cards.page(Search(), Sort.NEWEST, None, count)
    return card_list
