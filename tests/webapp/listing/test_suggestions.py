"""Suggestions while one types in the search box: what the last piece may mean."""

from collections.abc import Sequence
from uuid import UUID

import httpx
import pytest

from tasks.curation import collections, saved_searches
from tasks.db import ids
from tasks.db.tables import CollectionItem, Job
from tasks.library.paging import Sort
from tasks.library.query import parse
from tests.webapp.listing.test_filter_panel import made
from webapp.listing.suggestions import MAX_SUGGESTIONS, suggestions


@pytest.fixture
async def library(empty: None) -> None:
    await made("black-forest-labs/flux-schnell", ("cat", "far away"), kind="image", status="completed", rating=5)
    await made("black-forest-labs/flux-pro", ("cat", "moody"), kind="image", status="completed", favorite=True)
    await made("meta/musicgen", kind="audio", status="failed")
    wall = await collections.create("For the Wall")
    row = await Job.select(Job.id).first()
    assert row is not None
    held: UUID = row["id"]
    await CollectionItem.insert(CollectionItem(id=ids.new(), collection=wall.id, job=held))
    await saved_searches.save("My walruses", parse("walrus fav:yes"), Sort.OLDEST)


async def texts(text: str) -> Sequence[str]:
    return [suggestion.text for suggestion in await suggestions(text)]


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("mo", ["model:", "tag:moody "]),
        ("a fox -mo", ["a fox -model:", "a fox -tag:moody "]),
        ("flux", ["model:flux-pro ", "model:flux-schnell "]),
        ("pict", ["kind:image "]),
        ("fail", ["status:failed "]),
        ("away", ['tag:"far away" ']),
        ("wal", ['collection:"For the Wall" ', "walrus fav:yes"]),
        ("-wal", ['-collection:"For the Wall" ']),
        ("x model:fl", ["x model:flux-pro ", "x model:flux-schnell "]),
        ("tag:", ["tag:cat ", 'tag:"far away" ', "tag:moody "]),
        ("tag:cat,m", ["tag:cat,moody "]),
        ("tag:cat,", ['tag:"cat,far away" ', "tag:cat,moody "]),
        ('tag:"far a', ['tag:"far away" ']),
        ('tag:"cat,far a', ['tag:"cat,far away" ']),
        ("-TAG:CA", ["-tag:cat "]),
        ("rating:4", ["rating:>=4 "]),
        ("is:", ["is:favorite "]),
        ("in:", ["in:trash "]),
        ("status:fa", ["status:failed "]),
        ("tag:cat", []),
        ("kind:video", []),
        ("m", []),
        ("", []),
        ("fox ", []),
        ('"a phrase" ', []),
        ("nothing:", []),
        ("moody,", []),
        ("by:", []),
    ],
)
async def test_the_end_of_a_text_is_completed(library: None, typed: str, expected: list[str]) -> None:
    assert await texts(typed) == expected


async def test_dates_are_suggested_newest_first(library: None) -> None:
    found = await suggestions("on:20")
    assert [len(suggestion.words) for suggestion in found] == [len("on:2026"), len("on:2026-09")]
    assert [suggestion.number for suggestion in found] == ["3", "3"]


async def test_numbers_say_how_many_prints_have_a_value(library: None) -> None:
    found = await suggestions("tag:")
    assert [suggestion.number for suggestion in found] == ["2", "1", "1"]


async def test_there_are_never_more_than_fit(web: httpx.AsyncClient) -> None:
    await made(tags=tuple(f"tag {number}" for number in range(20)))
    await saved_searches.save("Tags", parse("tag:x"))
    for typed in ("tag", "tag:"):
        assert len(await texts(typed)) == MAX_SUGGESTIONS
    assert (await texts("tag"))[-1] == "tag:x", "a saved search has its place"


async def test_they_are_options_of_the_list(web: httpx.AsyncClient, library: None) -> None:
    answer = await web.get("/searches/suggestions", params={"q": 'tag:"far'})
    assert 'role="option" aria-selected="false" data-text="tag:&#34;far away&#34; "' in answer.text
    answer = await web.get("/searches/suggestions", params={"q": "walr"})
    assert 'data-text="walrus fav:yes" data-sort="oldest"' in answer.text
    assert (await web.get("/searches/suggestions", params={"q": '"' * 10_000})).status_code == 200
