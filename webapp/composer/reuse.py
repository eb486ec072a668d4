"""What a result can be used for next: links that fill in the composer."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from litestar import Response, route
from litestar.params import FromPath, FromQuery

from tasks.db.tables import Output, Status
from tasks.files import input_files
from tasks.library.cards import Card
from tasks.models import registry
from tasks.models.usage import COUNTS
from webapp.composer.form import as_query
from webapp.http.authentication import actor_of
from webapp.http.errors import AnyRequest
from webapp.http.methods import READ
from webapp.http.requests import existing
from webapp.render import templates

EDITOR = ("google/nano-banana", "image_input")  # takes a picture when the job's own model takes none
NO_PICTURE = ("mask", "audio", "video", "weights", "last")  # in the names of parameters whose files are something else


@dataclass(frozen=True, slots=True)
class Uses:
    """Addresses of the composer with all of a job, its prompt, all but its seed, its seed, or its picture as input."""

    again: str
    prompt: str
    variation: str
    seed: str | None
    image: str | None


@route("/jobs/{job_id:str}/uses", http_method=READ)
async def menu(request: AnyRequest, job_id: FromPath[str], output: FromQuery[int | None] = None) -> Response[str]:
    """Return the links to what can be made from a job, or from its output at a position, for the menu at its card."""
    card = await existing(job_id, actor_of(request))
    meant = next((row for row in card.outputs if row.position == output), None)
    return templates.page("fragments/uses.html", job=card.job, uses=await uses(card, meant))


async def uses(card: Card, output: Output | None = None) -> Uses:
    """Return the addresses of what can be made from a job.

    output: one of several, of which one variation is made, and whose picture is the input. Without it, the picture is
    that of the only one.
    """
    job, given = card.job, card.parameters
    fresh = {name: value for name, value in given.items() if name != "seed"}
    single = {name: 1 if output is not None and name in COUNTS else value for name, value in fresh.items()}
    exactly = fresh | ({"seed": job.seed} if job.seed is not None else given)
    return Uses(
        again=_address(job.prompt, job.model, exactly, job.id),
        prompt=_address(job.prompt, job.model, {}, job.id),
        variation=_address(job.prompt, job.model, single, job.id),
        seed=None if job.seed is None else _address("", job.model, {"seed": job.seed}, lock=True),
        image=await _as_image(card, output or (card.outputs[0] if len(card.outputs) == 1 else None), single),
    )


async def _as_image(card: Card, picture: Output | None, parameters: dict[str, Any]) -> str | None:
    if card.job.status != Status.COMPLETED or picture is None or picture.kind != "image":
        return None
    address = f"/media/{picture.key}"
    name, several = await _picture_parameter(card.job.model)
    if name is None:
        model, name = EDITOR
        return _address("", model, {name: [address]}, card.job.id)
    return _address(
        card.job.prompt, card.job.model, parameters | {name: [address] if several else address}, card.job.id
    )


async def _picture_parameter(model: str) -> tuple[str | None, bool]:
    """Return the parameter of a model that takes a picture, or None, and whether it takes several."""
    known = await registry.stored(model)
    for name, schema in known.input_schema["properties"].items() if known else ():
        if input_files.takes_file(schema) and not any(word in name for word in NO_PICTURE):
            return name, input_files.is_list(schema)
    return None, False


def _address(prompt: str, model: str, parameters: dict[str, Any], made_from: object = None, lock: bool = False) -> str:
    return f"/?{urlencode(as_query(prompt, model, parameters, made_from, lock))}"
