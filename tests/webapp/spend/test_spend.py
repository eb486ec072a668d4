"""/spend tells what was spent, and nobody sees what others have spent without the permission."""

import csv
from datetime import UTC, date, datetime, timedelta
from io import StringIO
from itertools import pairwise
from typing import Any

import httpx
import pytest

from tasks.accounts import keys
from tasks.accounts.actors import Role
from tasks.accounts.audit import By
from tasks.db import ids
from tasks.db.account_tables import Person
from tasks.db.database import now
from tasks.db.money_tables import Ledger
from tasks.spend import limits
from tasks.spend.totals import Line, Total
from tests import factories
from tests.factories import FLUX
from webapp.spend.bars import MAX_SHOWN, bars, ranked

PAGE = {"Accept": "text/html"}
NOON = datetime(2026, 11, 3, 12, tzinfo=UTC)


async def entered(micros: int, owner: Person | None = None, at: datetime = NOON, **more: Any) -> None:
    given = {"model": FLUX, "pretend": True, "attempt": ids.new(), "basis": "metrics", **more}
    await Ledger.insert(Ledger(at=at, job=ids.new(), micros=micros, owner=owner.id if owner else None, **given))


async def november(web: httpx.AsyncClient, headers: dict[str, str] | None = None) -> dict[str, Any]:
    answer = await web.get("/spend.json?month=2026-11", headers=headers)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def test_a_month_is_told_in_dollars_and_micros(web: httpx.AsyncClient) -> None:
    await entered(3_000)
    await entered(2_000_000, at=NOON + timedelta(days=1), model="google/veo-3.1")
    await limits.put("all", "5/total", By())
    assert await november(web) == {
        "month": "2026-11",
        "pretend": True,
        "total": {"runs": 2, "usd": "2.003", "micros": 2_003_000},
        "today": {"runs": 0, "usd": "0.00", "micros": 0},
        "days": [
            {"day": "2026-11-03", "runs": 1, "usd": "0.003", "micros": 3_000},
            {"day": "2026-11-04", "runs": 1, "usd": "2.00", "micros": 2_000_000},
        ],
        "models": [
            {"name": "google/veo-3.1", "runs": 1, "usd": "2.00", "micros": 2_000_000},
            {"name": FLUX, "runs": 1, "usd": "0.003", "micros": 3_000},
        ],
        "people": [],
        "keys": [],
        "budgets": [
            {"scope": "all", "period": "total", "limit": "5.00", "spent": "2.003", "held": "0.00", "left": "2.997"}
        ],
    }


async def test_without_a_month_it_is_this_one(web: httpx.AsyncClient) -> None:
    await factories.paid(image_output_count=4)
    found = (await web.get("/spend.json")).json()
    assert found["month"] == f"{now():%Y-%m}"
    assert found["total"] == found["today"] == {"runs": 1, "usd": "0.012", "micros": 12_000}
    page = (await web.get("/spend", headers=PAGE)).text
    assert "This month" in page
    assert page.count("$0.012") > 2


@pytest.mark.parametrize("month", ["2026", "2026-13", "1969-12", "2026-1", "soon", "\u0662\u0660\u0662\u0666-11"])
@pytest.mark.parametrize("path", ["/spend", "/spend.json", "/spend.csv"])
async def test_a_month_that_is_none_is_refused(web: httpx.AsyncClient, path: str, month: str) -> None:
    answer = await web.get(path, params={"month": month})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_query")


async def test_what_was_put_right_counts_on_its_day_and_may_be_more_than_was_spent(web: httpx.AsyncClient) -> None:
    await entered(3_000)
    for micros in (-1_000, -50_000):
        await entered(micros, kind="adjust", attempt=None, at=NOON + timedelta(days=1))
    await entered(5_000, at=NOON + timedelta(days=1), model="google/veo-3.1")
    seen = await november(web)
    assert seen["total"] == {"runs": 2, "usd": "-0.043", "micros": -43_000}
    assert seen["days"][1] == {"day": "2026-11-04", "runs": 1, "usd": "-0.046", "micros": -46_000}
    assert seen["models"][-1] == {"name": FLUX, "runs": 1, "usd": "-0.048", "micros": -48_000}
    page = (await web.get("/spend?month=2026-11", headers=PAGE)).text
    assert "<dd>-$0.043" in page
    assert "flux-schnell: -$0.051" in page
    assert "2026-11-04,black-forest-labs/flux-schnell,,,0,-0.051" in (await web.get("/spend.csv?month=2026-11")).text


