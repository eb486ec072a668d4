"""The shapes of errors, and of health checks."""

from collections.abc import Sequence
from typing import Annotated, Literal, Self
from urllib.parse import quote

from msgspec import UNSET, Meta, Struct

from tasks.errors import Fault
from webapp.schemas.codes import Code
from webapp.schemas.members import Maybe, given
from webapp.schemas.money import BudgetState

PROBLEM_TYPE = "application/problem+json"
FRAGMENT = "/?:@!$&'()*+,;="  # what a URI's fragment may contain as it is, besides letters, digits and -._~ (RFC 3986)


class Health(Struct):
    """A process that is alive."""

    status: Literal["ok"]


class Readiness(Struct):
    """Whether Darkroom can do its work."""

    status: Literal["ready", "not ready"]
    checks: Annotated[
        dict[str, str],
        Meta(description="`ok`, or the reason why not. For the queue: `ok`, or `halted: ` and the reason."),
    ]


class FaultDetails(Struct):
    """An error in one place of a request."""

    pointer: Annotated[str, Meta(description="The place in the body: a JSON Pointer (RFC 6901) as a URI fragment.")]
    detail: str


class ProblemDetails(Struct):
    """An error (RFC 9457)."""

    type: Annotated[str, Meta(description="The address of a page that explains the code.")]
    title: str
    status: int
    detail: Annotated[str, Meta(description="A sentence for people.")]
    code: Annotated[Code, Meta(description="Stable, for programs.")]
    errors: Maybe[Annotated[list[FaultDetails], Meta(description="Everything that is wrong with the request.")]] = UNSET
    budget: Maybe[Annotated[BudgetState, Meta(description="The budget that has no room. `budget_exceeded` only.")]] = (
        UNSET
    )
    request_id: Maybe[
        Annotated[str, Meta(description="The request's, as in the header `X-Request-ID` and the operator's log.")]
    ] = UNSET

    @classmethod
    def of(
        cls,
        code: Code,
        detail: str,
        status: int | None = None,
        faults: Sequence[Fault] = (),
        budget: BudgetState | None = None,
        request_id: str | None = None,
    ) -> Self:
        """Return the shape of an error. status: if it is not the usual one of the code."""
        listed = [FaultDetails(f"#{quote(fault.pointer, FRAGMENT)}", fault.message) for fault in faults]
        title, of_all = code.summary, status or code.status
        of_some = (listed or UNSET, given(budget), given(request_id))
        return cls(f"/errors/{code}", title, of_all, detail, code, *of_some)
