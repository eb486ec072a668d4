"""Actions on many jobs at once (POST /selection), and their undo (POST /undo/{undo_id})."""

from typing import Any
from uuid import UUID

from litestar import MediaType, Request, Response, post, route
from litestar.datastructures import FormMultiDict, MultiDict
from litestar.openapi.spec import Schema
from litestar.openapi.spec.enums import OpenAPIType
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect

from tasks.accounts.actors import Actor, Permission
from tasks.curation import collections, edits, output_edits
from tasks.curation.edits import Outcome
from tasks.db.tables import Condition, Job
from tasks.library import filters, labels
from tasks.library.cards import Card
from tasks.library.query import Unclear
from webapp.edit import output_changes
from webapp.edit.jobs import for_people, in_queue, queue_as_changed
from webapp.edit.notices import MAX_CARDS, as_shown, notice, words
from webapp.edit.output_changes import stars
from webapp.edit.question import question
from webapp.http.authentication import actor_of, refused
from webapp.http.clients import by_htmx, came_from, own_page
from webapp.http.errors import Problem
from webapp.http.methods import READ
from webapp.http.requests import existing
from webapp.listing.query import search_of
from webapp.render import templates
from webapp.schemas import describe, examples
from webapp.schemas import jobs as schemas
from webapp.schemas.codes import Code
from webapp.schemas.requests import Selection

AnyRequest = Request[Any, Any, Any]
Fields = FormMultiDict | MultiDict[str]

OUTPUT = describe.parameter(
    "output", "query", "The position of one output of `job`, if only this is meant.", Schema(type=OpenAPIType.INTEGER)
)
ONE = describe.parameter("job", "query", "One job, in place of those that the form names.", describe.UUID)
UNDO_ID = describe.parameter("undo_id", "path", "From the `undo` of an outcome.", describe.UUID, required=True)
GONE = Problem(Code.UNDO_GONE, "This can no longer be undone.")
SEEN_ON_THE_PRINT = ("favorite", "rate", "tag", "untag", "collect", "take out", "notes")
"""The actions of which one print needs no notice: it shows what was done."""
MAX_NAMED_JOBS = 10_000  # jobs that a request may name one by one; for more it sends the search


@post(
    "/selection",
    status_code=200,
    name="update_jobs",
    tags=["Jobs"],
    summary="Update many jobs at once",
    responses=describe.problems(
        Code.BAD_REQUEST, Code.CROSS_SITE, *describe.JOB, Code.BODY_TOO_LARGE, Code.TOO_MANY_FIELDS,
        Code.NOTHING_SELECTED, Code.UNCLEAR_SEARCH, Code.INVALID_SELECTION, Code.QUEUE_FULL, *describe.HELD,
    )
    | {200: describe.answer(schemas.Outcome, "The outcome.", examples.OUTCOME)},
    opt=describe.takes(
        Selection, examples.SELECTION, media_type="application/x-www-form-urlencoded", parameters=[ONE, OUTPUT]
    ),
)  # fmt: skip
async def act(request: AnyRequest) -> Response[Any]:
    """Apply an action to the jobs named by `job` or, with `all`, to those that the search `q` finds.

    Changes only jobs that differ. The buttons of one print name it in the address. Only then a tag
    may be several, separated by commas, and notes can be written. Browsers get HTML.
    """
    form, actor = await request.form(), actor_of(request)
    action, argument = _asked(form)
    if action in ("retry", "cancel") and not actor.may(Permission.SUBMIT):
        raise await refused(request, Permission.SUBMIT)
    card = await existing(request.query_params["job"], actor) if "job" in request.query_params else None
    try:
        if card is None:
            where = chosen(form, actor)
            if action == "trash" and (asked := await question(request, form, where)):
                return asked
            outcome = await _done(action, argument, where, actor)
        else:
            output = request.query_params.get("output")
            outcome, argument = await _done_to(card, action, argument, actor, output)
    except ValueError as error:
        raise Problem(Code.INVALID_SELECTION, str(error)) from error
    done_as = (outcome.action, outcome.argument) if outcome.undo else (action, argument)
    quiet = card is not None and action in SEEN_ON_THE_PRINT and not outcome.left_out
    if by_htmx(request) and card is not None:
        html = "" if quiet else await notice(*done_as, outcome)
        return Response(await as_shown(request, [card.job.id]) + html, media_type=MediaType.HTML)
    if in_queue(request):
        return await queue_as_changed()
    if by_htmx(request):
        return await _notice(request, *done_as, outcome)
    if not for_people(request):
        return Response(schemas.Outcome.of(outcome))
    if quiet or outcome.undo is None:
        return Redirect(came_from(request), status_code=303)
    query = {"back": came_from(request), "left_out": str(outcome.left_out)}
    return Redirect(f"/undo/{outcome.undo}", query_params=query, status_code=303)


@route("/selection/count", http_method=READ)
async def count(request: AnyRequest, q: FromQuery[str] = "") -> Response[str]:
    """Return how many jobs the search `q` finds, as words for the button that selects them all."""
    found = await Job.count().where(_condition(q, actor_of(request)))
    return Response(f"All {found:,} that match", media_type=MediaType.HTML)


@route("/selection/names", http_method=READ)
async def names(tag: FromQuery[str | None] = None) -> Response[str]:
    """Return completions of a typed tag (`tag`), or of a collection's name, as the options of a list."""
    known = await collections.names() if tag is None else await labels.tags_in_use(tag)
    return templates.page("components/options.html", names=known)


