"""Searches saved under a name."""

import pytest

from tasks.curation import saved_searches
from tasks.db import ids
from tasks.errors import Rejected
from tasks.library.paging import Sort
from tasks.library.query import Search, parse


async def test_a_search_is_kept_under_its_name_and_forgotten() -> None:
    await saved_searches.save("  Red   foxes ", parse('FOX -"red fox" fav:yes'))
    await saved_searches.save("Failed", parse("status:failed"))
    failed, foxes = await saved_searches.saved()
    assert (foxes.name, foxes.query) == ("Red foxes", 'FOX -"red fox" fav:yes')
    await saved_searches.forget(failed.id)
    await saved_searches.forget(ids.new())
    assert [search.name for search in await saved_searches.saved()] == ["Red foxes"]


async def test_a_name_that_is_taken_gets_the_new_search() -> None:
    await saved_searches.save("Foxes", parse("fox"))
    await saved_searches.save("Foxes", parse("fox snow"), Sort.OLDEST)
    [search] = await saved_searches.saved()
    assert (search.query, search.sort) == ("fox snow", "oldest")


@pytest.mark.parametrize(("name", "search"), [(" ", parse("fox")), ("x" * 101, parse("fox")), ("x", Search())])
async def test_what_cannot_be_kept_is_refused(name: str, search: Search) -> None:
    with pytest.raises(Rejected):
        await saved_searches.save(name, search)
    assert await saved_searches.saved() == []