async def test_a_month_with_nothing_but_what_was_put_right_is_shown(web: httpx.AsyncClient) -> None:
    await entered(-1_000, kind="adjust", attempt=None)
    page = (await web.get("/spend?month=2026-11", headers=PAGE)).text
    assert "Nothing was spent" not in page
    assert "<td>-$0.001</td>" in page


async def test_a_budget_may_have_got_back_more_than_was_spent_of_it(web: httpx.AsyncClient) -> None:
    await entered(-1_000, kind="adjust", attempt=None, at=now())
    await limits.put("all", "0.01/day", By())
    [seen] = (await november(web))["budgets"]
    assert (seen["spent"], seen["left"]) == ("-0.001", "0.011")
    page = (await web.get("/spend", headers=PAGE)).text
    assert "Spent -$0.001, held $0.00." in page
    assert 'width="-' not in page


async def test_a_member_sees_what_it_spent_itself_and_the_budgets_that_its_jobs_fall_under(
    web: httpx.AsyncClient,
) -> None:
    anna, ben = await factories.person("anna", Role.ADMIN), await factories.person("ben")
    key = (await keys.add(ben, "ci", ["submit"], By())).key
    await entered(3_000, anna)
    await entered(4_000, ben, api_key=key.id)
    for scope in ("all", "person:anna", "person:ben", "key:ben/ci", f"model:{FLUX}"):
        await limits.put(scope, "5/month", By())
    of_ben, of_anna = await factories.session_of(ben), await factories.session_of(anna)
    seen = await november(web, of_ben)
    assert (seen["total"]["micros"], [each["name"] for each in seen["people"]]) == (4_000, ["ben"])
    assert [each.get("name") for each in seen["budgets"]] == [None, "ben", "ben/ci", FLUX]
    for path in ("/spend?month=2026-11&by=person", "/spend.csv?month=2026-11"):
        text = (await web.get(path, headers=of_ben | PAGE)).text
        assert "ben/ci" in text
        assert "anna" not in text
    seen = await november(web, of_anna)
    assert [each["name"] for each in seen["people"]] == ["ben", "anna"]
    assert [each["name"] for each in seen["keys"]] == ["ben/ci"]
    assert len(seen["budgets"]) == 5


async def test_a_key_needs_the_scope_operate_to_see_what_others_spend(web: httpx.AsyncClient) -> None:
    anna, ben = await factories.person("anna", Role.ADMIN), await factories.person("robot", Role.SERVICE)
    await entered(3_000, anna)
    await entered(4_000, ben)
    assert (await november(web, await factories.key_of(ben, "read")))["total"]["micros"] == 4_000
    everything = await factories.key_of(ben, "read", "operate", name="accounting")
    assert (await november(web, everything))["total"]["micros"] == 7_000
    refused = await web.get("/spend.json", headers=await factories.key_of(ben, "submit", name="maker"))
    assert (refused.status_code, refused.json()["code"]) == (403, "missing_scope")


async def test_real_money_is_not_in_the_sums_while_the_stand_in_makes_the_pictures(web: httpx.AsyncClient) -> None:
    await entered(5_000_000, pretend=False)
    await entered(3_000)
    assert (await november(web))["total"]["micros"] == 3_000
    page = (await web.get("/spend?month=2026-11", headers=PAGE)).text
    assert "Pretend money" in page
    assert "$5.00" not in page
    csv_file = await web.get("/spend.csv?month=2026-11")
    assert 'filename="darkroom-spend-2026-11-pretend.csv"' in csv_file.headers["content-disposition"]
    assert "5.00" not in csv_file.text


