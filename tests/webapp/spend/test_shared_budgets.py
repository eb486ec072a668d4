"""Of a budget that others use, too, those who do not see what everyone spends are told what is left, and no more."""

from typing import Any

import httpx
import pytest

from tasks.accounts.actors import Role
from tasks.accounts.audit import By
from tasks.jobs.insert import Owner
from tasks.spend import limits
from tests import factories
from tests.factories import FLUX

BY = By()
PAGE = {"Accept": "text/html"}
FOX = {"prompt": "a fox", "model": FLUX}
FIVE = {"prompt": "{a|b|c|d|e} fox", "models": [FLUX]}
FULL, LEFT = {"limit", "spent", "held", "left"}, {"left"}
ALL, MODEL, OWN = "all", f"model:{FLUX}", "person:ben"


@pytest.fixture
async def ben() -> dict[str, str]:
    """Return the session of a member who holds $0.003 of his budget, where others hold $0.003 of the shared ones."""
    member = await factories.person("ben")
    for scope in (ALL, MODEL, OWN):
        await limits.put(scope, "0.02/total", BY)
    await factories.submitted(model=FLUX)
    await factories.submitted(model=FLUX, owner=Owner(member.id))
    return await factories.session_of(member)


@pytest.fixture
async def boss() -> dict[str, str]:
    return await factories.session_of(await factories.person("boss", Role.ADMIN))


def amounts(state: dict[str, Any]) -> set[str]:
    """Return which amounts a budget is told with."""
    return state.keys() & FULL


async def test_a_member_sees_what_is_left_of_them_and_all_of_his_own(
    web: httpx.AsyncClient, ben: dict[str, str], boss: dict[str, str]
) -> None:
    seen = (await web.get("/spend.json", headers=ben)).json()["budgets"]
    assert [(each["scope"], amounts(each), each["left"]) for each in seen] == [
        ("all", LEFT, "0.014"), ("person", FULL, "0.017"), ("model", LEFT, "0.014"),
    ]  # fmt: skip
    seen = (await web.get("/spend.json", headers=boss)).json()["budgets"]
    assert [amounts(each) for each in seen] == [FULL] * 3


async def test_the_page_shows_the_same(web: httpx.AsyncClient, ben: dict[str, str], boss: dict[str, str]) -> None:
    page = (await web.get("/spend", headers=PAGE | ben)).text
    assert page.count("$0.014</strong> left</p>") == 2
    assert page.count("$0.017</strong> left of $0.02</p>") == 1
    assert page.count("Spent $0.00, held $0.003.") == 1
    assert "held $0.006" not in page
    assert page.count('class="budget-bar"') == 1
    page = (await web.get("/spend", headers=PAGE | boss)).text
    assert page.count("$0.014</strong> left of $0.02</p>") == 2
    assert page.count('class="budget-bar"') == 3


async def test_of_a_shared_budget_of_which_most_is_used_it_does_not_say_how_much(
    web: httpx.AsyncClient, ben: dict[str, str]
) -> None:
    for _ in range(4):
        await factories.submitted(model=FLUX)
    page = (await web.get("/spend", headers=PAGE | ben)).text
    assert page.count("Most of it is used.") == 2
    assert "% is used." not in page


async def test_an_estimate_tells_what_is_left(
    web: httpx.AsyncClient, ben: dict[str, str], boss: dict[str, str]
) -> None:
    for headers, told in ((ben, LEFT), (boss, FULL)):
        left = (await web.post("/estimate", json=FOX, headers=headers)).json()["left"]
        assert (left["scope"], amounts(left), left["left"]) == ("all", told, "0.014")


async def test_a_refusal_tells_what_is_left(web: httpx.AsyncClient, ben: dict[str, str], boss: dict[str, str]) -> None:
    for headers, told in ((ben, LEFT), (boss, FULL)):
        answer = await web.post("/batches", json=FIVE, headers=headers)
        assert answer.status_code == 402
        budget = answer.json()["budget"]
        assert (budget["scope"], amounts(budget), budget["left"], budget["needs"]) == ("all", told, "0.014", "0.015")
        assert answer.json()["detail"] == "This may cost $0.015, and the budget of all has $0.014 left in total."
