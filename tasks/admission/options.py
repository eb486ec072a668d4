"""The terms of a request (options besides prompt, model and parameters), as they were sent and as jobs take them."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from tasks.db.tables import Job, Priority
from tasks.errors import Fault, Rejected
from tasks.jobs.insert import NOBODY, Owner
from tasks.models.names import bare
from tasks.webhooks import receivers

PRIORITIES = {priority.name.lower(): priority for priority in Priority}
SHORTEST, LONGEST = 5, 30 * 86400  # seconds that a job may be given to finish


@dataclass(frozen=True, slots=True)
class Options:
    """The terms as they were sent, of any type; None means the default.

    client: whose turn in the queue it takes. owner: whose the jobs are. models: the only ones that the requester may
    use; None for all. sees_only: the person whose jobs are all that the requester may see; None for everyone's.
    priority: one of PRIORITIES. finish_within: whole seconds, SHORTEST to LONGEST. made_from: the id of a job.
    webhook: a URL.
    """

    client: str = ""
    owner: Owner = NOBODY
    models: frozenset[str] | None = None
    sees_only: UUID | None = None
    priority: object = None
    finish_within: object = None
    made_from: object = None
    webhook: object = None

    async def faults(self) -> list[Fault]:
        """Return everything that is wrong with the terms. The properties below are valid only if nothing is."""
        faults = [*self._priority_faults(), *self._finish_within_faults(), *await self._made_from_faults()]
        return [*faults, *self._webhook_faults()]

    @property
    def urgency(self) -> Priority:
        """The priority as jobs take it, NORMAL by default."""
        return PRIORITIES[self.priority] if isinstance(self.priority, str) else Priority.NORMAL

    @property
    def seconds(self) -> int | None:
        """The seconds to finish within, or None for the setting's value."""
        return self.finish_within if isinstance(self.finish_within, int) else None

    @property
    def source(self) -> UUID | None:
        """The id of the job that it is made from, if any."""
        try:
            return UUID(self.made_from) if isinstance(self.made_from, str) else None
        except ValueError:
            return None

    @property
    def address(self) -> str | None:
        """The address that is told of the job, besides endpoints, or None."""
        return self.webhook if isinstance(self.webhook, str) else None

    def _priority_faults(self) -> list[Fault]:
        if self.priority is None or (isinstance(self.priority, str) and self.priority in PRIORITIES):
            return []
        return [Fault("/priority", f"The priority must be one of {', '.join(PRIORITIES)}.")]

    def _finish_within_faults(self) -> list[Fault]:
        seconds = self.finish_within
        if seconds is None or (type(seconds) is int and SHORTEST <= seconds <= LONGEST):  # in Python, True is an int
            return []
        message = f"finish_within must be a whole number of seconds, from {SHORTEST} to {LONGEST:,}."
        return [Fault("/finish_within", message)]

    async def _made_from_faults(self) -> list[Fault]:
        if self.made_from is None:
            return []
        there = (Job.id == self.source) & Job.deleted_at.is_null()
        if self.sees_only is not None:
            there = there & (Job.owner == self.sees_only)
        if self.source is not None and await Job.exists().where(there):
            return []
        return [Fault("/made_from", "made_from must be the id of an existing job.")]

    def _webhook_faults(self) -> list[Fault]:
        fault = None if self.webhook is None else receivers.fault(self.webhook)
        return [] if fault is None else [Fault("/webhook", fault)]


def allow(models: frozenset[str] | None, names: Sequence[str]) -> None:
    """Raise Rejected("model_not_allowed") unless the models, None for all, include all of these names."""
    refused = [] if models is None else [name for name in names if bare(name) not in models]
    if refused:
        raise Rejected("model_not_allowed", [Fault("/model", f"The key may not use {', '.join(refused)}.")])


DEFAULTS = Options()
"""The terms of a request that names none."""
