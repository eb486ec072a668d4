"""The faults that a test can request of the stand-in."""

import logging
import time
from collections.abc import Callable
from typing import Any

import httpx
import msgspec
import pytest

from tasks.standin.faults import Faults, Met, Rule
from tasks.standin.predictions import SECOND
from tests.tasks.standin.conftest import FLUX, Client
from tests.waiting import wait_until

CREATE = {"version": FLUX, "input": {"prompt": "a sea", "megapixels": "0.25"}}


@pytest.fixture
def picture(client: Client) -> str:
    """Return the URL of a finished picture."""
    return str(client.finished(client.create(**CREATE["input"]))["output"][0])  # type: ignore[arg-type]


def test_a_lost_answer_leaves_a_prediction_behind(client: Client) -> None:
    client.script({"on": "create", "do": "drop_answer"})
    with pytest.raises(httpx.RemoteProtocolError):
        client.post("/v1/predictions", json=CREATE)
    assert [row["input"] for row in client.ledger()] == [CREATE["input"]]


@pytest.mark.parametrize("rule", [{"do": "reset"}, {"do": "hang", "seconds": 0.05}])
def test_a_reset_or_hanging_create_leaves_none(client: Client, rule: dict[str, Any]) -> None:
    client.script({"on": "create", **rule})
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        client.post("/v1/predictions", json=CREATE)
    assert client.ledger() == []


def test_a_hanging_answer_comes_too_late_for_a_client_that_gives_up(client: Client) -> None:
    client.script({"on": "create", "do": "hang_answer", "seconds": 0.4})
    with pytest.raises(httpx.ReadTimeout):
        client.post("/v1/predictions", json=CREATE, timeout=0.2)
    assert len(client.ledger()) == 1


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, {"detail": "Internal server error", "status": 500}),
        (401, {"title": "Unauthenticated", "detail": "You did not pass a valid authentication token", "status": 401}),
        (429, {"detail": "Request was throttled. Your rate limit resets in ~7s.", "status": 429, "retry_after": 7}),
    ],
)
def test_statuses_have_replicates_bodies(client: Client, status: int, body: dict[str, Any]) -> None:
    client.script({"on": "create", "do": "status", "status": status, "retry_after": 7, "headers": {"x-told": "yes"}})
    answer = client.post("/v1/predictions", json=CREATE)
    assert (answer.status_code, answer.json(), answer.headers["x-told"]) == (status, body, "yes")
    assert answer.headers["content-type"] == "application/problem+json"
    assert client.ledger() == []


def test_a_denied_create_leaves_a_prediction_behind_that_is_listed_late(stand_in: Callable[..., Client]) -> None:
    moment = 1_749_452_554_263_000_000
    client = stand_in(clock=lambda: moment)
    client.script({"on": "create", "do": "deny", "status": 503, "unlisted": 0.3})
    answer = client.post("/v1/predictions", json=CREATE)
    assert (answer.status_code, answer.json()["detail"]) == (503, "Internal server error")
    assert len(client.ledger()) == 1
    assert client.get("/v1/predictions").json()["results"] == []
    moment += SECOND
    assert len(client.get("/v1/predictions").json()["results"]) == 1


def test_a_prediction_whose_answer_was_lost_can_take_long(client: Client) -> None:
    client.script({"on": "create", "do": "deny", "status": 500, "running": 900})
    client.post("/v1/predictions", json=CREATE)
    [made] = client.ledger()
    wait_until(lambda: client.read(made)["status"] == "processing")


def test_the_log_tells_at_debug_which_request_met_which_rule(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "tasks.standin.faults")
    client.script({"on": "create", "do": "deny", "status": 503, "match": "a sea"})
    client.post("/v1/predictions", json=CREATE)
    client.post("/v1/predictions", json=CREATE)
    [told] = [record.getMessage().removeprefix("met ") for record in caplog.records]
    met = msgspec.json.decode(told, type=Met)
    assert (met.on, met.rule.do, met.rule.status, met.rule.match) == ("create", "deny", 503, "a sea")
    assert '"prompt":"a sea"' in met.subject
    assert abs(met.at - time.time()) < 10


def test_an_outage_lasts_as_long_as_it_is_said_to_on_every_route_of_the_api(client: Client, picture: str) -> None:
    client.script({"on": "any", "do": "html502", "lasting": 3})
    assert {client.get(path).status_code for path in ("/v1/account", "/v1/predictions", "/v1/hardware")} == {502}
    assert client.post("/v1/predictions", json=CREATE).status_code == 502
    assert client.get(picture).status_code == 200
    deadline = time.monotonic() + 10
    while client.get("/v1/account").status_code != 200:
        assert time.monotonic() < deadline
    assert client.get("/_standin/faults").json() == []


