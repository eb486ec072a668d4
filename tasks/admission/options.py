"""The terms of a request (options besides prompt, model and parameters), as they were sent and as jobs take them."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from tasks.db.tables import Job, Priority
from tasks.errors import Fault, Rejected, pointer
from tasks.jobs.idempotency import Key
from tasks.jobs.insert import NOBODY, Owner, Terms
from tasks.models.names import bare
from tasks.models.strict_json import is_text
from tasks.webhooks import receivers

PRIORITIES = {priority.name.lower(): priority for priority in Priority}
SHORTEST, LONGEST = 5, 30 * 86400  # seconds that a job may be given to finish
MAX_PAIRS = 20  # of metadata
METADATA_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
MAX_METADATA_VALUE = 500  # characters
MAX_METADATA = 2048  # bytes of all pairs as JSON


@dataclass(frozen=True, slots=True)
class Options:
    """The terms as they were sent, of any type; None means the default.

    client: whose turn in the queue it takes. owner: whose the jobs are. models: the only ones that the requester may
    use; None for all. sees_only: the person whose jobs are all that the requester may see; None for everyone's. key:
    the request's idempotency key. origin: the door that it came in by.

    priority: one of PRIORITIES. finish_within: whole seconds, SHORTEST to LONGEST. made_from: the id of a job.
    metadata: up to MAX_PAIRS strings by name. webhook: a URL.
    """

    client: str = ""
    owner: Owner = NOBODY
    models: frozenset[str] | None = None
    sees_only: UUID | None = None
    key: Key | None = None
    origin: str = ""
    priority: object = None
    finish_within: object = None
    made_from: object = None
    metadata: object = None
    webhook: object = None

    async def faults(self) -> list[Fault]:
        """Return everything that is wrong with the terms. for_jobs() is valid only if nothing is."""
        return [
            *self._priority_faults(),
            *self._finish_within_faults(),
            *await self._made_from_faults(),
            *_metadata_faults(self.metadata),
            *self._webhook_faults(),
        ]

    def for_jobs(self, client: str) -> Terms:
        """Return the terms as jobs take them. client: that they wait as, see backlog.client_in_line()."""
        priority = PRIORITIES[self.priority] if isinstance(self.priority, str) else Priority.NORMAL
        seconds = self.finish_within if isinstance(self.finish_within, int) else None
        metadata = self.metadata if isinstance(self.metadata, Mapping) else None
        webhook = self.webhook if isinstance(self.webhook, str) else None
        return Terms(client, priority, seconds, self._source, self.owner, metadata, self.origin, webhook)

    @property
    def _source(self) -> UUID | None:
        try:
            return UUID(self.made_from) if isinstance(self.made_from, str) else None
        except ValueError:
            return None

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
        there = (Job.id == self._source) & Job.deleted_at.is_null()
        if self.sees_only is not None:
            there = there & (Job.owner == self.sees_only)
        if self._source is not None and await Job.exists().where(there):
            return []
        return [Fault("/made_from", "made_from must be the id of an existing job.")]

    def _webhook_faults(self) -> list[Fault]:
        fault = None if self.webhook is None else receivers.fault(self.webhook)
        return [] if fault is None else [Fault("/webhook", fault)]


def _metadata_faults(metadata: object) -> list[Fault]:
    if metadata is None:
        return []
    if not isinstance(metadata, Mapping):
        return [Fault("/metadata", "The metadata must be an object with strings.")]
    if (
        len(metadata) > MAX_PAIRS
        or len(json.dumps(metadata, ensure_ascii=False).encode(errors="replace")) > MAX_METADATA
    ):
        return [Fault("/metadata", f"The metadata can have {MAX_PAIRS} pairs and {MAX_METADATA:,} bytes as JSON.")]
    return [*_name_faults(metadata), *_value_faults(metadata)]


def _name_faults(metadata: Mapping[str, object]) -> list[Fault]:
    wrong = [name for name in metadata if not METADATA_NAME.fullmatch(name)]
    message = "A name must have 1 to 64 letters, digits, dots, hyphens or underscores."
    return [Fault(pointer("metadata", name if is_text(name) else ""), message) for name in wrong]


def _value_faults(metadata: Mapping[str, object]) -> list[Fault]:
    message = f"A value must be a string of at most {MAX_METADATA_VALUE} characters, without invalid ones."
    return [
        Fault(pointer("metadata", name), message)
        for name, value in metadata.items()
        if METADATA_NAME.fullmatch(name)
        and not (isinstance(value, str) and len(value) <= MAX_METADATA_VALUE and is_text(value))
    ]


def allow(models: frozenset[str] | None, names: Sequence[str]) -> None:
    """Raise Rejected("model_not_allowed") unless the models, None for all, include all of these names."""
    refused = [] if models is None else [name for name in names if bare(name) not in models]
    if refused:
        raise Rejected("model_not_allowed", [Fault("/model", f"The key may not use {', '.join(refused)}.")])


DEFAULTS = Options()
"""The terms of a request that names none."""
