"""The forms of /spend with which admins set and remove budgets."""

from typing import Any
from uuid import UUID

from litestar import Response, post
from litestar.params import FromPath
from litestar.response import Redirect

from tasks.db.money_tables import Budget
from tasks.errors import Rejected
from tasks.spend import limits
from webapp.http.authentication import requester
from webapp.http.errors import AnyRequest, Problem
from webapp.schemas.codes import Code
from webapp.spend import spend

BUDGETS = "/spend#budgets"


@post("/budgets", status_code=200)
async def put(request: AnyRequest) -> Response[Any]:
    """Set the budget of a scope and a period, or change the one that there is."""
    sent = await request.form()
    form = {name: str(sent.get(name, "")) for name in spend.BUDGET_FIELDS}
    try:
        await limits.put(form["scope"], f"{form['amount']}/{form['period']}", requester(request))
    except Rejected as rejected:
        return await spend.page(request, rejected.faults[0], form)
    return Redirect(BUDGETS, status_code=303)


@post("/budgets/{budget_id:uuid}/remove", status_code=303)
async def remove(request: AnyRequest, budget_id: FromPath[UUID]) -> Redirect:
    """Remove a budget."""
    budget = await Budget.objects().get(Budget.id == budget_id)
    if budget is None:
        raise Problem(Code.NOT_FOUND, "There is no such budget.")
    await limits.remove(budget, requester(request))
    return Redirect(BUDGETS, status_code=303)


ROUTES = [put, remove]