def test_a_rule_may_be_over_before_it_was_met() -> None:
    moment = 0.0
    faults = Faults(lambda: moment)
    faults.add([Rule("create", "reset", times=2, within=5)])
    assert faults.take("create", "") is not None
    moment = 4.9
    assert len(faults.rules) == 1
    moment = 5.0
    assert faults.take("create", "") is None


def test_a_402_says_that_credit_is_needed(client: Client) -> None:
    client.script({"on": "create", "do": "status", "status": 402})
    assert client.post("/v1/predictions", json=CREATE).json()["title"] == "Insufficient credit"


def test_a_status_can_have_any_body(client: Client) -> None:
    client.script({"on": "get", "do": "status", "status": 418, "body": {"detail": "short and stout"}})
    assert client.read({"id": client.create(prompt="x")["id"]}) == {"detail": "short and stout"}


def test_a_502_is_cloudflares_page(client: Client) -> None:
    client.script({"on": "list", "do": "html502"})
    answer = client.get("/v1/predictions")
    assert (answer.status_code, answer.headers["content-type"]) == (502, "text/html; charset=utf-8")


def test_a_file_can_break_off(client: Client, picture: str) -> None:
    client.script({"on": "file", "do": "truncate"}, {"on": "file", "do": "stall", "seconds": 0.05})
    for _ in range(2):
        with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
            client.get(picture)
    assert client.get(picture).status_code == 200


def test_a_prediction_can_fail_take_long_or_give_anything(client: Client) -> None:
    client.script(
        {"on": "create", "do": "fail_prediction", "error": "Prediction interrupted; please retry (code: PA)"},
        {"on": "create", "do": "fail_prediction", "error": None},
        {"on": "create", "do": "output", "output": {"text": "hello", "nothing": None}},
        {"on": "create", "do": "boot", "seconds": 900},
        {"on": "create", "do": "run", "seconds": 900},
    )
    made = [client.create(prompt="a sea") for _ in range(5)]
    done = [client.finished(shown) for shown in made[:3]]
    assert [shown["status"] for shown in done] == ["failed", "failed", "succeeded"]
    assert [shown["error"] for shown in done[:2]] == ["Prediction interrupted; please retry (code: PA)", None]
    assert done[2]["output"] == {"text": "hello", "nothing": None}
    assert client.read(made[3])["status"] == "starting"
    assert client.read(made[4])["status"] in ("starting", "processing")


def test_rules_hold_for_their_prompts_and_as_often_as_they_say(client: Client) -> None:
    client.script({"on": "create", "match": "storm", "times": 2, "do": "status", "status": 503})
    statuses = [
        client.post("/v1/predictions", json={"version": FLUX, "input": {"prompt": prompt}}).status_code
        for prompt in ("a calm", "a storm", "a calm", "a storm", "a storm")
    ]
    assert statuses == [201, 503, 201, 503, 201]


def test_a_rule_on_an_existing_prediction_goes_by_its_prompt(client: Client) -> None:
    storm, calm = client.create(prompt="a storm"), client.create(prompt="a calm")
    client.script({"on": "cancel", "match": "storm", "times": 0, "do": "status", "status": 503})
    for shown, status in ((calm, 200), (storm, 503), (storm, 503)):
        assert client.post(f"/v1/predictions/{shown['id']}/cancel").status_code == status


def test_rules_can_be_taken_back_and_wrong_ones_are_refused(client: Client) -> None:
    client.script({"on": "create", "do": "reset"})
    client.delete("/_standin/faults")
    assert client.create(prompt="a sea")["status"] == "starting"
    assert client.post("/_standin/faults", json=[{"on": "create", "do": "explode"}]).status_code == 422
    assert client.post("/_standin/faults", json=[{"on": "create", "do": "reset", "tmies": 3}]).status_code == 422
    for content in (b"", b"nonsense", b"[" * 5000):
        assert client.post("/_standin/faults", content=content).status_code == 422


def test_the_ledger_counts_every_prediction(stand_in: Callable[..., Client]) -> None:
    client = stand_in(pace=60)
    made = [client.create(prompt=word)["id"] for word in ("one", "two")]
    client.post(f"/v1/predictions/{made[0]}/cancel")
    assert [(row["id"], row["status"]) for row in client.ledger()] == [(made[0], "canceled"), (made[1], "starting")]
    assert client.ledger()[1].keys() >= {"model", "input", "created_at"}
