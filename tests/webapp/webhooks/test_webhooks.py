"""/webhooks: endpoints are managed by those whose they are, and what was sent is seen and sent once more."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import aclosing, suppress
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tasks.accounts import people
from tasks.accounts.actors import Role
from tasks.accounts.audit import By, latest
from tasks.db.account_tables import Person
from tasks.db.dialect import from_now
from tasks.db.webhook_tables import WebhookDelivery, WebhookEndpoint
from tasks.files.storage import Storage
from tasks.outbox import outbox
from tasks.settings import settings
from tasks.webhooks import deliveries, endpoints, history, sending, signing
from tasks.webhooks.history import Filter
from tasks.webhooks.sender import Sender
from tasks.webhooks.sending import Answer, Outcome
from tests import factories
from tests.receivers import Receiver, receiving
from tests.tasks.outbox import hooks
from tests.tasks.outbox.hooks import NOWHERE, endpoint, happened

SECRET = re.compile(r"whsec_[A-Za-z0-9+/=]{44}")
FORM = {"url": f"{NOWHERE}?token=secret", "types": ["job.failed", "batch.ended"]}


async def session(name: str = "anna", role: Role = Role.MEMBER) -> tuple[Person, dict[str, str]]:
    someone = await factories.person(name, role)
    return someone, {"Accept": "text/html"} | await factories.session_of(someone)


async def send(web: httpx.AsyncClient, there: WebhookEndpoint, headers: dict[str, str], **form: str) -> httpx.Response:
    return await web.post(f"/webhooks/{there.id}", data=form, headers=headers)


@pytest.fixture
async def sender() -> AsyncIterator[None]:
    """Run a sender."""
    async with aclosing(sending.transport()) as transport:
        task = asyncio.create_task(Sender(transport, Storage.open(settings.storage_url)).keep_sending(lambda: 0.05))
        yield
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


async def all_ended() -> None:
    for one in await hooks.deliveries():
        await history.settle(one, 20)


# Endpoints.


async def test_a_new_endpoint_shows_its_secret_once_and_never_its_query(web: httpx.AsyncClient) -> None:
    anna, headers = await session()
    made = await web.post("/webhooks", data=FORM, headers=headers)
    assert (made.status_code, made.headers["cache-control"]) == (200, "no-store")
    [secret] = set(SECRET.findall(made.text))
    [row] = await endpoints.listed(anna.id)
    assert (row.url, row.types, row.everyone) == (FORM["url"], "job.failed batch.ended", False)
    assert await signing.secrets_of(row.id) == [secret]
    page = await web.get("/webhooks", headers=headers)
    assert not SECRET.search(page.text)
    for text in (made.text, page.text):
        assert f"{NOWHERE}?…" in text
        assert "?token" not in text
    [entry] = await latest(1)
    assert (entry.actor, entry.action) == ("anna", "webhook added")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"url": "ftp://example.org"}, "url"), ({"url": "http://10.0.0.1/"}, "url"), ({"url": ""}, "url"),
        ({"types": []}, "types"), ({"types": ["job.started"]}, "types"),
    ],
)  # fmt: skip
async def test_a_fault_is_shown_where_it_is_and_the_form_keeps_what_was_sent(
    web: httpx.AsyncClient, change: dict[str, object], field: str
) -> None:
    _, headers = await session()
    answer = await web.post("/webhooks", data=FORM | change, headers=headers)
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text
    place = 'id="url"' if field == "url" else "<fieldset"
    assert 'aria-describedby="endpoint-fault"' in answer.text.partition(place)[2].partition(">")[0]
    if "url" not in change:
        assert "token=secret" in answer.text, "of the form, not of a list"
    assert not await WebhookEndpoint.exists()


async def test_each_sees_their_own_endpoints_and_admins_all(web: httpx.AsyncClient) -> None:
    boss, as_boss = await session("boss", Role.ADMIN)
    anna, as_anna = await session()
    of_anna = await endpoint("https://anna.example.org", owner=anna.id)
    await endpoint("https://boss.example.org", owner=boss.id)
    await endpoint("https://nobody.example.org")
    page = (await web.get("/webhooks", headers=as_anna)).text
    assert re.findall(r"https://(\w+)\.example\.org/?</strong>", page) == ["anna"]
    page = (await web.get("/webhooks", headers=as_boss)).text
    assert re.findall(r"https://(\w+)\.example\.org/?</strong>", page) == ["anna", "boss", "nobody"]
    assert "of anna" in page
    assert (await send(web, of_anna, as_boss, action="pause")).status_code == 303


async def test_anothers_endpoint_is_none(web: httpx.AsyncClient) -> None:
    _, as_anna = await session()
    ben = await factories.person("ben")
    there = await endpoint(owner=ben.id)
    await happened(owner=ben.id)
    [delivery] = await hooks.deliveries()
    await WebhookDelivery.update({WebhookDelivery.state: "failed"}, force=True)
    for action in ("pause", "enable", "rotate", "remove", "test", "resend"):
        answer = await send(web, there, as_anna, action=action, since="24")
        assert answer.status_code == 404
    for delivery_id in (delivery.id, uuid4()):
        assert (await web.post(f"/webhooks/deliveries/{delivery_id}/replay", headers=as_anna)).status_code == 404
    assert (await web.post(f"/webhooks/{uuid4()}", data={"action": "pause"}, headers=as_anna)).status_code == 404
    assert str(delivery.id) not in (await web.get(f"/webhooks?endpoint={there.id}", headers=as_anna)).text
    [row] = await endpoints.listed(None)
    assert row.to_dict() == there.to_dict()
    assert (await hooks.fresh(delivery)).state == "failed"


@pytest.mark.parametrize(("role", "everyone"), [(Role.MEMBER, False), (Role.ADMIN, True)])
async def test_only_an_admin_is_told_of_everyones_jobs(web: httpx.AsyncClient, role: Role, everyone: bool) -> None:
    someone, headers = await session(role=role)
    assert ('name="everyone"' in (await web.get("/webhooks", headers=headers)).text) is everyone
    await web.post("/webhooks", data=FORM | {"everyone": "1"}, headers=headers)
    [row] = await endpoints.listed(someone.id)
    assert row.everyone is everyone


async def test_in_the_open_house_everyone_manages_what_there_is(web: httpx.AsyncClient) -> None:
    assert (await web.post("/webhooks", data=FORM)).status_code == 200
    [row] = await endpoints.listed(None)
    assert row.owner is None
    assert (await send(web, row, {}, action="pause")).status_code == 303
    assert "Paused" in (await web.get("/webhooks")).text
    assert (await send(web, row, {}, action="enable")).status_code == 303
    assert "Paused" not in (await web.get("/webhooks")).text
    assert (await send(web, row, {}, action="remove")).headers["location"] == "/webhooks"
    assert await endpoints.listed(None) == []


async def test_a_key_cannot_make_endpoints_whatever_it_may(web: httpx.AsyncClient) -> None:
    anna = await factories.person(role=Role.ADMIN)
    key = await factories.key_of(anna, "submit", "read", "read:all", "tidy", "operate")
    for answer in (await web.get("/webhooks", headers=key), await web.post("/webhooks", data=FORM, headers=key)):
        assert (answer.status_code, answer.json()["code"]) == (403, "not_allowed")


async def test_a_secret_is_rotated_and_shown_once(web: httpx.AsyncClient) -> None:
    there = await endpoint()
    [old] = await signing.secrets_of(there.id)
    page = await send(web, there, {}, action="rotate")
    [new] = set(SECRET.findall(page.text))
    assert await signing.secrets_of(there.id) == [new, old]


@pytest.mark.parametrize(
    "form", [{}, {"action": "explode"}, {"action": "resend"}, {"action": "resend", "since": "9" * 5000}]
)
async def test_an_action_that_there_is_not_is_refused(web: httpx.AsyncClient, form: dict[str, str]) -> None:
    there = await endpoint()
    assert (await send(web, there, {}, **form)).status_code == 400


async def test_why_an_endpoint_is_told_nothing_is_on_the_page(web: httpx.AsyncClient) -> None:
    there = await endpoint()
    for why, words in (("gone", "answered 410"), ("failing", "for five days")):
        changes = {WebhookEndpoint.disabled_at: there.created_at, WebhookEndpoint.disabled_why: why}
        await WebhookEndpoint.update(changes, force=True)  # type: ignore[arg-type]
        page = (await web.get("/webhooks")).text
        assert words in page
        assert 'value="enable"' in page
        assert 'value="pause"' not in page


# What was sent.


@pytest.mark.usefixtures("sender")
async def test_a_test_is_sent_and_its_answer_is_on_the_page(web: httpx.AsyncClient, receiver: Receiver) -> None:
    there = await endpoint(receiver.url)
    receiver.moods.append("503")
    answer = await send(web, there, {}, action="test")
    [delivery] = await hooks.deliveries()
    assert (answer.status_code, answer.headers["location"]) == (303, f"/webhooks#delivery-{delivery.id}")
    await all_ended()
    page = (await web.get("/webhooks")).text
    assert "webhook.test" in page
    assert "503" in page
    assert "thanks" in page
    assert "the receiver had an error" in page
    await send(web, there, {}, action="test")
    await all_ended()
    assert [arrival.type for arrival in receiver.arrivals] == ["webhook.test"] * 2
    assert {one.state for one in await hooks.deliveries()} == {"failed", "delivered"}


@pytest.mark.usefixtures("sender")
async def test_an_event_is_replayed_with_the_same_id_and_body(web: httpx.AsyncClient, receiver: Receiver) -> None:
    await endpoint(receiver.url)
    receiver.moods.append("410")
    await happened()
    await all_ended()
    [delivery] = await hooks.deliveries()
    page = (await web.get("/webhooks")).text
    assert f'action="/webhooks/deliveries/{delivery.id}/replay"' in page
    came_from = {"Accept": "text/html", "Referer": "http://darkroom.test/webhooks?state=failed"}
    answer = await web.post(f"/webhooks/deliveries/{delivery.id}/replay", headers=came_from)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/webhooks?state=failed#delivery-{delivery.id}")
    await all_ended()
    assert len({(arrival.id, arrival.body) for arrival in receiver.arrivals}) == 1
    assert [arrival.mood for arrival in receiver.arrivals] == ["410", "200"]
    assert (await hooks.fresh(delivery)).state == "delivered"


@pytest.mark.usefixtures("sender")
async def test_all_that_failed_is_sent_again(web: httpx.AsyncClient, receiver: Receiver) -> None:
    there = await endpoint(receiver.url)
    for _ in range(3):
        await happened()
    await all_ended()
    await WebhookDelivery.update({WebhookDelivery.state: "failed"}, force=True)
    answer = await send(web, there, {}, action="resend", since="1")
    assert (answer.status_code, "3 events are sent once more." in answer.text) == (200, True)
    await all_ended()
    assert "Nothing has failed" in (await send(web, there, {}, action="resend", since="24")).text
    assert len(receiver.arrivals) == 6


async def test_what_was_sent_is_filtered_and_paged(web: httpx.AsyncClient) -> None:
    anna, headers = await session()
    there = await endpoint(owner=anna.id)
    for _ in range(history.MAX_LISTED + 1):
        await happened(owner=anna.id)
    page = (await web.get("/webhooks", headers=headers)).text
    shown = re.findall(r'id="delivery-([0-9a-f-]{36})"', page)
    assert len(shown) == history.MAX_LISTED
    [older] = re.findall(r'href="(\?before=[0-9a-f-]{36})#deliveries"', page)
    [last] = re.findall(r'id="delivery-([0-9a-f-]{36})"', (await web.get(f"/webhooks{older}", headers=headers)).text)
    assert last not in shown
    for query, count in (
        (f"endpoint={there.id}", history.MAX_LISTED), (f"endpoint={uuid4()}", 0), ("state=delivered", 0),
        ("state=pending&type=job.failed", history.MAX_LISTED), ("type=job.completed", 0),
        ("state=nonsense&type=x&before=y", history.MAX_LISTED),
    ):  # fmt: skip
        text = (await web.get(f"/webhooks?{query}", headers=headers)).text
        assert len(re.findall(r'id="delivery-', text)) == count, query


async def test_the_webhook_of_a_job_is_shown_without_its_query_and_can_be_replayed(web: httpx.AsyncClient) -> None:
    await happened(webhook="https://user:pass@own.example.org/hook?token=secret")
    page = (await web.get("/webhooks")).text
    assert "https://own.example.org/hook?…" in page
    assert "secret" not in page.partition("What was sent")[2]
    assert "pass@" not in page
    assert "/replay" not in page, "it is on its way"
    await WebhookDelivery.update({WebhookDelivery.state: "failed"}, force=True)
    assert "/replay" in (await web.get("/webhooks")).text


async def test_what_went_to_a_removed_endpoint_stays_listed(web: httpx.AsyncClient) -> None:
    there = await endpoint()
    await happened()
    await endpoints.remove(there, By())
    page = (await web.get("/webhooks")).text
    assert "an endpoint that was removed" in page
    assert "/replay" not in page
    assert [one.delivery.endpoint for one in await history.listed(Filter())] == [there.id]


async def test_what_a_receiver_answers_is_text(web: httpx.AsyncClient) -> None:
    await endpoint()
    await happened()
    delivery = await deliveries.claim(from_now)
    assert delivery is not None
    await deliveries.record(delivery, Answer(Outcome.SERVER_ERROR, 5, 500, "<script>alert(1)</script>"), from_now)
    assert "<script>alert" not in (await web.get("/webhooks")).text


async def test_the_menu_leads_here_those_who_may(web: httpx.AsyncClient) -> None:
    _, member = await session()
    _, viewer = await session("vera", Role.VIEWER)
    assert 'href="/webhooks"' in (await web.get("/account", headers=member)).text
    assert 'href="/webhooks"' not in (await web.get("/account", headers=viewer)).text
    for path, status in (("/webhooks", 403), ("/account", 200)):
        assert (await web.get(path, headers=viewer)).status_code == status


async def test_a_disabled_person_is_told_nothing_and_signed_out(web: httpx.AsyncClient) -> None:
    anna, headers = await session()
    await endpoint(owner=anna.id)
    await people.disable(anna, By())
    await happened(owner=anna.id)
    assert await hooks.deliveries() == []
    assert (await web.get("/webhooks", headers=headers)).status_code == 303


async def test_the_page_of_a_job_says_what_programs_were_told_of_it(web: httpx.AsyncClient) -> None:
    job = await factories.completed()
    page = await web.get(f"/jobs/{job.id}", headers={"Accept": "text/html"})
    assert "job.failed" not in page.text
    await endpoint()
    outbox.has_endpoints.cache_clear()
    await happened(job=job.id)
    page = await web.get(f"/jobs/{job.id}", headers={"Accept": "text/html"})
    assert "job.failed" in page.text
    assert "on its way" in page.text
    delivered: Any = {WebhookDelivery.delivered_at: from_now(), WebhookDelivery.state: "delivered"}
    await WebhookDelivery.update(delivered, force=True)
    page = await web.get(f"/jobs/{job.id}", headers={"Accept": "text/html"})
    assert "arrived <time" in page.text
    assert NOWHERE not in page.text
