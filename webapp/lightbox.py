"""A print looked at closely: the way to those beside it, and what the lightbox tells of it."""

from typing import Any
from urllib.parse import urlencode

from litestar import Response, route
from litestar.params import FromPath

from tasks import library
from tasks.library import Card
from tasks.search import Search, Unclear, parse
from webapp import pages
from webapp.api import existing
from webapp.fragments import job_context
from webapp.methods import READ


@route("/jobs/{job_id:str}/panel", http_method=READ)
async def panel(job_id: FromPath[str]) -> Response[str]:
    """Prompt, model and settings of a job, for the panel of the lightbox."""
    card = await existing(job_id)
    return pages.page("partials/panel.html", **await job_context(card))


async def beside_context(card: Card, q: str, sort: str) -> dict[str, Any]:
    """What a job's page needs to lead on to those beside it in the grid with this search and order."""
    within = urlencode({name: value for name, value in (("q", q), ("sort", sort)) if value})
    previous, following = await library.neighbours(card.job.id, _search(q), sort)
    return {"within": f"?{within}" if within else "", "previous": previous, "following": following}


def _search(q: str) -> Search:
    """What is searched for; everything, where nobody can tell."""
    try:
        return parse(q)
    except Unclear:
        return Search()
