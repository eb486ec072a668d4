"""A signature lets everyone read one file for a while, and nothing else."""

import asyncio

import pytest

from tasks.accounts import signed_addresses
from tasks.accounts.signed_addresses import VALID_SECONDS
from tasks.db.account_tables import SigningKey

KEY, OTHER = "019ab0c4-5d1e-7b36-9533-e50ac26d7632.png", "019ab0c4-5d1e-7b36-9533-e50ac26d7633.png"
NOON = 1_796_040_000.0  # begins an hour


async def query(key: str = KEY, at: float = NOON) -> list[str]:
    """Return what the query of a file says: when it expires, and the signature."""
    signed = (await signed_addresses.signer(lambda: at))(key)
    return [part.partition("=")[2] for part in signed.removeprefix("?").split("&")]


async def valid(key: str, expires: str, signature: str, at: float = NOON) -> bool:
    return await signed_addresses.is_valid(key, expires, signature, lambda: at)


async def test_an_address_is_valid_for_an_hour_or_two_and_the_same_meanwhile() -> None:
    expires, signature = await query()
    assert await query(at=NOON + VALID_SECONDS - 1) == [expires, signature]
    assert await query(at=NOON + VALID_SECONDS) != [expires, signature]
    assert await valid(KEY, expires, signature, NOON + 2 * VALID_SECONDS - 1)
    assert not await valid(KEY, expires, signature, NOON + 2 * VALID_SECONDS)


async def test_it_is_of_one_file_and_one_time() -> None:
    expires, signature = await query()
    assert not await valid(OTHER, expires, signature)
    assert not await valid(KEY, str(int(expires) + 1), signature)
    assert not await valid(KEY, expires, signature[:-1] + ("A" if signature[-1] != "A" else "B"))


@pytest.mark.parametrize("expires", ["", "x", "-1", "٣", "9" * 5000, "1e9"])
@pytest.mark.parametrize("signature", ["", "ü", "\udcff"])
async def test_nonsense_is_not_valid(expires: str, signature: str) -> None:
    assert not await valid(KEY, expires, signature)
    assert not await valid(KEY, (await query())[0], signature)


async def test_all_processes_sign_with_one_key_and_nothing_is_valid_without_it() -> None:
    signed = await asyncio.gather(*(query() for _ in range(5)))
    assert len({signature for _, signature in signed}) == 1
    await SigningKey.delete(force=True)
    expires, signature = signed[0]
    assert not await valid(KEY, expires, signature)
