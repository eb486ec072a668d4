"""/spend: what was spent this month and today, on what and by whom, and the budgets; as a page, as JSON and as CSV."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from io import StringIO
from typing import Any

from litestar import Response, route
from litestar.openapi.spec import Schema
from litestar.openapi.spec.enums import OpenAPIType

from tasks.accounts.actors import OPEN_HOUSE, Actor, Permission
from tasks.db.money_tables import Budget
from tasks.errors import Fault, Rejected
from tasks.models.costs import dollars
from tasks.settings import settings
from tasks.spend import limits, totals
from tasks.spend.totals import Line, Total
from webapp.http.authentication import actor_of
from webapp.http.errors import BY_ACCEPT, AnyRequest, wants_json
from webapp.http.etag import revalidated, revalidated_json
from webapp.http.methods import READ
from webapp.render import templates
from webapp.schemas import describe, examples
from webapp.schemas.codes import Code
from webapp.schemas.money import Spend
from webapp.spend.bars import bars, ranked
from webapp.spend.budget_view import BudgetView

MONTH = describe.parameter(
    "month",
    "query",
    "Such as 2026-11, in the time zone of Darkroom (`TIMEZONE`). Default: this month.",
    Schema(type=OpenAPIType.STRING, pattern="^[0-9]{4}-[0-9]{2}$", examples=["2026-11"]),
)
CSV = "text/csv"
FORMULA = ("=", "+", "-", "@")
"""How formulas begin in spreadsheets."""
BUDGET_FIELDS = ("scope", "amount", "period")
"""The fields of the form for a budget."""


@dataclass(frozen=True, slots=True)
class Report:
    """What an actor may see of a month. month: its first day."""

    month: date
    lines: list[Line]
    today: Total
    budgets: list[Budget]


@route(
    ["/spend", "/spend.json"],
    http_method=READ,
    name="spend",
    tags=["Spend"],
    summary="Get what was spent in a month",
    response_headers=[describe.ETAG],
    responses=describe.problems(Code.INVALID_QUERY) | {200: describe.answer(Spend, "What was spent.", examples.SPEND)},
    opt=describe.takes(parameters=[MONTH], path="/spend.json"),
)
async def spend(request: AnyRequest) -> Response[Any]:
    """Return what the jobs of the key's owner have cost in a month and today, and the budgets that apply to them.

    With the scope `operate`: of everyone, and all budgets. An attempt counts on the day on which it ended, in the time
    zone of Darkroom, if its cost is known.
    """
    if not wants_json(request):
        return revalidated(request, await page(request))
    actor = actor_of(request)
    report = await _report(_month(request), actor)
    shape = Spend.of(report.month, report.lines, report.today, report.budgets, actor)
    return revalidated_json(request.scope, shape, BY_ACCEPT)


@route(
    "/spend.csv",
    http_method=READ,
    tags=["Spend"],
    summary="Get what was spent in a month as a table",
    response_headers=[describe.ETAG],
    responses=describe.problems(Code.INVALID_QUERY)
    | {200: describe.answer(str, "The columns `day`, `model`, `person`, `key`, `runs` and `usd`.", media_type=CSV)},
    opt=describe.takes(parameters=[MONTH]),
)
async def spend_csv(request: AnyRequest) -> Response[str]:
    """Return what the jobs of the key's owner have cost in a month, for spreadsheets.

    Its first line names the columns. With the scope `operate`: of everyone.
    """
    month, table = _month(request), StringIO()
    writer = csv.writer(table)
    writer.writerow(["day", "model", "person", "key", "runs", "usd"])
    for line in await totals.of_month(month, actor_of(request).sees_spending_of):
        names = (_cell(name or "") for name in (line.model, line.person, line.key))
        writer.writerow([line.day.isoformat(), *names, line.runs, dollars(line.micros)])
    name = f"darkroom-spend-{month:%Y-%m}{'-pretend' if settings.standin else ''}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return revalidated(request, Response(table.getvalue(), media_type=CSV, headers=headers))


async def page(request: AnyRequest, fault: Fault | None = None, form: Mapping[str, str] | None = None) -> Response[str]:
    """Return the page. fault: of the form for a budget. form: what was sent with it."""
    actor = actor_of(request)
    report = await _report(_month(request), actor)
    before, after = await totals.beside(report.month, actor.sees_spending_of)
    models, people = totals.grouped(report.lines, _model), totals.grouped(report.lines, _person)
    by_person = len(people) > 1 and request.query_params.get("by") == "person"
    name, ranking = (_person, ranked(people)) if by_person else (_model, ranked(models))
    return templates.page(
        "pages/spend.html",
        422 if fault else 200,
        BY_ACCEPT,
        month=report.month,
        before=before,
        after=after,
        this_month=totals.today().replace(day=1),
        total=totals.summed(report.lines),
        today=report.today,
        unpriced=await totals.unpriced(report.month) if actor.may(Permission.OPERATE) else 0,
        by="person" if by_person else "model",
        ranking=ranking,
        bars=bars(report.month, report.lines, ranking, name),
        models=ranked(models),
        people=ranked(people) if len(people) > 1 else [],
        keys=ranked(totals.grouped(report.lines, _key)),
        budgets=[BudgetView(budget, limits.in_full(budget, actor)) for budget in report.budgets],
        scopes=await limits.scopes() if actor.may(Permission.MANAGE) else [],
        fault=fault,
        form=form or dict.fromkeys(BUDGET_FIELDS, ""),
    )


async def _report(month: date, actor: Actor) -> Report:
    owner = actor.sees_spending_of
    lines, today = await totals.of_month(month, owner), await totals.of_day(totals.today(), owner)
    budgets = await (limits.listed() if owner is None else limits.of_person(owner))
    return Report(month, lines, totals.summed(today), budgets)


def _month(request: AnyRequest) -> date:
    text = request.query_params.get("month", "")
    try:
        return totals.month_of(text) if text else totals.today().replace(day=1)
    except ValueError:
        raise Rejected("invalid_query", [Fault("/month", "A month is written like 2026-11.")]) from None


def _model(line: Line) -> str:
    return line.model


def _person(line: Line) -> str:
    return line.person or OPEN_HOUSE.name


def _key(line: Line) -> str | None:
    return line.key


def _cell(text: str) -> str:
    """Return a text as a cell that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(FORMULA) else text


ROUTES = [spend, spend_csv]
