"""Who is told of an event: those whose it is, admins who want to be told of everyone's, in the open house everyone."""

from datetime import timedelta
from uuid import UUID

import pytest

from tasks.accounts import people
from tasks.accounts.actors import Role
from tasks.accounts.audit import By
from tasks.db.account_tables import Person
from tasks.db.database import DB, now
from tasks.db.webhook_tables import WebhookDelivery, WebhookEndpoint
from tasks.outbox import outbox
from tasks.outbox.events import Event, EventType
from tasks.webhooks import endpoints
from tests import factories
from tests.tasks.outbox.hooks import deliveries, endpoint

BY = By()


async def write(
    owner: UUID | None = None, kind: EventType = EventType.JOB_FAILED, key: str = "", **more: object
) -> None:
    event = Event(kind, now(), {}, key or f"{kind}:{now()}", owner, **more)  # type: ignore[arg-type]
    await DB.run_steps(outbox.steps([event], await outbox.has_endpoints()))


async def told(*of: WebhookEndpoint) -> list[int]:
    """Return how many events each endpoint has been told."""
    return [await WebhookDelivery.count().where(WebhookDelivery.endpoint == one.id) for one in of]


async def test_in_the_open_house_an_endpoint_is_told_everything() -> None:
    there = await endpoint()
    await write()
    await write(kind=EventType.QUEUE_HALTED, of_all=True)
    assert await told(there) == [2]


async def test_from_the_first_person_on_an_endpoint_of_the_open_house_is_told_what_is_nobodys() -> None:
    there = await endpoint()
    anna = await factories.person()
    await write(anna.id)
    await write(kind=EventType.QUEUE_HALTED, of_all=True)
    assert await told(there) == [0]
    await write()
    assert await told(there) == [1]


async def test_a_person_is_told_of_their_own_and_an_admin_of_everyones_where_they_want_that() -> None:
    anna, ben = await factories.person(role=Role.ADMIN), await factories.person("ben")
    of_ben, of_anna = await endpoint(owner=ben.id), await endpoint(owner=anna.id)
    of_all = await endpoint(owner=anna.id, everyone=True)
    await write(ben.id)
    assert await told(of_ben, of_anna, of_all) == [1, 0, 1]
    await write(anna.id)
    assert await told(of_ben, of_anna, of_all) == [1, 1, 2]
    await write()
    await write(kind=EventType.BUDGET_WARNING, of_all=True)
    assert await told(of_ben, of_anna, of_all) == [1, 1, 4]
    assert {one.owner for one in await deliveries()} == {anna.id, ben.id}


async def test_who_is_no_admin_any_more_is_told_of_their_own_only() -> None:
    anna, ben = await factories.person(role=Role.ADMIN), await factories.person("ben", Role.ADMIN)
    of_anna, of_ben = await endpoint(owner=anna.id, everyone=True), await endpoint(owner=ben.id, everyone=True)
    await people.change_role(anna, Role.MEMBER, BY)
    await write()
    await write(anna.id)
    assert await told(of_anna, of_ben) == [1, 2]


async def test_who_is_disabled_is_told_nothing() -> None:
    anna = await factories.person()
    there = await endpoint(owner=anna.id)
    await people.disable(anna, BY)
    await write(anna.id)
    assert await told(there) == [0]
    await people.enable(anna, BY)
    await write(anna.id)
    assert await told(there) == [1]


async def test_an_endpoint_is_told_of_the_events_that_it_has_and_while_it_is_enabled() -> None:
    there = await endpoint(types=["job.completed", "batch.ended"])
    await write()
    assert await told(there) == [0]
    await write(kind=EventType.JOB_COMPLETED)
    await write(kind=EventType.BATCH_ENDED)
    assert await told(there) == [2]
    await endpoints.pause(there, BY)
    await write(kind=EventType.JOB_COMPLETED)
    assert await told(there) == [2]


async def test_an_event_is_written_once_for_each_endpoint_however_often_it_is_written() -> None:
    first, second = await endpoint(), await endpoint()
    for _ in range(3):
        await write(key="the same")
    assert await told(first, second) == [1, 1]
    assert len({one.id for one in await deliveries()}) == 2


async def test_the_first_endpoint_is_told_a_second_later_and_the_next_ones_at_once() -> None:
    assert not await outbox.has_endpoints()
    first = WebhookEndpoint(url="https://a.example.org", types="job.failed", created_at=now())
    await WebhookEndpoint.insert(first)
    await write()
    assert await told(first) == [0], "another process has added it"
    outbox.has_endpoints.cache_clear()
    assert outbox.HINT_TTL_SECONDS == 1.0
    await write()
    second = WebhookEndpoint(url="https://b.example.org", types="job.failed", created_at=now())
    await WebhookEndpoint.insert(second)
    await write()
    assert await told(first, second) == [2, 1]


async def test_what_has_just_been_written_is_due_now() -> None:
    await endpoint()
    await write()
    [one] = await deliveries()
    assert one.created_at == one.due_at
    assert abs(one.created_at - now()) < timedelta(minutes=1)


@pytest.mark.parametrize("named", [True, False])
async def test_a_person_who_is_gone_is_nobody(named: bool) -> None:
    anna = await factories.person()
    there = await endpoint(owner=anna.id)
    await Person.delete(force=True)
    await write(anna.id if named else None)
    assert await told(there) == [int(named)]
