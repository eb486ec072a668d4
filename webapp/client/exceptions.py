"""The errors of the client: one class for each thing that a program may want to do about them."""

from typing import TYPE_CHECKING

from webapp.client.shapes import Problem

if TYPE_CHECKING:
    from webapp.client.job import Job


class DarkroomError(Exception):
    """An error of a call. Its text is a line for people."""


class Unreachable(DarkroomError):
    """Darkroom did not answer. The call may have been carried out."""


class NotDarkroom(Unreachable):
    """Something else answered."""


class Refused(DarkroomError):
    """Darkroom refused the request. `problem` says why. retry_after: seconds, if trying again then may help."""

    def __init__(self, problem: Problem, retry_after: float | None = None) -> None:
        super().__init__(problem.detail)
        self.problem, self.retry_after = problem, retry_after

    @property
    def code(self) -> str:
        """The kind of the error, stable for programs: /errors/{code} explains it."""
        return self.problem.code


class InvalidRequest(Refused):
    """The request is wrong: `problem.errors` says where."""


class KeyRefused(Refused):
    """There is no key, or it does not work, or it may not do this."""


class NotFound(Refused):
    """There is nothing with this id, or not any more."""


class BudgetRefused(Refused):
    """A budget has no room for the request: `problem.budget` says which one."""


class QueueFull(Refused):
    """The maximum number of jobs is waiting. Nothing was accepted."""


class Unavailable(Refused):
    """Something that Darkroom needs does not answer now."""


class UnknownModel(DarkroomError):
    """No model, or more than one, has the bare name."""


class NotCompleted(DarkroomError):
    """A job that was waited for has failed or was canceled."""

    def __init__(self, job: "Job") -> None:
        state = job.state
        super().__init__(state.error or f"The job is {state.status}.")
        self.job = job


BY_CODE: dict[str, type[Refused]] = {
    **dict.fromkeys(("sign_in_required", "key_mistyped", "key_unknown", "key_revoked", "key_expired"), KeyRefused),
    **dict.fromkeys(("missing_scope", "model_not_allowed", "not_allowed", "cross_site"), KeyRefused),
    **dict.fromkeys(("job_not_found", "job_deleted", "model_not_found", "batch_not_found", "not_found"), NotFound),
    **dict.fromkeys(("budget_exceeded", "price_unknown"), BudgetRefused),
    "queue_full": QueueFull,
}


def of(problem: Problem, retry_after: float | None) -> Refused:
    """Return the error for a problem: by its code and, for any other code, by its status."""
    kind = BY_CODE.get(problem.code) or (Unavailable if problem.status >= 500 else InvalidRequest)
    return kind(problem, retry_after)