@route("/undo/{undo_id:str}", http_method=READ)
async def done(undo_id: FromPath[str], back: FromQuery[str] = "/", left_out: FromQuery[int] = 0) -> Response[str]:
    """Return a page that says what was done, with an undo button. Forms without script are redirected here."""
    noted = await edits.noted(_id(undo_id))
    if noted is None:
        raise GONE
    action, argument, outcome = noted
    said = await words(action, argument, Outcome(outcome.jobs, left_out=max(0, left_out)))
    return templates.page("pages/done.html", words=said, undo=undo_id, back=own_page(back))


@post(
    "/undo/{undo_id:str}",
    status_code=200,
    tags=["Jobs"],
    summary="Undo an update of many jobs",
    responses=describe.problems(Code.CROSS_SITE, Code.UNDO_GONE)
    | {200: describe.answer(schemas.Outcome, "The update is undone.")},
    opt=describe.takes(parameters=[UNDO_ID]),
)
async def undo(request: AnyRequest, undo_id: FromPath[str]) -> Response[Any]:
    """Undo an action for those of its jobs that are still as it left them, once and within a day.

    Browsers get HTML.
    """
    outcome = await edits.undo(_id(undo_id))
    if outcome is None:
        raise GONE
    if by_htmx(request):
        return await _notice(request, "undo", "", outcome)
    if not for_people(request):
        return Response(schemas.Outcome.of(outcome))
    return Redirect(own_page(str((await request.form()).get("back") or "/")), status_code=303)


def chosen(fields: Fields, actor: Actor) -> Condition:
    """Return the jobs that a form or an address names. Raises Problem when it names none or is invalid."""
    if fields.get("all"):
        return _condition(str(fields.get("q") or ""), actor)
    try:
        job_ids = [UUID(str(value)) for value in fields.getall("job", [])]
    except ValueError:
        raise Problem(Code.INVALID_SELECTION, "A job id is not a valid UUID.") from None
    if not job_ids:
        raise Problem(Code.NOTHING_SELECTED, "Select at least one print.")
    if len(job_ids) > MAX_NAMED_JOBS:
        raise Problem(
            Code.INVALID_SELECTION, f"At most {MAX_NAMED_JOBS:,} prints can be sent by id. Send the search instead."
        )
    return edits.by_ids(job_ids)


def _condition(q: str, actor: Actor) -> Condition:
    try:
        return filters.condition(search_of(q, actor))
    except Unclear as unclear:
        raise Problem(Code.UNCLEAR_SEARCH, str(unclear)) from unclear


def _asked(form: FormMultiDict) -> tuple[str, str]:
    """Return the action and its argument, which follows a colon or is in the field that belongs to the action."""
    action, _, argument = str(form.get("action") or "").partition(":")
    tag, collection = str(form.get("tag") or ""), str(form.get("collection") or "")
    if action == "typed":  # Enter in one of the fields
        action = "tag" if tag else "collect"
    if action in ("tag", "untag"):
        argument = argument or tag
    if action in ("collect", "take out"):
        argument = argument or collection
    if action == "notes":
        argument = str(form.get("notes") or "").replace("\r\n", "\n")  # HTML sends every line break as CRLF
    return action, argument


async def _done_to(card: Card, action: str, argument: str, actor: Actor, output: str | None) -> tuple[Outcome, str]:
    """Apply an action to one job. Returns the outcome and, of several tags, the one that it is of: the last.

    output: the position of the output that alone is meant, if the action can be one on an output.
    """
    if output is not None and action in output_changes.ACTIONS:
        return await output_changes.act(card, output, action, argument), argument
    if action == "notes":
        await edits.write(card.job.id, argument)
        return Outcome(1), argument
    outcome, each = Outcome(0), argument
    for each in argument.strip(" ,").split(",") if action == "tag" else [argument]:
        outcome = await _done(action, each, edits.by_ids([card.job.id]), actor)
        if outcome.left_out:
            break
    return outcome, each


async def _done(action: str, argument: str, where: Condition, actor: Actor) -> Outcome:
    if action == "retry" and actor.models is not None:
        raise Problem(Code.MODEL_NOT_ALLOWED, "The key may only use some models. Retry the jobs one by one.")
    match action:
        case "favorite":
            return await edits.favorite(where, argument != "no")
        case "rate":
            return await edits.rate(where, stars(argument))
        case "tag":
            return await edits.tag(where, argument)
        case "untag":
            return await edits.untag(where, argument)
        case "collect":
            return await edits.collect(where, argument)
        case "take out":
            return await edits.take_out(where, argument)
        case "trash":
            return await edits.trash(where)
        case "restore":
            return await edits.restore(where)
        case "keep":
            return await output_edits.keep_favorites(where)
        case "retry":
            return await edits.retry(where)
        case "cancel":
            return await edits.cancel(where)
        case "delete":
            return await edits.delete(where)
    raise ValueError(f"Unknown action {action!r}.")


async def _notice(request: AnyRequest, action: str, argument: str, outcome: Outcome) -> Response[Any]:
    """Return the notice, with the cards that changed or, for many, a trigger that has the page reload its sheet."""
    several = outcome.jobs > MAX_CARDS or (outcome.jobs > 0 and not outcome.job_ids)
    html = await notice(action, argument, outcome)
    if not several:
        html = await as_shown(request, outcome.job_ids) + html
    return Response(html, media_type=MediaType.HTML, headers={"HX-Trigger": "sheet-stale"} if several else {})


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise GONE from None


ROUTES = [act, count, names, done, undo]
