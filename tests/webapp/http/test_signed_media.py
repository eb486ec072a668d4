"""With people, a file is read by a signed address without a key, as it is, and nothing else is."""

import httpx
import pytest

from tasks.accounts import signed_addresses
from tests import factories


@pytest.fixture
async def address() -> str:
    """Return the signed address of a file. There are people."""
    await factories.person()
    key = f"{(await factories.completed()).id}.png"
    return f"/media/{key}{(await signed_addresses.signer())(key)}"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_a_signed_address_needs_no_key(web: httpx.AsyncClient, address: str, method: str) -> None:
    assert (await web.request(method, address)).status_code == 200
    assert (await web.request(method, address.partition("?")[0])).status_code == 401


async def test_whatever_differs_needs_one(web: httpx.AsyncClient, address: str) -> None:
    other = f"{(await factories.completed()).id}.png"
    path, _, query = address.partition("?")
    expires, signature = query.split("&")
    for refused in (
        f"/media/{other}?{query}", f"{address}&download", f"{path}?download&{query}", f"{path}?{expires}",
        f"{path}?{signature}", f"{path}?expires=9999999999&{signature}", f"/jobs.json?{query}",
    ):  # fmt: skip
        assert (await web.get(refused)).status_code == 401, refused


async def test_a_key_that_does_not_work_is_refused_nevertheless(web: httpx.AsyncClient, address: str) -> None:
    answer = await web.get(address, headers={"Authorization": "Bearer dk_nonsense"})
    assert answer.status_code == 401
