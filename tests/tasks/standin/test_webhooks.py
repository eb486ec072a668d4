"""The webhooks that the stand-in sends."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tasks.standin.app import create_app
from tasks.standin.predictions import SECOND
from tasks.standin.webhooks import signed
from tests.tasks.standin.conftest import FLUX, Client
from tests.tasks.standin.serving import served
from tests.waiting import wait_until


class Receiver:
    """A receiver of webhooks. It answers with the statuses it is given, then with 200."""

    def __init__(self) -> None:
        self.url = ""
        self.taken: list[tuple[dict[str, str], bytes]] = []
        self.statuses: list[int] = []

    async def take(self, request: Request) -> Response:
        self.taken.append((dict(request.headers), await request.body()))
        return Response(status_code=self.statuses.pop(0) if self.statuses else 200)

    @property
    def bodies(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body in self.taken]

    def has_the_end(self) -> bool:
        return any(body["status"] in ("succeeded", "canceled", "aborted", "failed") for body in self.bodies)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    with served(Starlette(routes=[Route("/hook", receiver.take, methods=["POST"])])) as address:
        receiver.url = f"{address}/hook?attempt=7"
        yield receiver


def create(client: Client, receiver: Receiver, events: list[str] | None = None) -> dict[str, Any]:
    body = {"version": FLUX, "input": {"prompt": "a sea"}, "webhook": receiver.url}
    shown = client.post("/v1/predictions", json=body | ({"webhook_events_filter": events} if events else {}))
    return dict(shown.json())


def test_signatures_match_replicates_test_vector() -> None:
    headers = signed(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'
    )
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_end_is_told_signed_and_sorted(client: Client, receiver: Receiver) -> None:
    shown = create(client, receiver, ["completed"])
    wait_until(receiver.has_the_end)
    [(headers, body)] = receiver.taken
    secret = client.get("/v1/webhooks/default/secret").json()["key"]
    told = Webhook(secret).verify(body, headers)
    assert told == {key: value for key, value in client.read(shown).items() if key != "source"}
    assert told["webhook"] == receiver.url, "the attempt stands inside the signed bytes"
    assert body == json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(body + b" ", headers)


def test_all_events_come_in_order(stand_in: Callable[..., Client], receiver: Receiver) -> None:
    moment = 1_749_452_554_263_000_000
    create(stand_in(pace=1, clock=lambda: moment), receiver, ["start", "output", "logs", "completed"])
    moment += SECOND  # it has booted within half of it, and runs for longer than the other half
    wait_until(lambda: len(receiver.taken) >= 2)
    moment += 9 * SECOND
    wait_until(receiver.has_the_end)
    bodies = receiver.bodies
    assert [body["status"] for body in bodies] == ["processing"] * (len(bodies) - 1) + ["succeeded"]
    assert (bodies[0]["logs"], bodies[0]["output"]) == ("", None)
    assert any(body["logs"] and not body["output"] for body in bodies[1:-1])
    assert bodies[-2]["output"] == bodies[-1]["output"] != []
    assert len({headers["webhook-id"] for headers, _ in receiver.taken}) == len(bodies)


def test_by_default_outputs_and_the_end_are_told(client: Client, receiver: Receiver) -> None:
    create(client, receiver)
    wait_until(receiver.has_the_end)
    assert [body["status"] for body in receiver.bodies] == ["processing", "succeeded"]
    assert all(body["output"] for body in receiver.bodies)


def test_the_end_is_told_again_until_it_is_taken(client: Client, receiver: Receiver) -> None:
    receiver.statuses = [500, 404]
    create(client, receiver, ["completed"])
    wait_until(lambda: len(receiver.taken) == 3)
    assert len({headers["webhook-id"] for headers, _ in receiver.taken}) == 1
    assert len({body for _, body in receiver.taken}) == 1


def test_redirects_are_not_followed_and_lose_the_message(client: Client, receiver: Receiver) -> None:
    receiver.statuses = [301]
    create(client, receiver, ["completed"])
    create(client, receiver, ["completed"])
    wait_until(lambda: len(receiver.taken) == 2)
    assert len({headers["webhook-id"] for headers, _ in receiver.taken}) == 2


def test_a_cancel_is_told(stand_in: Callable[..., Client], receiver: Receiver) -> None:
    client = stand_in(pace=20)
    shown = create(client, receiver, ["completed"])
    client.post(f"/v1/predictions/{shown['id']}/cancel")
    wait_until(receiver.has_the_end)
    assert receiver.bodies[0]["status"] == "canceled"


def test_webhooks_can_go_missing_and_come_twice(client: Client, receiver: Receiver) -> None:
    client.script({"on": "webhook", "do": "missing"}, {"on": "webhook", "do": "double"})
    lost = create(client, receiver, ["completed"])
    client.finished(lost)
    wait_until(lambda: client.get("/_standin/faults").json() == [{"on": "webhook", "do": "double"}])
    create(client, receiver, ["completed"])
    wait_until(lambda: len(receiver.taken) == 2)
    assert receiver.taken[0][1] == receiver.taken[1][1]
    assert lost["id"] not in {body["id"] for body in receiver.bodies}


def test_a_restarted_stand_in_sends_what_was_still_to_come(
    stand_in: Callable[..., Client], receiver: Receiver, tmp_path: Path
) -> None:
    now = [1_749_452_554_263_000_000]
    folder = tmp_path / "kept"
    with served(create_app(folder, clock=lambda: now[0], control=True)) as address:
        body = {"version": FLUX, "input": {"prompt": "a sea"}, "webhook": receiver.url}
        httpx.post(f"{address}/v1/predictions", json=body, headers={"Authorization": "Bearer x"}).raise_for_status()
    stand_in(folder=folder, clock=lambda: now[0])
    assert receiver.taken == []
    now[0] += 9 * SECOND
    wait_until(receiver.has_the_end)
    assert receiver.bodies[-1]["status"] == "succeeded"
