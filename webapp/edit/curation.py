"""What users record about one job, by forms and by PATCH: favorite, rating, tags, collections, notes, trash."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from litestar import Request, Response, patch, post
from litestar.params import FromPath
from litestar.response import Redirect

from tasks.curation import edits
from tasks.curation.edits import Outcome
from tasks.curation.names import tag_name
from tasks.errors import Fault, Rejected
from tasks.library.cards import Card
from webapp.edit.jobs import HTML, for_people
from webapp.edit.notices import anew, notice
from webapp.http.clients import by_htmx, came_from
from webapp.http.errors import Problem
from webapp.http.requests import existing, json_object, unknown_members
from webapp.render.views import job_json

AnyRequest = Request[Any, Any, Any]
Members = dict[str, object]

T = TypeVar("T")

TOO_MANY_TAGS = f"A job can have at most {edits.MAX_TAGS} tags."
MEMBERS = ("favorite", "rating", "tags", "notes", "trashed")


@post("/jobs/{job_id:str}/favorite", status_code=200)
async def favorite(request: AnyRequest, job_id: FromPath[str]) -> Response[Any]:
    """Mark a job as a favorite (`favorite`: yes), or remove the mark (no)."""
    card = await existing(job_id)
    await edits.favorite(_only(card), await _field(request, "favorite") != "no")
    return await _answer(request, job_id)


@post("/jobs/{job_id:str}/rating", status_code=200)
async def rating(request: AnyRequest, job_id: FromPath[str]) -> Response[Any]:
    """Set the stars of a job (`rating`: 0 to 5)."""
    card, stars = await existing(job_id), await _field(request, "rating")
    if stars not in ("0", "1", "2", "3", "4", "5"):
        raise _refused("rating", edits.RATING_FAULT)
    await edits.rate(_only(card), int(stars))
    return await _answer(request, job_id)


@post("/jobs/{job_id:str}/tags", status_code=200)
async def tags(request: AnyRequest, job_id: FromPath[str]) -> Response[Any]:
    """Add tags to a job (`tag`: separated by commas), or remove one (`untag`)."""
    card, off = await existing(job_id), await _field(request, "untag")
    if off:
        await _understood("untag", edits.untag(_only(card), off))
    for name in [] if off else (await _field(request, "tag")).strip(" ,").split(","):
        outcome = await _understood("tag", edits.tag(_only(card), name))
        if outcome.left_out:
            raise _refused("tag", TOO_MANY_TAGS)
    return await _answer(request, job_id)


@post("/jobs/{job_id:str}/collect", status_code=200)
async def collect(request: AnyRequest, job_id: FromPath[str]) -> Response[Any]:
    """Add a job to a collection (`collection`), or remove it from one (`take_out`)."""
    card, out = await existing(job_id), await _field(request, "take_out")
    if out:
        await _understood("take_out", edits.take_out(_only(card), out))
    else:
        await _understood("collection", edits.collect(_only(card), await _field(request, "collection")))
    return await _answer(request, job_id)


@post("/jobs/{job_id:str}/notes", status_code=200)
async def notes(request: AnyRequest, job_id: FromPath[str]) -> Response[Any]:
    """Replace the notes of a job (`notes`)."""
    card = await existing(job_id)
    written = (await _field(request, "notes")).replace("\r\n", "\n")  # HTML sends every line break as CRLF
    await _understood("notes", edits.write(card.job.id, written))
    return await _answer(request, job_id)


@post("/jobs/{job_id:str}/trash", status_code=200)
async def trash(request: AnyRequest, job_id: FromPath[str]) -> Response[Any]:
    """Move a job that has ended to the trash."""
    return await _moved(request, job_id, "trash", edits.trash)


@post("/jobs/{job_id:str}/restore", status_code=200)
async def restore(request: AnyRequest, job_id: FromPath[str]) -> Response[Any]:
    """Restore a job from the trash."""
    return await _moved(request, job_id, "restore", edits.restore)


@patch("/jobs/{job_id:str}", status_code=200)
async def change(request: AnyRequest, job_id: FromPath[str]) -> Response[Any]:
    """Change any of `favorite`, `rating`, `tags`, `notes` and `trashed` of a job. `tags` replaces all of its tags."""
    card, asked = await existing(job_id), _checked(await json_object(request))
    one = _only(card)
    if "trashed" in asked:
        outcome = await (edits.trash if asked["trashed"] else edits.restore)(one)
        _check_left_out(outcome)
    if "favorite" in asked:
        await edits.favorite(one, bool(asked["favorite"]))
    if isinstance(stars := asked.get("rating"), int):
        await edits.rate(one, stars)
    if isinstance(wanted := asked.get("tags"), list):
        names = {tag_name(name) for name in wanted}
        for name in set(card.marks.tags) - names:
            await edits.untag(one, name)
        for name in names.difference(card.marks.tags):
            await edits.tag(one, name)
    if isinstance(written := asked.get("notes"), str):
        await edits.write(card.job.id, written)
    return Response(job_json(await existing(job_id)))


def _checked(body: Members) -> Members:
    """Return the requested changes. Raises Rejected with every fault in them."""
    checks: dict[str, Callable[[Any], str | None]] = {
        "favorite": lambda value: None if isinstance(value, bool) else "This must be true or false.",
        "trashed": lambda value: None if isinstance(value, bool) else "This must be true or false.",
        "rating": lambda value: None if type(value) is int and 0 <= value <= 5 else edits.RATING_FAULT,
        "notes": lambda value: edits.fault_of_notes(value) if isinstance(value, str) else "This must be a string.",
        "tags": _fault_of_tags,
    }
    faults = unknown_members(body, MEMBERS)
    faults += [
        Fault(f"/{name}", fault) for name, value in body.items() if name in checks and (fault := checks[name](value))
    ]
    if faults:
        raise Rejected("invalid_request", faults)
    return body


def _fault_of_tags(value: Any) -> str | None:
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        return "This must be a list of strings."
    try:
        for name in value:
            tag_name(name)
    except ValueError as error:
        return str(error)
    return None if len(value) <= edits.MAX_TAGS else TOO_MANY_TAGS


async def _moved(
    request: AnyRequest, job_id: str, action: str, move: Callable[[Any], Awaitable[Outcome]]
) -> Response[Any]:
    card = await existing(job_id)
    outcome = await move(_only(card))
    _check_left_out(outcome)
    if by_htmx(request):
        return Response(await anew(request, [card.job.id]) + await notice(action, "", outcome), media_type=HTML)
    if for_people(request) and outcome.undo:
        return Redirect(f"/undo/{outcome.undo}", query_params={"back": came_from(request)}, status_code=303)
    return await _answer(request, job_id)


async def _answer(request: AnyRequest, job_id: str) -> Response[Any]:
    """Return the job as it is now: HTML or a redirect for a browser, its JSON shape for a program."""
    card = await existing(job_id)
    if by_htmx(request):
        return Response(await anew(request, [card.job.id]), media_type=HTML)
    return Redirect(came_from(request), status_code=303) if for_people(request) else Response(job_json(card))


async def _understood(field: str, doing: Awaitable[T]) -> T:
    try:
        return await doing
    except ValueError as error:
        raise _refused(field, str(error)) from error


async def _field(request: AnyRequest, name: str) -> str:
    value = (await request.form()).get(name)
    return value if isinstance(value, str) else ""


def _only(card: Card) -> Any:
    return edits.by_ids([card.job.id])


def _refused(field: str, why: str) -> Rejected:
    return Rejected("invalid_request", [Fault(f"/{field}", why)])


def _check_left_out(outcome: Outcome) -> None:
    if outcome.left_out:
        raise Problem(409, "job_not_ended", "This job has not ended. Cancel it first.")


ROUTES = [favorite, rating, tags, collect, notes, trash, restore, change]
