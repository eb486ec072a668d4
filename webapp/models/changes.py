"""The forms of the models' pages: a model is added, starred, hidden, or shown again."""

from typing import Any

from litestar import Response, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect

from tasks.admission.admission import is_model_name
from tasks.curation import model_marks
from tasks.errors import Failure
from tasks.models import registry
from tasks.models.names import named_in
from tasks.replicate.client import Replicate
from webapp.http.clients import came_from
from webapp.http.errors import AnyRequest, Problem
from webapp.http.requests import existing_model
from webapp.models.cards import anchor
from webapp.models.models import shelf_page
from webapp.schemas.codes import Code

NO_ADDRESS = "Paste the address of a model at Replicate, or its name as owner/name."
NO_PROMPT = "does not accept a text prompt, so Darkroom cannot use it."


@post("/models", status_code=200)
async def add(request: AnyRequest, replicate: NamedDependency[Replicate]) -> Response[Any]:
    """Add the model whose page at Replicate has the address in `address`, after Replicate has confirmed it."""
    address = str((await request.form()).get("address", ""))
    name = named_in(address)
    if not is_model_name(name):
        return await shelf_page(NO_ADDRESS, address)
    try:
        found = await registry.look_up(name, replicate)
    except Failure as failure:
        return await shelf_page(failure.message, address)
    if found is None:
        return await shelf_page(f"Replicate has no model {name}.", address)
    if found.prompt_name is None:
        return await shelf_page(f"{name} {NO_PROMPT}", address)
    await registry.keep(found)
    await model_marks.hide(name, False)
    return Redirect(f"/models/{name}", status_code=303)


@post("/models/{owner:str}/{name:str}", status_code=303)
async def mark(
    request: AnyRequest, owner: FromPath[str], name: FromPath[str], replicate: NamedDependency[Replicate]
) -> Redirect:
    """Star or hide a model, or take that back, as the button says that was pressed."""
    found, form = await existing_model(f"{owner}/{name}", replicate), await request.form()
    action = str(form.get("action", ""))
    if action not in ("star", "unstar", "hide", "show"):
        raise Problem(Code.BAD_REQUEST, "There is no such action.")
    await registry.keep(found)
    if action in ("star", "unstar"):
        await model_marks.star(found.name, action == "star")
    else:
        await model_marks.hide(found.name, action == "hide")
    page = came_from(request)
    return Redirect(f"{page}#{anchor(found.name)}" if page == "/models" else page, status_code=303)


ROUTES = [add, mark]
