"""Programs are told, once in its day or month, of a budget of which most is used."""

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest

from tasks.accounts import keys
from tasks.accounts.actors import Role
from tasks.accounts.audit import By
from tasks.db.database import now
from tasks.db.money_tables import Budget
from tasks.db.webhook_tables import WebhookDelivery
from tasks.jobs import lifecycle
from tasks.jobs.insert import NOBODY, Owner, Terms
from tasks.spend import limits
from tests import factories
from tests.factories import FLUX
from tests.tasks.outbox.hooks import deliveries, endpoint, said
from webapp.schemas.money import BudgetState

BY = By()


async def used(scope: str, owner: Owner = NOBODY, period: str = "day") -> Budget:
    """Return a budget that a job has just used up; that of a day began yesterday."""
    budget = await limits.put(scope, f"0.003/{period}", BY)
    if period == "day":
        await Budget.update({Budget.starts_at: now() - timedelta(days=1)}).where(Budget.id == budget.id)
    await lifecycle.submit("a fox", FLUX, {"num_outputs": 1}, Terms(owner=owner))
    await limits.warn()
    return budget


async def test_a_warning_says_of_a_budget_what_the_api_says() -> None:
    await endpoint()
    await used("all")
    [(kind, data)] = await said()
    assert kind == "budget.warning"
    assert data.pop("links") == {"page": "/spend"}
    members = set(BudgetState.__struct_fields__)
    assert data.keys() <= members
    assert (data["scope"], data["limit"], data["held"], data["left"]) == ("all", "0.003", "0.003", "0.00")
    assert {"period", "spent", "resets_at"} <= data.keys()


async def test_it_is_told_once_in_its_day_and_again_in_the_next() -> None:
    await endpoint()
    budget = await used("all")
    await asyncio.gather(*(limits.warn() for _ in range(3)))
    assert len(await deliveries()) == 1
    await Budget.update({Budget.ends_at: now()}).where(Budget.id == budget.id)
    await limits.warn()
    assert len(await deliveries()) == 2


@pytest.mark.parametrize("scope", ["all", f"model:{FLUX}", "person:ben", "key:ben/ci"])
async def test_the_budget_of_a_person_or_a_key_is_told_to_that_person_and_any_to_admins(scope: str) -> None:
    anna, ben = await factories.person(role=Role.ADMIN), await factories.person("ben")
    key = (await keys.add(ben, "ci", ["submit"], BY)).key
    of_all, of_ben = await endpoint(owner=anna.id, everyone=True), await endpoint(owner=ben.id)
    of_anna, of_nobody = await endpoint(owner=anna.id), await endpoint()
    await used(scope, Owner(ben.id, key.id), "total")
    told: set[UUID] = {row["endpoint"] for row in await WebhookDelivery.select(WebhookDelivery.endpoint)}
    assert told == ({of_all.id, of_ben.id} if "ben" in scope else {of_all.id})
    assert not told & {of_anna.id, of_nobody.id}
    [data] = [data for _, data in await said()][:1]
    assert data.get("name", "") == scope.partition(":")[2]
