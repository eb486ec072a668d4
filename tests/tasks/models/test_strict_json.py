"""JSON from others is read within limits, each of which is reported."""

import pytest

from tasks.models.strict_json import MAX_COMMAS, MAX_DEPTH, MAX_VALUES, Malformed, decode, is_text


@pytest.mark.parametrize(
    "text", ["[" * MAX_DEPTH + "]" * MAX_DEPTH, "[0" + ",0" * (MAX_VALUES - 2) + "]", b'{"a": [1e9, null]}']
)
def test_what_is_within_the_limits_is_read(text: str | bytes) -> None:
    decode(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[" * (MAX_DEPTH + 2) + "]" * (MAX_DEPTH + 2), "levels deep"),
        ('{"a":' * (MAX_DEPTH + 1) + "0" + "}" * (MAX_DEPTH + 1), "levels deep"),
        ("[" * 100_000, "too deeply"),
        ("[0" + ",0" * MAX_VALUES + "]", "more than 10,000 values"),
        ("[0" + ",0" * MAX_COMMAS * 2 + "]", "more than 10,000 values"),
        ("nonsense", "malformed"),
        ("", "truncated"),
        (b'"\xff"', "utf-8"),
        ('"\ud800"', "surrogates"),
        ("1e999", "range"),
    ],
)
def test_what_is_beyond_them_is_told(text: str | bytes, said: str) -> None:
    with pytest.raises(Malformed, match=said):
        decode(text)


def test_text_has_no_nul_and_no_half_of_a_surrogate_pair() -> None:
    assert is_text("a fox \N{FOX FACE}")
    assert not is_text("a\0fox")
    assert not is_text("a \ud800 fox")
