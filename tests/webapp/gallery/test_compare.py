"""Comparing prints: differences are marked, equal values are folded, and a wrong address gets a friendly answer."""

import re

import httpx
import pytest

from tasks.db.tables import Job
from tasks.jobs import lifecycle
from tasks.library.cards import Card
from tests.factories import completed, submitted
from webapp.gallery.diff import Row, marked, rows


def address(*jobs: Job) -> str:
    return "/compare?" + "&".join(f"job={job.id}" for job in jobs)


async def test_the_words_that_differ_are_marked_in_both_prompts(web: httpx.AsyncClient) -> None:
    page = await web.get(address(await submitted("a red fox in snow"), await submitted("a blue fox in deep snow")))
    assert page.status_code == 200
    assert re.findall("<mark>(.*?)</mark>", page.text) == ["red", "blue", "deep"]


async def test_only_settings_that_differ_are_in_the_table_and_the_others_are_folded(web: httpx.AsyncClient) -> None:
    one = await submitted("a fox", {"width": 512, "height": 768, "seed": 7})
    two = await submitted("a fox", {"width": 512, "height": 1024, "refine": "no"})
    page = (await web.get(address(one, two))).text
    table, folded = page.split('<details class="sameness"')
    assert re.findall(r'<th scope="row">(.*?)</th>', table) == ["height", "seed", "refine"]
    assert re.findall("<mark>(.*?)</mark>", table) == ["1024", "no"]
    assert "Identical (3)" in folded
    assert "<dt>width</dt>" in folded


async def test_they_stand_in_the_order_of_the_address_and_each_once(web: httpx.AsyncClient) -> None:
    one, two, three = [await submitted(f"fox {number}") for number in range(3)]
    page = (await web.get(address(two, one, two, three))).text
    assert re.findall(r'<figcaption.*?href="/jobs/([0-9a-f-]+)"', page) == [str(job.id) for job in (two, one, three)]


async def test_pictures_can_be_laid_over_one_another_where_all_are_pictures(web: httpx.AsyncClient) -> None:
    one, two = await completed("a fox"), await completed("a hare")
    waiting = await submitted("an owl")
    assert 'id="mode-slider"' in (await web.get(address(one, two))).text
    assert 'id="mode-flip"' not in (await web.get(address(one, waiting))).text


@pytest.mark.parametrize("count", [0, 1, 5])
async def test_a_wrong_number_of_prints_is_told_kindly(web: httpx.AsyncClient, count: int) -> None:
    page = await web.get(address(*[await submitted("a fox") for _ in range(count)]))
    assert page.status_code == 422
    assert "Select two to four prints" in page.text


@pytest.mark.parametrize("other", ["nonsense", "00000000-0000-7000-8000-000000000000"])
async def test_a_print_that_is_not_there_is_told_kindly(web: httpx.AsyncClient, other: str) -> None:
    page = await web.get(f"{address(await submitted('a fox'))}&job={other}")
    assert page.status_code == 404
    assert "does not exist or was deleted" in page.text


async def test_a_deleted_print_is_not_compared(web: httpx.AsyncClient) -> None:
    gone, kept = await completed(), await completed()
    await lifecycle.delete(gone.id)
    assert (await web.get(address(gone, kept))).status_code == 404


@pytest.mark.parametrize(
    ("text", "others", "pieces"),
    [
        ("a fox", ["a fox"], [("a fox", False)]),
        ("a red fox", ["a blue fox"], [("a ", False), ("red", True), (" fox", False)]),
        ("a very old fox", ["a fox"], [("a ", False), ("very old", True), (" fox", False)]),
        ("fox, snow", ["fox snow"], [("fox", False), (",", True), (" snow", False)]),
        ("fox hare owl", ["fox hare", "fox owl"], [("fox ", False), ("hare owl", True)]),
        ("", ["a fox"], []),
        ("a\n\nfox", ["a fox"], [("a\n\nfox", False)]),
    ],
)
def test_marks_of_words(text: str, others: list[str], pieces: list[tuple[str, bool]]) -> None:
    assert marked(text, others) == pieces


def test_settings_are_told_in_words() -> None:
    one = Card(Job(model="owner/name", parameters='{"go_fast": true, "seed": 5}', seed=5), [])
    two = Card(Job(model="owner/name", parameters='{"go_fast": false}', seed=9), [])
    assert rows([one, two]) == [
        Row("model", ("owner/name", "owner/name")),
        Row("go fast", ("on", "off")),
        Row("seed", ("5", "9")),
    ]


def test_of_long_texts_what_is_between_their_common_beginning_and_end_is_marked() -> None:
    other, text = (f"the begin {' '.join(sign * 3000)} the end" for sign in ("x", "y"))
    assert [(piece[:4], odd) for piece, odd in marked(text, [other])] == [
        ("the ", False),
        ("y y ", True),
        (" the", False),
    ]


def test_as_many_words_as_can_be_are_told_to_be_the_same() -> None:
    assert marked("a b c a b d", ["b c a b a"]) == [("a", True), (" b c a b ", False), ("d", True)]
    assert marked("one two", ["two one"]) == [("one ", False), ("two", True)]
