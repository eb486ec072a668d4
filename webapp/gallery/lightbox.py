"""The close view of a print: links to its neighbors, and what the lightbox shows about it."""

from typing import Any

from litestar import Response, route
from litestar.params import FromPath

from tasks.accounts.actors import Actor
from tasks.errors import Rejected
from tasks.library import cards
from tasks.library.cards import Card
from webapp.http.authentication import actor_of
from webapp.http.errors import AnyRequest
from webapp.http.methods import READ
from webapp.http.requests import existing
from webapp.listing.fragments import job_context
from webapp.listing.query import Sheet, read
from webapp.render import templates


@route("/jobs/{job_id:str}/panel", http_method=READ)
async def panel(request: AnyRequest, job_id: FromPath[str]) -> Response[str]:
    """Return the prompt, model and settings of a job, for the panel of the lightbox."""
    card = await existing(job_id, actor_of(request))
    return templates.page("fragments/panel.html", **await job_context(card))


async def neighbors_context(card: Card, q: str, sort: str, actor: Actor) -> dict[str, Any]:
    """Return what a job's page needs to link to its neighbors in the grid with this search and order."""
    sheet = _sheet(q, sort, actor)
    previous, following = await cards.neighbors(card.job.id, sheet.search, sheet.sort)
    return {"within": sheet.address(path=""), "previous": previous, "following": following}


def _sheet(q: str, sort: str, actor: Actor) -> Sheet:
    """Return the sheet that the job was opened from, or the whole gallery when `q` or `sort` is invalid."""
    try:
        return read({"q": q, "sort": sort}, actor)
    except Rejected:
        return Sheet()