async def test_the_csv_has_a_line_for_each_day_model_person_and_key_and_no_formulas(web: httpx.AsyncClient) -> None:
    anna = await factories.person("anna", Role.ADMIN)
    key = (await keys.add(anna, "a, b", ["submit"], By())).key
    await entered(3_000, anna, api_key=key.id)
    await entered(4_000, anna, api_key=key.id)
    for begins in "=+-@":
        await entered(1, model=f"{begins}SUM(A1)/x")
    answer = await web.get("/spend.csv?month=2026-11", headers=await factories.session_of(anna))
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    head, *lines = csv.reader(StringIO(answer.text))
    assert head == ["day", "model", "person", "key", "runs", "usd"]
    assert sorted(lines) == sorted(
        [["2026-11-03", FLUX, "anna", "anna/a, b", "2", "0.007"]]
        + [["2026-11-03", f"'{begins}SUM(A1)/x", "", "", "1", "0.000001"] for begins in "=+-@"]
    )


async def test_a_page_leads_to_the_months_beside_it(web: httpx.AsyncClient) -> None:
    await entered(3_000)
    page = (await web.get("/spend?month=2026-09", headers=PAGE)).text
    assert "Nothing was spent in September 2026." in page
    assert 'href="?month=2026-11&amp;by=model"' in page
    assert 'href="?month=2026-09' not in (await web.get("/spend?month=2026-11", headers=PAGE)).text


async def test_a_budget_of_which_most_is_used_has_a_notice(web: httpx.AsyncClient) -> None:
    await limits.put("all", "0.01/total", By())
    await entered(7_999)
    budget = await limits.put("all", "0.01/total", By())
    assert "is used." not in (await web.get("/spend", headers=PAGE)).text
    await entered(1)
    await limits.put("all", "0.01/total", By())
    page = (await web.get("/spend", headers=PAGE)).text
    assert "80 % is used." in page
    assert "$0.002</strong> left of $0.01" in page
    assert f"/budgets/{budget.id}/remove" not in page, "the open house has no admin"
    assert "darkroom budgets set all 5/month" in page


async def test_bars_are_colored_by_person_on_request(web: httpx.AsyncClient) -> None:
    anna = await factories.person("anna", Role.ADMIN)
    await entered(3_000, anna)
    await entered(4_000)
    session = await factories.session_of(anna)
    page = (await web.get("/spend?month=2026-11&by=person", headers=session | PAGE)).text
    assert "open house: $0.004" in page
    assert "anna: $0.003" in page
    assert "flux-schnell: $0.007" in (await web.get("/spend?month=2026-11", headers=session | PAGE)).text


def test_the_bars_of_a_day_lie_one_on_the_other_and_the_smallest_sums_are_one() -> None:
    day = date(2026, 11, 3)
    lines = [Line(day, f"a/{number}", None, None, 1, 100 - number) for number in range(MAX_SHOWN + 3)]
    ranking = ranked([Total(line.model, 1, line.micros) for line in lines])
    assert ranking[-1] == Total("3 others", 3, 93 + 92 + 91)
    drawn = bars(day.replace(day=1), lines, ranking, lambda line: line.model)
    assert drawn.top == 1_000
    assert [column.day.day for column in drawn.columns if column.parts] == [3]
    parts = drawn.columns[2].parts
    assert [part.place for part in parts] == list(range(1, MAX_SHOWN + 2))
    assert parts[0].y + parts[0].height == drawn.height
    assert all(upper.y + upper.height == lower.y for lower, upper in pairwise(parts))
    assert drawn.height - parts[-1].y == sum(line.micros for line in lines)
    assert sum(drawn.columns[2].amounts) == sum(line.micros for line in lines)


def test_a_sum_below_zero_has_no_length_and_moves_no_other() -> None:
    day = date(2026, 11, 3)
    lines = [Line(day, name, None, None, 1, micros) for name, micros in (("a/a", 600), ("b/b", -500), ("c/c", 300))]
    ranking = [Total(line.model, 1, line.micros) for line in lines]
    drawn = bars(day.replace(day=1), lines, ranking, lambda line: line.model)
    column = drawn.columns[2]
    assert (drawn.top, column.micros, list(column.amounts)) == (1_000, 400, [600, -500, 300])
    assert [(part.place, part.y, part.height) for part in column.parts] == [(1, 400, 600), (3, 100, 300)]
    only_below = bars(day.replace(day=1), lines[1:2], ranking[1:2], lambda line: line.model)
    assert not any(column.parts for column in only_below.columns)
