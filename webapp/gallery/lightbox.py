"""The close view of a print: links to its neighbors, and what the lightbox shows about it."""

from typing import Any

from litestar import Response, route
from litestar.params import FromPath, FromQuery

from tasks.accounts.actors import Actor
from tasks.library import cards
from tasks.library.cards import Card
from webapp.http.authentication import actor_of
from webapp.http.errors import AnyRequest
from webapp.http.methods import READ
from webapp.http.requests import existing
from webapp.listing.fragments import panel_context
from webapp.listing.query import read_or_whole
from webapp.render import templates


@route("/jobs/{job_id:str}/panel", http_method=READ)
async def panel(
    request: AnyRequest, job_id: FromPath[str], q: FromQuery[str] = "", sort: FromQuery[str] = ""
) -> Response[str]:
    """Return what the panel of the lightbox shows about a job, with its place in the grid of a search and an order."""
    actor = actor_of(request)
    card = await existing(job_id, actor)
    sheet = read_or_whole({"q": q, "sort": sort}, actor)
    return templates.page("fragments/panel.html", **await panel_context(card, sheet))


async def neighbors_context(card: Card, q: str, sort: str, actor: Actor) -> dict[str, Any]:
    """Return what a job's page needs to link to its neighbors in the grid with this search and order."""
    sheet = read_or_whole({"q": q, "sort": sort}, actor)
    previous, following = await cards.neighbors(card.job.id, sheet.search, sheet.sort)
    return {"within": sheet.address(path=""), "previous": previous, "following": following}
