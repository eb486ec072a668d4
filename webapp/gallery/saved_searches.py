"""Saved searches: listed (GET /searches), saved and deleted by forms; and the counts of searches (/searches/count)."""

from typing import Any
from urllib.parse import parse_qsl
from uuid import UUID

from litestar import MediaType, Request, Response, post, route
from litestar.params import FromPath
from litestar.response import Redirect

from tasks.curation import saved_searches
from webapp.http.authentication import actor_of
from webapp.http.clients import by_htmx, came_from, page_of
from webapp.http.etag import revalidated_json
from webapp.http.methods import READ
from webapp.http.zones import zone_of
from webapp.listing.fragments import search_bar_fragment
from webapp.listing.query import read
from webapp.listing.search_bar import found
from webapp.schemas import describe
from webapp.schemas.library import SavedSearch, SavedSearchList

AnyRequest = Request[Any, Any, Any]


@route("/searches/count", http_method=READ)
async def count(request: AnyRequest) -> Response[str]:
    """Return how many prints the search `q` finds now, in the search bar's words."""
    return Response(await found(read(request.query_params, actor_of(request)).search), media_type=MediaType.HTML)


@route(
    "/searches",
    http_method=READ,
    name="searches",
    tags=["Jobs"],
    summary="List the saved searches",
    response_description="The saved searches.",
    response_headers=[describe.ETAG],
    responses=describe.problems(),
)
async def saved(request: AnyRequest) -> Response[SavedSearchList]:
    """Return the saved searches."""
    found = [SavedSearch(row.name, row.query, row.sort) for row in await saved_searches.saved()]
    return revalidated_json(request.scope, SavedSearchList(found))


@post("/searches", status_code=200)
async def save(request: AnyRequest) -> Response[Any]:
    """Save a search and its order under a name."""
    form = await request.form()
    sheet = read({"q": str(form.get("q", "")), "sort": str(form.get("sort", ""))}, actor_of(request))
    await saved_searches.save(str(form.get("name", "")), sheet.search, sheet.sort)
    return await _shown(request, sheet.address())


@post("/searches/{search_id:uuid}/delete", status_code=200)
async def forget(request: AnyRequest, search_id: FromPath[UUID]) -> Response[Any]:
    """Delete a saved search."""
    await saved_searches.forget(search_id)
    return await _shown(request, came_from(request))


async def _shown(request: AnyRequest, address: str) -> Response[Any]:
    """Return the updated search bar: a fragment for htmx, else a redirect to its page."""
    if not by_htmx(request):
        return Redirect(address, status_code=303)
    query = dict(parse_qsl(page_of(request).query))
    return Response(await search_bar_fragment(query, actor_of(request), zone_of(request)), media_type=MediaType.HTML)


ROUTES = [count, saved, save, forget]
