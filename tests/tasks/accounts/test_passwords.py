"""Passwords are hashed by argon2id, and those that anyone would try first are refused."""

import asyncio
from threading import Lock

import pytest
from argon2 import PasswordHasher, Type, extract_parameters

from tasks.accounts import passwords
from tasks.accounts.passwords import COMMON, MAX_AT_ONCE, NOBODYS, Passwords
from tests.factories import HASHED, PASSWORD

pytestmark = pytest.mark.once


@pytest.fixture(autouse=True)
def empty() -> None:
    """Leave the tests' own database untouched: no test here uses it."""


async def test_a_password_fits_its_own_hash_alone() -> None:
    hashed = await Passwords().hashed(PASSWORD)
    assert PASSWORD not in hashed
    assert extract_parameters(hashed).type is Type.ID
    assert await Passwords().fits(PASSWORD, hashed)
    assert not await Passwords().fits(PASSWORD + " ", hashed)


async def test_a_hash_takes_memory_and_has_a_salt_of_its_own() -> None:
    one, other = [await Passwords().hashed(PASSWORD) for _ in range(2)]
    assert one != other
    assert extract_parameters(one).memory_cost >= 64 * 1024  # KiB


async def test_without_a_hash_nothing_fits_and_the_same_is_computed() -> None:
    assert extract_parameters(NOBODYS) == extract_parameters(PasswordHasher().hash(PASSWORD))
    assert not await Passwords().fits(PASSWORD, None)


@pytest.mark.parametrize("password", ["", "a\0b", "狐" * 100, "x" * 100_000])
async def test_any_text_may_be_tried(password: str) -> None:
    assert not await Passwords().fits(password, HASHED)


async def test_many_at_once_wait_for_their_turn() -> None:
    hasher, at_once, most, counting = Passwords(), 0, 0, Lock()
    real = hasher._verify

    def verify(password: str, hashed: str) -> bool:
        nonlocal at_once, most
        with counting:
            at_once += 1
            most = max(most, at_once)
        fits = real(password, hashed)
        with counting:
            at_once -= 1
        return fits

    hasher._verify = verify  # type: ignore[method-assign]
    assert all(await asyncio.gather(*(hasher.fits(PASSWORD, HASHED) for _ in range(5 * MAX_AT_ONCE))))
    assert 1 <= most <= MAX_AT_ONCE


@pytest.mark.parametrize(
    "password", [PASSWORD, "x7$kQ!02mmZp", "пароль длинный", "correct horse\0battery", "狐" * 4 + "in the snow"]
)
def test_a_long_password_is_accepted(password: str) -> None:
    assert passwords.fault(password) is None


@pytest.mark.parametrize(
    ("password", "words"),
    [
        ("", "at least 12"),
        ("elevenchars", "at least 12"),
        ("x7$kQ!02mm" * 26, "up to 256"),
        (" " * 12, "first that anyone would try"),
        ("aaaaaaaaaaaa", "first that anyone would try"),
        ("abababababab", "first that anyone would try"),
    ],
)
def test_a_password_that_is_too_easy_is_refused_with_a_reason(password: str, words: str) -> None:
    assert words in (passwords.fault(password) or "")


def test_the_common_ones_are_refused_however_they_are_written() -> None:
    common = [line for line in COMMON.read_text().split() if len(line) >= passwords.MIN_LENGTH]
    assert len(common) > 50
    for password in common:
        assert passwords.fault(password)
        assert passwords.fault(password.title())
