"""Calls are repeated where that may help, and with pauses that the server asks for."""

import httpx
import pytest

from tests.webapp.client.conftest import Pauses, answering
from webapp.client.connection import MAX_TRIES, Connection
from webapp.client.exceptions import NotDarkroom, QueueFull, Refused, Unavailable, Unreachable
from webapp.client.shapes import ModelList

pytestmark = pytest.mark.once

GOOD = httpx.Response(200, json={"models": []})
CUT = httpx.ReadError("The connection was cut.")


def problem(status: int, code: str, retry_after: str | None = None) -> httpx.Response:
    body = {"type": f"/errors/{code}", "title": "A title", "status": status, "detail": "A sentence.", "code": code}
    headers = {"Content-Type": "application/problem+json"} | ({"Retry-After": retry_after} if retry_after else {})
    return httpx.Response(status, headers=headers, json=body)


def asked(pauses: Pauses, *answers: httpx.Response | Exception) -> ModelList:
    connection = Connection("http://there", None, answering(*answers), sleep=pauses, chance=lambda: 1.0)
    return connection.get("/models", ModelList)


@pytest.mark.parametrize("fault", [CUT, httpx.ConnectTimeout("late"), httpx.Response(502, html="<h1>Bad Gateway</h1>")])
def test_a_failure_that_may_pass_is_waited_out_longer_each_time(
    fault: httpx.Response | Exception, pauses: Pauses
) -> None:
    assert asked(pauses, fault, fault, fault, GOOD).models == []
    assert pauses == [1.0, 2.0, 4.0]


def test_one_that_does_not_pass_is_told_in_the_end(pauses: Pauses) -> None:
    with pytest.raises(Unreachable, match=r"http://there cannot be reached: The connection was cut\."):
        asked(pauses, CUT)
    assert len(pauses) == MAX_TRIES - 1


def test_retry_after_is_obeyed_and_clients_do_not_come_back_together(pauses: Pauses) -> None:
    full = problem(429, "queue_full", "8")
    assert asked(pauses, full, problem(503, "database_unavailable", "2"), GOOD).models == []
    assert pauses == [10.0, 2.5]


def test_a_pause_that_is_too_long_is_left_to_the_caller(pauses: Pauses) -> None:
    with pytest.raises(QueueFull) as caught:
        asked(pauses, problem(429, "queue_full", "60"), GOOD)
    assert (caught.value.retry_after, pauses) == (60, [])


@pytest.mark.parametrize(("status", "code"), [(422, "invalid_prompt"), (503, "provider_auth")])
def test_what_will_not_pass_is_not_repeated(status: int, code: str, pauses: Pauses) -> None:
    with pytest.raises(Refused) as caught:
        asked(pauses, problem(status, code), GOOD)
    assert (caught.value.code, str(caught.value), pauses) == (code, "A sentence.", [])
    assert isinstance(caught.value, Unavailable) == (status == 503)


@pytest.mark.parametrize(
    "other",
    [
        httpx.Response(200, html="<h1>It works!</h1>"),
        httpx.Response(200, json={"error": "no"}),
        httpx.Response(302, headers={"Location": "/login"}),
        httpx.Response(404, json={}),
    ],
)
def test_what_is_no_darkroom_is_told_at_once(other: httpx.Response, pauses: Pauses) -> None:
    with pytest.raises(NotDarkroom, match="does not respond as Darkroom does"):
        asked(pauses, other, GOOD)
    assert pauses == []


@pytest.mark.parametrize(
    "url", ["", "127.0.0.1:8000", "ftp://there", "http://", "http://there/path", "http://there?q", "http://[::"]
)
def test_an_address_that_is_no_servers_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="is not the address of a server"):
        Connection(url)


def test_a_key_that_cannot_be_sent_is_refused_without_being_shown() -> None:
    with pytest.raises(ValueError, match="The key is not a key of Darkroom") as caught:
        Connection("http://there", "dk_secret\n")
    assert "secret" not in str(caught.value)
