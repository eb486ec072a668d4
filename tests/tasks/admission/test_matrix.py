"""Prompt matrices: which parts are alternatives and which are text, and the cells in their order."""

import gc
import json
from contextlib import suppress
from time import thread_time

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tasks.admission.matrix import Axis, Cell, Unreadable, expand, quoted, read, read_seeds, size

pytestmark = pytest.mark.once

SIGNS = st.text(alphabet=r"ab {|}\,", max_size=24)
PLAIN = st.text(alphabet="abc ", min_size=1, max_size=6)
SETTINGS = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
ALTERNATIVES = st.lists(PLAIN, min_size=2, max_size=4, unique=True)


def prompts(written: str) -> list[str]:
    return [cell.prompt for cell in expand(read(written), ["m/m"])[1]]


def test_alternatives_are_spread_out_the_first_ones_slowest() -> None:
    axes, cells = expand(read("{red|blue} fox in {snow|sand}"), ["m/m"])
    assert axes == [Axis("prompt", ("red", "blue")), Axis("prompt", ("snow", "sand"))]
    assert [cell.prompt for cell in cells] == [
        "red fox in snow", "red fox in sand", "blue fox in snow", "blue fox in sand",
    ]  # fmt: skip


def test_models_come_after_prompts_and_seeds_after_models() -> None:
    axes, cells = expand(read("a {b|c}"), ["m/one", "m/two"], [7, 8])
    assert [axis.name for axis in axes] == ["prompt", "model", "seed"]
    assert cells[:5] == [
        Cell("a b", "m/one", 7), Cell("a b", "m/one", 8), Cell("a b", "m/two", 7), Cell("a b", "m/two", 8),
        Cell("a c", "m/one", 7),
    ]  # fmt: skip


def test_what_has_one_value_is_no_axis() -> None:
    axes, cells = expand(read("a {b|b} fox"), ["m/m"], [7])
    assert axes == []
    assert cells == [Cell("a b fox", "m/m", 7)]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ('{"a": {"b": [1, 2]}}', ['{"a": {"b": [1, 2]}}']),
        ("a | b", ["a | b"]),
        ("a } b { c", ["a } b { c"]),
        (r"\{red\|blue\} fox", ["{red|blue} fox"]),
        (r"{a\|b|c\}}", ["a|b", "c}"]),
        (r"a \n b \\ c", [r"a \n b \\ c"]),
        ("{|very }old", ["old", "very old"]),
        ('{"colour": "{red|blue}"}', ['{"colour": "red"}', '{"colour": "blue"}']),
        ("{{a|b}}", ["{a}", "{b}"]),
        ("{ {a|b}", ["{ a", "{ b"]),
    ],
)
def test_only_braces_with_a_bar_in_them_are_alternatives(written: str, meant: list[str]) -> None:
    assert prompts(written) == meant


@pytest.mark.parametrize(
    ("written", "sentence"),
    [
        ("{a|{b|c}}", "cannot contain other braces"),
        ("{a {b} c|d}", "cannot contain other braces"),
        ("{a|b fox", "has no closing }"),
        ("{a|b {c", "has no closing }"),
    ],
)
def test_braces_within_alternatives_and_open_ones_are_told(written: str, sentence: str) -> None:
    with pytest.raises(Unreadable, match=sentence):
        read(written)


@SETTINGS
@given(SIGNS)
@example("{|}")
def test_whatever_is_quoted_means_itself(text: str) -> None:
    assert prompts(quoted(text)) == [text]


@SETTINGS
@given(st.recursive(st.none() | st.integers() | PLAIN, lambda inner: st.lists(inner) | st.dictionaries(PLAIN, inner)))
def test_json_without_bars_is_text(value: object) -> None:
    text = json.dumps(value)
    assert quoted(text) == text
    assert prompts(text) == [text]


@SETTINGS
@given(
    st.lists(PLAIN | ALTERNATIVES, max_size=4),
    st.lists(st.sampled_from(["a/a", "b/b", "c/c"]), min_size=1, unique=True),
    st.lists(st.integers(0, 9), max_size=3, unique=True),
)
def test_the_cells_are_every_combination_once_in_the_order_of_the_axes(
    pieces: list[str | list[str]], models: list[str], seeds: list[int]
) -> None:
    written = "".join(piece if isinstance(piece, str) else "{" + "|".join(piece) + "}" for piece in pieces)
    parts = read(written)
    axes, cells = expand(parts, models, seeds)
    assert len(cells) == size(parts, models, seeds)
    steps = 1
    for axis in reversed(axes):  # a cell's place alone determines its value of each axis
        for place, cell in enumerate(cells):
            value = axis.values[place // steps % len(axis.values)]
            assert value in (cell.model, cell.seed) if axis.name != "prompt" else str(value) in cell.prompt
        steps *= len(axis.values)
    assert steps == len(cells)
    assert [axis.name for axis in axes] == sorted((axis.name for axis in axes), key="prompt model seed".index)


def test_a_matrix_of_millions_is_counted_without_being_made() -> None:
    parts = read("{a|b}" * 64)
    assert size(parts, ["m/m"], 3) == 3 * 2**64


@pytest.mark.parametrize(
    ("text", "seeds"),
    [("3", 3), (" 3 Seeds", 3), ("1 seed", 1), ("1,2, 3", [1, 2, 3]), ("7,", [7]), ("4 5", [4, 5]), ("-1, 2", [-1, 2])],
)
def test_seeds_are_a_list_or_a_count(text: str, seeds: int | list[int]) -> None:
    assert read_seeds(text) == seeds


@pytest.mark.parametrize("text", ["three", "1, x", "1.5", "3 foxes", "²"])
def test_seeds_that_are_none_are_told(text: str) -> None:
    with pytest.raises(Unreadable):
        read_seeds(text)


@pytest.mark.parametrize("piece", ["{", "}", "{}", "{|", "{a|b}", "|", "\\", "\\{", "{a", "a|"])
def test_reading_takes_time_by_the_length(piece: str) -> None:
    def seconds(length: int) -> float:
        begun = thread_time()
        with suppress(Unreadable):
            read(piece * (length // len(piece)) + "}" * (length // 10))
        return thread_time() - begun

    gc.disable()  # otherwise the number of all other tests' objects is measured
    try:
        assert min(seconds(200_000) for _ in range(3)) < 60 * max(min(seconds(20_000) for _ in range(3)), 0.001)
    finally:
        gc.enable()
