"""The composer says what its form is expected to cost, and what is left of the tightest budget."""

from collections.abc import Mapping
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from tasks.accounts.audit import By
from tasks.settings import settings
from tasks.spend import limits
from tests import factories
from tests.factories import FLUX
from webapp.composer import estimate


async def estimated(web: httpx.AsyncClient, headers: Mapping[str, str] | None = None, **form: Any) -> str:
    answer = await web.post("/composer/estimate", data={"model": FLUX, "prompt": "a fox", **form}, headers=headers)
    assert answer.status_code == 200
    return " ".join(answer.text.replace("<p>", "").replace("</p>", "").split())


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({}, "<span>About $0.003 pretend</span>"),
        ({"p.num_outputs": "4"}, "<span>About $0.012 pretend</span>"),
        ({"prompt": "{red|blue} fox", "seeds": "2"}, "<span>4 prints, about $0.012 pretend</span>"),
        ({"prompt": "{red|blue fox"}, ""),
        ({"model": "nobody/knows"}, ""),
        ({"seeds": "many"}, ""),
    ],
)
async def test_the_prints_of_a_form_have_a_cost(web: httpx.AsyncClient, form: dict[str, Any], words: str) -> None:
    assert await estimated(web, **form) == words


async def test_what_is_left_of_the_tightest_budget_stands_beside_it(web: httpx.AsyncClient) -> None:
    await limits.put("all", "5/month", By())
    assert (
        await estimated(web)
        == '<span>About $0.003 pretend</span> <span class="estimate-left">$5.00 left this month</span>'
    )
    await limits.put(f"model:{FLUX}", "0.10/day", By())
    assert (
        await estimated(web) == '<span>About $0.003 pretend</span> <span class="estimate-left">$0.10 left today</span>'
    )
    for _ in range(27):
        await factories.submitted(model=FLUX)
    assert "only $0.019 left today" in await estimated(web)
    assert "data-low" in await estimated(web)


async def test_a_person_is_told_of_their_own_budgets(web: httpx.AsyncClient) -> None:
    anna, ben = await factories.person(), await factories.person("ben")
    await limits.put("person:anna", "1/total", By())
    assert "$1.00 left of the budget" in await estimated(web, await factories.session_of(anna))
    assert "left" not in await estimated(web, await factories.session_of(ben))


async def test_what_has_no_price_costs_up_to_the_ceiling_where_a_budget_applies(web: httpx.AsyncClient) -> None:
    assert await estimated(web, model="stability-ai/sdxl") == ""
    await limits.put("all", "5/month", By())
    assert "Up to $1.00" in await estimated(web, model="stability-ai/sdxl")


async def test_with_a_token_the_money_is_real(web: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    token = settings.model_copy(update={"replicate_api_token": SecretStr("r8_x")})
    monkeypatch.setattr(estimate, "settings", token)
    assert await estimated(web) == "<span>About $0.003</span>"
