"""Searches saved under a name."""

import pytest

from tasks import searches
from tasks.admission import Rejected
from tasks.search import Search, parse
from tasks.sorting import Sort
from tasks.tables import new_id


async def test_a_search_is_kept_under_its_name_and_forgotten() -> None:
    await searches.save("  Red   foxes ", parse('FOX -"red fox" fav:yes'))
    await searches.save("Failed", parse("status:failed"))
    failed, foxes = await searches.saved()
    assert (foxes.name, foxes.query) == ("Red foxes", 'FOX -"red fox" fav:yes')
    await searches.forget(failed.id)
    await searches.forget(new_id())
    assert [search.name for search in await searches.saved()] == ["Red foxes"]


async def test_a_name_that_is_taken_gets_the_new_search() -> None:
    await searches.save("Foxes", parse("fox"))
    await searches.save("Foxes", parse("fox snow"), Sort.OLDEST)
    [search] = await searches.saved()
    assert (search.query, search.sort) == ("fox snow", "oldest")


@pytest.mark.parametrize(("name", "search"), [(" ", parse("fox")), ("x" * 101, parse("fox")), ("x", Search())])
async def test_what_cannot_be_kept_is_refused(name: str, search: Search) -> None:
    with pytest.raises(Rejected):
        await searches.save(name, search)
    assert await searches.saved() == []
