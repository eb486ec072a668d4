"""The routes of /presets: for programs, for the composer, which saves them, and for the page of their model."""

from typing import Any
from urllib.parse import urlencode

from litestar import Response, delete, post, route
from litestar.di import NamedDependency
from litestar.enums import RequestEncodingType
from litestar.params import FromPath
from litestar.response import Redirect

from tasks.admission.admission import given_parameters, known_model, model_faults
from tasks.curation import presets
from tasks.db.model_tables import Preset
from tasks.errors import Rejected, reject
from tasks.models import registry
from tasks.replicate.client import Replicate
from tasks.settings import settings
from webapp.composer.form import PresetBar, chosen_model, form_of
from webapp.composer.presets import settings_in
from webapp.http.clients import by_htmx
from webapp.http.errors import AnyRequest, Problem
from webapp.http.etag import revalidated_json
from webapp.http.methods import READ
from webapp.http.requests import body_of, existing_model
from webapp.models.models import model_page
from webapp.render import templates
from webapp.schemas import describe
from webapp.schemas.codes import Code
from webapp.schemas.library import Preset as PresetShape
from webapp.schemas.library import PresetList
from webapp.schemas.requests import SavePreset

FORMS = (RequestEncodingType.URL_ENCODED, RequestEncodingType.MULTI_PART)
PRESET_ID = describe.parameter("preset_id", "path", "A version 7 UUID.", describe.UUID, required=True)
NAME = "preset_name"
"""The field of the composer's form with the name of a new preset."""


@route(
    "/presets",
    http_method=READ,
    tags=["Models"],
    summary="List the presets",
    response_description="The presets.",
    response_headers=[describe.ETAG],
    responses=describe.problems(),
)
async def listed(request: AnyRequest) -> Response[PresetList]:
    """Return the named settings of all models, by model and name."""
    return revalidated_json(request.scope, PresetList([PresetShape.of(row) for row in await presets.all_of_them()]))


@post(
    "/presets",
    status_code=201,
    tags=["Models"],
    summary="Save a preset",
    response_description="The preset.",
    responses=describe.problems(
        *describe.BODY, *describe.PROVIDER, Code.INVALID_MODEL, Code.UNKNOWN_MODEL, Code.INVALID_NAME,
        Code.INVALID_PARAMETERS, Code.MODEL_NOT_FOUND, Code.BAD_REQUEST, Code.TOO_MANY_FIELDS,
    ),
    opt=describe.takes(SavePreset),
)  # fmt: skip
async def save(request: AnyRequest, replicate: NamedDependency[Replicate]) -> Response[Any]:
    """Keep settings of a model under a name, which is unique for the model. A model can have up to 50 presets."""
    if request.content_type[0] in FORMS:
        return await _save_form(request, replicate)
    body, unknown = await body_of(request, SavePreset)
    given, faults = given_parameters(body.parameters)
    reject([*model_faults(body.model, "/model"), *presets.name_faults(body.name), *faults], unknown)
    model = await known_model(str(body.model), replicate)
    await registry.keep(model)
    return Response(PresetShape.of(await presets.save(model, str(body.name), given)), status_code=201)


@delete(
    "/presets/{preset_id:str}",
    status_code=204,
    tags=["Models"],
    summary="Delete a preset",
    responses=describe.problems(Code.CROSS_SITE, Code.PRESET_NOT_FOUND),
    opt=describe.takes(parameters=[PRESET_ID]),
)
async def remove(preset_id: FromPath[str]) -> None:
    """Delete a preset. Jobs that were made with it keep their settings."""
    await presets.delete((await _existing(preset_id)).id)


@post("/presets/{preset_id:str}", status_code=200)
async def change(request: AnyRequest, preset_id: FromPath[str], replicate: NamedDependency[Replicate]) -> Response[Any]:
    """Rename or delete a preset, as the button says that was pressed on the page of its model."""
    form, preset = await request.form(), await _existing(preset_id)
    match str(form.get("action", "")):
        case "rename":
            try:
                await presets.rename(preset.id, str(form.get("name", "")))
            except Rejected as rejected:
                model = await existing_model(preset.model, replicate)
                return await model_page(model, rejected.faults[0].message, preset_id)
        case "delete":
            await presets.delete(preset.id)
        case _:
            raise Problem(Code.BAD_REQUEST, "There is no such action.")
    return Redirect(f"/models/{preset.model}#presets", status_code=303)


async def _save_form(request: AnyRequest, replicate: Replicate) -> Response[Any]:
    """Save the settings in the composer's form. Returns its presets for htmx, else a redirect to the same form."""
    form = form_of((await request.form()).items())
    name, typed = chosen_model(form, settings.default_model), form.get(NAME, [""])[-1]
    model = await existing_model(name, replicate)
    fault = ""
    try:
        given, faults = given_parameters(settings_in(form, model))
        reject(faults)
        await registry.keep(model)
        await presets.save(model, typed, given)
    except Rejected as rejected:
        if not by_htmx(request):
            raise
        fault = rejected.faults[0].message
    if by_htmx(request):
        bar = PresetBar(await presets.of_model(model.name), typed if fault else "", fault)
        return templates.page("fragments/presets.html", 422 if fault else 200, presets=bar)
    kept = [(field, value) for field, values in form.items() for value in values if field != NAME]
    return Redirect(f"/?{urlencode(kept)}", status_code=303)


async def _existing(preset_id: str) -> Preset:
    """Return the preset with this id. Raises Problem when there is none."""
    found = await presets.find(preset_id)
    if found is None:
        raise Problem(Code.PRESET_NOT_FOUND, "There is no such preset.")
    return found


ROUTES = [listed, save, remove, change]
