"""Endpoints are added with a secret, paused, enabled, rotated and removed, and the audit says by whom."""

import asyncio
import json

import pytest

from tasks.accounts import audit
from tasks.accounts.audit import By
from tasks.db.webhook_tables import WebhookDelivery, WebhookEndpoint, WebhookSecret
from tasks.errors import Rejected
from tasks.outbox import outbox
from tasks.outbox.events import SUBSCRIBABLE, EventType
from tasks.webhooks import deliveries, endpoints, signing
from tasks.webhooks.endpoints import MAX_ENDPOINTS
from tests import factories
from tests.tasks.outbox.hooks import NOWHERE, Clock, endpoint, fresh, happened
from tests.tasks.states import nothing

BY = By("anna", "203.0.113.9")


async def actions() -> list[tuple[str, str]]:
    return [(entry.actor, entry.action) for entry in reversed(await audit.latest(20))]


async def test_an_endpoint_has_a_secret_that_is_returned_once() -> None:
    made = await endpoints.add(None, f" {NOWHERE}?token=secret ", ["job.failed", "job.completed"], False, BY)
    [row] = await endpoints.listed(None)
    assert (row.id, row.url, row.types) == (made.endpoint.id, f"{NOWHERE}?token=secret", "job.completed job.failed")
    assert await signing.secrets_of(row.id) == [made.secret]
    [entry] = await audit.latest(1)
    assert (entry.actor, entry.address, entry.action, entry.subject) == (
        "anna", "203.0.113.9", "webhook added", f"{NOWHERE}?…",
    )  # fmt: skip
    assert json.loads(entry.after) == {"types": "job.completed job.failed", "everyone": False}
    assert made.secret not in str([one.to_dict() for one in await audit.latest(5)])


@pytest.mark.parametrize(
    ("url", "types", "pointer"),
    [
        ("", ["job.failed"], "/url"), ("ftp://example.org", ["job.failed"], "/url"),
        ("http://10.0.0.1/", ["job.failed"], "/url"), ("http://127.0.0.1:8000/", ["job.failed"], "/url"),
        (NOWHERE, [], "/types"), (NOWHERE, ["job.started"], "/types"), (NOWHERE, [EventType.TEST], "/types"),
    ],
)  # fmt: skip
async def test_what_cannot_be_an_endpoint_is_refused(url: str, types: list[str], pointer: str) -> None:
    with pytest.raises(Rejected) as refused:
        await endpoints.add(None, url, types, False, BY)
    assert (refused.value.code, [fault.pointer for fault in refused.value.faults]) == ("invalid_webhook", [pointer])
    assert not await WebhookEndpoint.exists()
    assert not await WebhookSecret.exists()


async def test_an_owner_has_so_many_endpoints_and_no_more() -> None:
    anna, ben = await factories.person(), await factories.person("ben")
    added = await asyncio.gather(*(endpoint(owner=anna.id) for _ in range(MAX_ENDPOINTS + 2)), return_exceptions=True)
    assert sum(isinstance(one, Rejected) for one in added) == 2
    await endpoint(owner=ben.id)
    assert (len(await endpoints.listed(anna.id)), len(await endpoints.listed(ben.id))) == (MAX_ENDPOINTS, 1)


async def test_an_endpoint_is_paused_and_enabled() -> None:
    there = await endpoint()
    for _ in range(2):
        await endpoints.pause(there, BY)
    [row] = await endpoints.listed(None)
    assert (row.disabled_at is not None, row.disabled_why) == (True, "paused")
    for _ in range(2):
        await endpoints.enable(there, BY)
    [row] = await endpoints.listed(None)
    assert (nothing(row.disabled_at), row.disabled_why) == (True, "")
    assert await actions() == [
        ("command line", "webhook added"),
        ("anna", "webhook paused"),
        ("anna", "webhook enabled"),
    ]


async def test_what_is_held_back_by_who_comes_too_late_stays_due() -> None:
    there = await endpoint()
    await happened()
    await endpoints.pause(there, BY)
    await endpoints.enable(there, BY)
    await endpoints.hold_back(there.id)
    assert await deliveries.claim(Clock()) is not None


async def test_the_secret_is_rotated() -> None:
    made = await endpoints.add(None, NOWHERE, ["job.failed"], False, BY)
    new = await endpoints.rotate(made.endpoint, BY)
    assert await signing.secrets_of(made.endpoint.id) == [new, made.secret]
    assert await actions() == [("anna", "webhook added"), ("anna", "webhook secret rotated")]


async def test_to_an_endpoint_that_is_removed_nothing_more_is_sent() -> None:
    there, other = await endpoint(), await endpoint()
    await happened()
    await endpoints.remove(there, BY)
    [row] = await endpoints.listed(None)
    assert row.id == other.id
    assert await WebhookSecret.count() == 1
    states = await WebhookDelivery.select(WebhookDelivery.endpoint, WebhookDelivery.state)
    assert {one["endpoint"]: one["state"] for one in states} == {there.id: "failed", other.id: "pending"}
    claimed = await deliveries.claim(Clock())
    assert claimed is not None
    assert claimed.endpoint == other.id
    assert await deliveries.claim(Clock()) is None
    assert await actions() == [*[("command line", "webhook added")] * 2, ("anna", "webhook removed")]


async def test_an_event_that_was_just_being_written_for_a_removed_endpoint_is_ended() -> None:
    await endpoint()
    await happened()
    delivery = await deliveries.claim(Clock())
    assert delivery is not None
    await WebhookEndpoint.delete(force=True)
    await deliveries.drop(delivery)
    after = await fresh(delivery)
    assert (after.state, nothing(after.due_at)) == ("failed", True)


async def test_the_first_endpoint_is_known_at_once_where_it_was_added() -> None:
    assert not await outbox.has_endpoints()
    there = await endpoint(types=SUBSCRIBABLE)
    assert await outbox.has_endpoints()
    await endpoints.pause(there, BY)
    outbox.has_endpoints.cache_clear()
    assert not await outbox.has_endpoints()
    await endpoints.enable(there, BY)
    assert await outbox.has_endpoints()
