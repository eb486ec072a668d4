"""The first page of the gallery, for tests."""

from tasks import library
from tasks.library import Card
from tasks.search import Search
from tasks.sorting import Sort


async def newest(count: int) -> list[Card]:
    cards, _ = await library.page(Search(), Sort.NEWEST, None, count)
    return cards
