"""/prices: what runs of each model cost, where that is from, and the form for a price of one's own."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from litestar import Response, post, route
from litestar.params import FromPath
from litestar.response import Redirect

from tasks.db.money_tables import ModelPrice
from tasks.errors import Fault, Rejected
from tasks.models import prices, registry
from tasks.models.names import bare
from tasks.models.tariffs import Price
from tasks.spend import own_prices
from webapp.http.authentication import requester
from webapp.http.errors import AnyRequest, Problem
from webapp.http.etag import revalidated
from webapp.http.methods import READ
from webapp.render import templates
from webapp.schemas.codes import Code

FIELDS = ("model", "amount", "unit")
"""The fields of the form."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A price in the history of a model's. price: None where the one before it was taken back."""

    row: ModelPrice
    price: Price | None


@dataclass(frozen=True, slots=True)
class Listed:
    """A model with its price, None where that is not known. own: its id, if an admin has set it."""

    model: str
    price: Price | None
    own: UUID | None
    history: Sequence[Entry]


@route("/prices", http_method=READ)
async def listed(request: AnyRequest) -> Response[str]:
    """Return the page with the prices of all models that are known, or have a known price."""
    return revalidated(request, await _page())


@post("/prices", status_code=200)
async def put(request: AnyRequest) -> Response[Any]:
    """Set the price of a model."""
    sent = await request.form()
    form = {name: str(sent.get(name, "")) for name in FIELDS}
    try:
        await own_prices.put(**form, by=requester(request))
    except Rejected as rejected:
        return await _page(rejected.faults, form)
    return Redirect("/prices", status_code=303)


@post("/prices/{price_id:uuid}/take-back", status_code=303)
async def take_back(request: AnyRequest, price_id: FromPath[UUID]) -> Redirect:
    """Take back a price that was set here: the one before it counts again."""
    if not await own_prices.take_back(price_id, requester(request)):
        raise Problem(Code.NOT_FOUND, "This price does not count any more.")
    return Redirect("/prices", status_code=303)


async def _page(faults: Sequence[Fault] = (), form: Mapping[str, str] | None = None) -> Response[str]:
    names = {bare(model.name) for model in await registry.known()} | await prices.priced()
    return templates.page(
        "pages/prices.html",
        422 if faults else 200,
        models=await asyncio.gather(*(_listed(name) for name in sorted(names))),
        units=list(own_prices.UNITS),
        faults={fault.pointer: fault.message for fault in faults},
        form=form or dict.fromkeys(FIELDS, ""),
    )


async def _listed(name: str) -> Listed:
    rows = await prices.history(name)
    standing = prices.standing(rows)
    price = (prices.price_of(standing) if standing else None) or prices.shipped(name)
    own = standing.id if standing and standing.source == prices.OWN else None
    return Listed(name, price, own, [Entry(row, prices.price_of(row)) for row in reversed(rows)])


ROUTES = [listed, put, take_back]
