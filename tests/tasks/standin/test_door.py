"""Which requests the stand-in answers: those to one of its host names, and a test's orders if control is enabled."""

from collections.abc import Callable

import pytest
from httpx import Client

pytestmark = pytest.mark.once

CONTROL = [("GET", "faults"), ("POST", "faults"), ("DELETE", "faults"), ("GET", "ledger"), ("POST", "pace")]


@pytest.mark.parametrize("path", ["/v1/account", "/v1/predictions", "/_standin/ledger", "/p/none", "/nothing"])
def test_whoever_calls_it_by_anothers_name_hears_nothing(client: Client, path: str) -> None:
    answer = client.get(path, headers={"Host": "evil.example"})
    assert (answer.status_code, answer.json()["status"]) == (421, 421)


def test_it_has_the_names_that_it_is_given(stand_in: Callable[..., Client]) -> None:
    client = stand_in(hosts={"standin"})
    assert client.get("/v1/account", headers={"Host": "standin:8010"}).status_code == 200
    assert client.get("/v1/account", headers={"Host": "localhost"}).status_code == 200


@pytest.mark.parametrize(("method", "what"), CONTROL)
def test_it_takes_no_orders_unless_a_test_wants_to_give_some(
    stand_in: Callable[..., Client], method: str, what: str
) -> None:
    assert stand_in(control=False).request(method, f"/_standin/{what}").status_code == 404
