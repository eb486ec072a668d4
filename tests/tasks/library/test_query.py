"""What the search box accepts."""

from datetime import UTC, datetime

import pytest

from tasks.library.query import Search, Term, Unclear, moment_after, parse, rating_range

pytestmark = pytest.mark.once


def test_words_are_looked_for_one_by_one_and_phrases_whole() -> None:
    assert parse('fox "in the snow" -dog').terms == (
        Term("", ("fox",)),
        Term("", ("in the snow",), phrase=True),
        Term("", ("dog",), negated=True),
    )


def test_fields_have_values_quoted_ones_and_several() -> None:
    assert parse('model:flux status:failed,canceled -collection:"for the wall" TAG:cat').terms == (
        Term("model", ("flux",)),
        Term("status", ("failed", "canceled")),
        Term("collection", ("for the wall",), negated=True),
        Term("tag", ("cat",)),
    )


def test_favorites_may_be_asked_for_in_both_ways() -> None:
    assert parse("is:favorite -is:favourite fav:yes").terms == (
        Term("fav", ("yes",)),
        Term("fav", ("yes",), negated=True),
    )


@pytest.mark.parametrize(
    "text", ["fox", '"in the snow"', "-dog", 'collection:"for the wall"', "status:failed,canceled", "rating:>=4 fox"]
)
def test_a_search_written_out_reads_as_it_was(text: str) -> None:
    assert str(parse(text)) == text
    assert parse(str(parse(text))) == parse(text)


@pytest.mark.parametrize("text", ["", "   ", "!? - --", '""', "-"])
def test_what_says_nothing_finds_everything(text: str) -> None:
    assert parse(text) == Search()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("modle:flux", 'no field "modle"'),
        ("16:9 http://example.org", 'no field "http"'),
        ("status:done", "one of queued, running, completed, failed, canceled"),
        ("before:yesterday", "a year, month or day"),
        ("on:2026-13", "a year, month or day"),
        ("after:9999", "a year, month or day"),
        ("rating:6", "0 to 5 stars"),
        ("seed:none", "a whole number"),
        ("seed:99999999999999999999", "a whole number"),
        ("batch:1", "the id of a batch"),
        ("fav:maybe", "yes or no"),
        ("is:nice", '"is:" must be favorite'),
        ("tag:", '"tag:" needs a value'),
        ("x" * 501, "the maximum is 500"),
        ("nul\x00", "invalid character"),
    ],
)
def test_what_cannot_be_understood_is_explained(text: str, words: str) -> None:
    with pytest.raises(Unclear) as unclear:
        parse(text)
    assert words in str(unclear.value)


def test_every_fault_is_told_at_once() -> None:
    with pytest.raises(Unclear) as unclear:
        parse("modle:flux seed:none fox")
    assert len(unclear.value.faults) == 2


def test_a_term_can_be_taken_out() -> None:
    search = parse("fox tag:cat -dog")
    assert str(search.without(search.terms[1])) == "fox -dog"


@pytest.mark.parametrize(
    ("date", "after"),
    [
        ("2026", (2027, 1, 1)), ("2026-09", (2026, 10, 1)), ("2026-12", (2027, 1, 1)), ("2026-2-28", (2026, 3, 1)),
        ("2024-02-28", (2024, 2, 29)), ("2026-12-31", (2027, 1, 1)),
    ],
)  # fmt: skip
def test_years_months_and_days_end_where_the_next_one_begins(date: str, after: tuple[int, int, int]) -> None:
    assert moment_after(date) == datetime(*after, tzinfo=UTC)


def test_ratings_are_a_number_or_all_above_or_below_it() -> None:
    assert [*rating_range(">=4")] == [4, 5]
    assert [*rating_range("<2")] == [0, 1]
    assert [*rating_range("3")] == [3]
    assert not rating_range(">5")
