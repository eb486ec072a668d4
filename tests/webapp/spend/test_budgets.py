"""Admins set and remove budgets on /spend, with plain forms."""

from uuid import uuid4

import httpx
import pytest

from tasks.accounts.actors import Role
from tasks.accounts.audit import By, latest
from tasks.db.money_tables import Budget
from tasks.spend import limits
from tests import factories
from tests.factories import FLUX

FIVE = {"scope": "all", "amount": "5", "period": "month"}


async def admin(name: str = "anna") -> dict[str, str]:
    return {"Accept": "text/html"} | await factories.session_of(await factories.person(name, Role.ADMIN))


async def test_an_admin_sets_changes_and_removes_a_budget(web: httpx.AsyncClient) -> None:
    session = await admin()
    for amount in ("5", "7.50"):
        answer = await web.post("/budgets", data=FIVE | {"amount": amount}, headers=session)
        assert (answer.status_code, answer.headers["location"]) == (303, "/spend#budgets")
    [budget] = await limits.listed()
    assert (budget.scope, budget.period, budget.amount) == ("all", "month", 7_500_000)
    page = (await web.get("/spend", headers=session)).text
    assert f'action="/budgets/{budget.id}/remove"' in page
    assert (await web.post(f"/budgets/{budget.id}/remove", headers=session)).status_code == 303
    assert await limits.listed() == []
    assert [(entry.actor, entry.action) for entry in await latest(3)] == [
        ("anna", "budget removed"), ("anna", "budget set"), ("anna", "budget set"),
    ]  # fmt: skip


async def test_the_form_offers_everything_that_a_budget_can_be_for(web: httpx.AsyncClient) -> None:
    session = await admin()
    await factories.key_of(await factories.person("ben"), "submit")
    page = (await web.get("/spend", headers=session)).text
    for scope in ("all", "person:anna", "person:ben", "key:ben/ci", f"model:{FLUX}"):
        assert f'<option value="{scope}">' in page
        assert (await web.post("/budgets", data=FIVE | {"scope": scope}, headers=session)).status_code == 303
    assert len(await limits.listed()) == 5


@pytest.mark.parametrize(
    ("change", "marked"),
    [
        ({"amount": "much"}, "amount"), ({"amount": ""}, "amount"), ({"amount": "5/day"}, "amount"),
        ({"period": "year"}, "amount"), ({"scope": "person:nobody"}, "scope"), ({"scope": ""}, "scope"),
    ],
)  # fmt: skip
async def test_a_fault_is_shown_where_it_is(web: httpx.AsyncClient, change: dict[str, str], marked: str) -> None:
    answer = await web.post("/budgets", data=FIVE | change, headers=await admin())
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text
    field = answer.text.partition(f'id="{marked}" name="{marked}"')[2].partition(">")[0]
    assert 'aria-describedby="budget-fault"' in field
    assert f'value="{change.get("amount", "5")}"' in answer.text
    assert not await Budget.exists()


async def test_a_budget_that_is_gone_cannot_be_removed(web: httpx.AsyncClient) -> None:
    answer = await web.post(f"/budgets/{uuid4()}/remove", headers=await admin())
    assert answer.status_code == 404


async def test_only_an_admin_sets_budgets_and_the_open_house_has_none(web: httpx.AsyncClient) -> None:
    budget = await limits.put("all", "5/month", By())
    paths = ("/budgets", f"/budgets/{budget.id}/remove")
    for path in paths:
        assert (await web.post(path, data=FIVE)).status_code == 403
    ben = await factories.session_of(await factories.person("ben"))
    for path in paths:
        assert (await web.post(path, data=FIVE, headers=ben)).status_code == 403
    assert 'action="/budgets' not in (await web.get("/spend", headers=ben | {"Accept": "text/html"})).text
    assert len(await limits.listed()) == 1
