"""The routes of /collections: list, create, rename and delete collections; deletion keeps their jobs."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from litestar import Request, Response, post, route
from litestar.params import FromPath
from litestar.response import Redirect

from tasks.curation import collections
from tasks.curation.collections import Shelf
from tasks.library import cards
from webapp.http.errors import BY_ACCEPT, Problem, wants_json
from webapp.http.etag import revalidated, revalidated_json
from webapp.http.methods import READ
from webapp.render import templates
from webapp.render.views import CardView
from webapp.schemas import describe
from webapp.schemas.codes import Code
from webapp.schemas.library import Collection, CollectionList

AnyRequest = Request[Any, Any, Any]


@dataclass(frozen=True, slots=True)
class ShelfView:
    """A collection as its page shows it, with the card of its cover if it has a picture."""

    shelf: Shelf
    cover: CardView | None

    @property
    def href(self) -> str:
        """The address of its jobs in the gallery."""
        return "/?" + urlencode({"q": f'collection:"{self.shelf.name}"'})


@route(
    ["/collections", "/collections.json"],
    http_method=READ,
    name="collections",
    tags=["Jobs"],
    summary="List the collections",
    response_headers=[describe.ETAG],
    responses=describe.problems() | {200: describe.answer(CollectionList, "The collections.")},
    opt=describe.takes(path="/collections.json"),
)
async def shelves(request: AnyRequest) -> Response[Any]:
    """Return the page of all collections, each with a link to its jobs, or their JSON."""
    if not wants_json(request):
        return revalidated(request, await _page())
    found = [Collection(shelf.name, shelf.jobs) for shelf in await collections.shelves()]
    return revalidated_json(request.scope, CollectionList(found), BY_ACCEPT)


@post("/collections", status_code=200)
async def create(request: AnyRequest) -> Response[Any]:
    """Create a collection with the name in `name`."""
    name = await _name(request)
    try:
        await collections.create(name)
    except ValueError as error:
        return await _page(422, str(error), name)
    return Redirect("/collections", status_code=303)


@post("/collections/{collection_id:uuid}", status_code=200)
async def rename(request: AnyRequest, collection_id: FromPath[UUID]) -> Response[Any]:
    """Rename a collection to the name in `name`."""
    try:
        renamed = await collections.rename(collection_id, await _name(request))
    except ValueError as error:
        return await _page(422, str(error))
    return _back(renamed)


@post("/collections/{collection_id:uuid}/delete", status_code=200)
async def delete(collection_id: FromPath[UUID]) -> Response[Any]:
    """Delete a collection. Its jobs are kept."""
    return _back(await collections.delete(collection_id))


async def _page(status: int = 200, fault: str = "", name: str = "") -> Response[str]:
    found = await collections.shelves()
    covers = {card.job.id: CardView(card) for card in await cards.by_ids([s.cover for s in found if s.cover])}
    views = [ShelfView(shelf, covers.get(shelf.cover) if shelf.cover else None) for shelf in found]
    return templates.page("pages/collections.html", status, BY_ACCEPT, shelves=views, fault=fault, name=name)


async def _name(request: AnyRequest) -> str:
    value = (await request.form()).get("name")
    return value if isinstance(value, str) else ""


def _back(found: bool) -> Response[Any]:
    if not found:
        raise Problem(Code.COLLECTION_NOT_FOUND, "There is no such collection.")
    return Redirect("/collections", status_code=303)


ROUTES = [shelves, create, rename, delete]
