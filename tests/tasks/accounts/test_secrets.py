"""Keys carry their own check, so that a typo is noticed before the database is asked."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.accounts import secrets
from tasks.accounts.secrets import BASE62

pytestmark = pytest.mark.once


def test_a_key_is_dk_and_thirty_eight_letters_and_digits_and_never_the_same() -> None:
    keys = {secrets.new_key() for _ in range(100)}
    assert len(keys) == 100
    assert all(re.fullmatch("dk_[0-9A-Za-z]{38}", key) and secrets.is_key(key) for key in keys)


@given(st.integers(3, 40), st.sampled_from(BASE62))
def test_one_other_character_is_noticed(place: int, other: str) -> None:
    key = "dk_" + "Zz09" * 8
    key += secrets._check(key[3:])
    assert secrets.is_key(key)
    mistyped = key[:place] + other + key[place + 1 :]
    assert secrets.is_key(mistyped) == (mistyped == key)


@pytest.mark.parametrize("cut", [1, 6, 30, 41])
def test_a_truncated_key_is_noticed(cut: int) -> None:
    assert not secrets.is_key(secrets.new_key()[:-cut])


@pytest.mark.parametrize(
    "text", ["", "dk_", "r8_" + "a" * 38, "dk_" + "ä" * 38, "dk_" + "a" * 37 + "é", "dk_" + "-" * 38]
)
def test_what_is_no_key_is_none(text: str) -> None:
    assert not secrets.is_key(text)
