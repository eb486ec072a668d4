"""The stand-in takes a test's orders only if control is enabled."""

from collections.abc import Callable

import pytest
from httpx import Client

pytestmark = pytest.mark.once

CONTROL = [("GET", "faults"), ("POST", "faults"), ("DELETE", "faults"), ("GET", "ledger"), ("POST", "pace")]


@pytest.mark.parametrize(("method", "what"), CONTROL)
def test_it_takes_no_orders_unless_a_test_wants_to_give_some(
    stand_in: Callable[..., Client], method: str, what: str
) -> None:
    assert stand_in(control=False).request(method, f"/_standin/{what}").status_code == 404
