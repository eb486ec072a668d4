"""Problems as Replicate tells of them.

Source: recorded responses of Replicate, whose members may all be missing.
"""

from urllib.parse import unquote

from msgspec import UNSET, Struct

from tasks.errors import Fault, Rejected
from webapp.http.errors import Problem
from webapp.schemas.codes import Code
from webapp.schemas.members import Maybe

NOT_FOUND = "The requested resource could not be found."
TITLES = {401: "Unauthenticated", 402: "Insufficient credit", 422: "Input validation failed"}
"""Replicate's titles, by status. All others are ours."""
PLACES = {"parameters": "input", "model": "version", "finish_within": "Cancel-After"}
"""Where Replicate's requests have what our own have in these members."""


class Field(Struct):
    """What is wrong with a part of a request."""

    field: str
    description: str
    type: str = "invalid"


class Told(Struct, kw_only=True):
    """A problem. title: Replicate's, where it has one for the status. code: ours, which Replicate does not have."""

    title: Maybe[str] = UNSET
    detail: str
    status: int
    code: Code
    retry_after: Maybe[int] = UNSET
    invalid_fields: Maybe[list[Field]] = UNSET


def told(problem: Problem) -> Told:
    """Return a problem as Replicate tells it."""
    status, seconds = problem.status, problem.headers.get("Retry-After", "")
    if problem.code == Code.UNKNOWN_MODEL:
        return Told(title="Invalid version or not permitted", detail=problem.detail, status=status, code=problem.code)
    if status == 404:
        return Told(detail=NOT_FOUND, status=status, code=problem.code)
    answer = Told(title=problem.code.summary, detail=problem.detail, status=status, code=problem.code)
    if status in TITLES:
        answer.title = TITLES[status]
    if seconds.isdigit():
        answer.retry_after = int(seconds)
    if problem.faults:
        fields = [Field(".".join(_steps(fault.pointer)), fault.message) for fault in problem.faults]
        lines = (f"- {field.field}: {field.description}\n" for field in fields)
        answer.detail, answer.invalid_fields = "".join(lines), fields
    return answer


def of_input(rejected: Rejected, prompt_name: str) -> Rejected:
    """Return a rejection with its faults where Replicate's requests have what is wrong.

    prompt_name: the model's name for the prompt.
    """

    def moved(pointer: str) -> str:
        _, first, *rest = pointer.split("/") if pointer else ("", "")
        places = ["input", prompt_name] if first == "prompt" else [PLACES.get(first, first)]
        return "/".join(["", *places, *rest])

    return Rejected(rejected.code, [Fault(moved(fault.pointer), fault.message) for fault in rejected.faults])


def _steps(pointer: str) -> list[str]:
    return [step.replace("~1", "/").replace("~0", "~") for step in unquote(pointer).split("/")[1:]]
