"""What helps to write a search: the filter panel, and suggestions while one types."""

from litestar import Response, route

from tasks.library.query import MAX_LENGTH
from webapp.http.authentication import actor_of
from webapp.http.clients import by_htmx
from webapp.http.errors import AnyRequest
from webapp.http.methods import READ
from webapp.listing.filter_panel import filter_panel
from webapp.listing.query import read
from webapp.listing.suggestions import suggestions
from webapp.render import templates

HEADERS = {"Cache-Control": "no-store", "Vary": "HX-Request"}


@route("/searches/filter", http_method=READ)
async def filters(request: AnyRequest) -> Response[str]:
    """Return the filter panel of the search `q`: for htmx a fragment, else a page."""
    sheet = read(request.query_params, actor_of(request))
    facets = await filter_panel(sheet)
    if by_htmx(request):
        return templates.page("fragments/filter_panel.html", headers=HEADERS, facets=facets)
    return templates.page("pages/filter.html", headers=HEADERS, facets=facets, back=sheet.address())


@route("/searches/suggestions", http_method=READ)
async def suggested(request: AnyRequest) -> Response[str]:
    """Return what the end of the text `q`, up to the cursor, may mean, as options of the list below the search box."""
    found = await suggestions(request.query_params.get("q", "")[:MAX_LENGTH])
    return templates.page("fragments/suggestions.html", headers=HEADERS, suggestions=found)


ROUTES = [filters, suggested]
