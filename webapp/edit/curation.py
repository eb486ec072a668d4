"""What programs record about a job, by PATCH: favorite, rating, tags, notes, trash."""

from collections.abc import Callable
from typing import Any

from litestar import Request, Response, patch
from litestar.params import FromPath
from msgspec import UNSET, structs

from tasks.curation import edits
from tasks.curation.names import tag_name
from tasks.errors import Fault, Rejected
from webapp.edit import output_changes
from webapp.edit.output_changes import MARK_CHECKS
from webapp.http.authentication import actor_of
from webapp.http.errors import Problem
from webapp.http.requests import body_of, existing
from webapp.schemas import describe, examples
from webapp.schemas.codes import Code
from webapp.schemas.jobs import Job
from webapp.schemas.requests import Change

AnyRequest = Request[Any, Any, Any]

TOO_MANY_TAGS = f"A job can have at most {edits.MAX_TAGS} tags."


@patch(
    "/jobs/{job_id:str}",
    status_code=200,
    name="update_job",
    tags=["Jobs"],
    summary="Update a job",
    response_description="The updated job.",
    responses=describe.problems(*describe.BODY, *describe.JOB, Code.JOB_NOT_ENDED),
    opt=describe.takes(Change, examples.CHANGE, parameters=[describe.JOB_ID]),
)
async def change(request: AnyRequest, job_id: FromPath[str]) -> Response[Job]:
    """Change any of `favorite`, `rating`, `tags`, `notes`, `trashed` and `outputs` of a job.

    `tags` replaces all of its tags. A job is a favorite if any of its outputs is, and has the rating of the best: to
    change one of these two changes all outputs, and `outputs` changes single ones, each named by its `position`.

    If anything is invalid, all errors are returned at once and nothing is changed. A job in the trash is permanently
    deleted after the time that the operator has set, 30 days by default; then it returns 410.
    """
    card, (body, unknown) = await existing(job_id, actor_of(request)), await body_of(request, Change)
    asked = {name: value for name, value in structs.asdict(body).items() if value is not UNSET}
    if faults := [*unknown, *_faults(asked), *output_changes.faults(asked.get("outputs", []), card)]:
        raise Rejected("invalid_request", faults)
    one = edits.by_ids([card.job.id])
    if "trashed" in asked:
        outcome = await (edits.trash if asked["trashed"] else edits.restore)(one)
        if outcome.left_out:
            raise Problem(Code.JOB_NOT_ENDED, "This job has not ended. Cancel it first.")
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
    await output_changes.apply(card.job.id, asked.get("outputs", []))
    return Response(Job.of(await existing(job_id, actor_of(request))))


def _faults(asked: dict[str, object]) -> list[Fault]:
    """Return everything that is wrong with the values of the members."""
    checks: dict[str, Callable[[Any], str | None]] = {
        **MARK_CHECKS,
        "notes": lambda value: edits.fault_of_notes(value) if isinstance(value, str) else "This must be a string.",
        "tags": _fault_of_tags,
    }
    return [
        Fault(f"/{name}", fault) for name, value in asked.items() if name in checks and (fault := checks[name](value))
    ]


def _fault_of_tags(value: Any) -> str | None:
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        return "This must be a list of strings."
    try:
        for name in value:
            tag_name(name)
    except ValueError as error:
        return str(error)
    return None if len(value) <= edits.MAX_TAGS else TOO_MANY_TAGS


ROUTES = [change]
