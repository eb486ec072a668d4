"""The evidence of a round: what was requested, what Darkroom's rows say, what was paid for, drawn and served."""

import math
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from tasks.standin.faults import Met
from tests.chaos.fates import Fate

ENDED = ("completed", "failed", "canceled")
SETTLED = ("failed", "canceled", "aborted")
"""The statuses of a prediction that can no longer deliver anything."""


@dataclass
class Submission:
    """One POST /generate, with a prompt of its own.

    job: its id from the response; None when the response was lost: then the job may or may not exist. seen: its status
    when it was last read. cancels: the times before a cancellation was sent and after it was answered. retries: the
    times at which a visitor pressed retry on the job, which had failed or been canceled. Both are in Unix seconds.
    """

    prompt: str
    fate: Fate
    job: UUID | None = None
    seen: str = ""
    cancels: list[float] = field(default_factory=list)
    retries: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class JobRow:
    """A row of the table job, read after every process had ended. spare: seconds from its end to its deadline."""

    id: UUID
    prompt: str
    status: str
    error_code: str | None
    leased: bool
    spare: float = math.inf


@dataclass(frozen=True)
class AttemptRow:
    """A row of the table attempt."""

    job: UUID
    number: int
    created_at: datetime
    open: bool
    prediction: str | None


@dataclass(frozen=True)
class BudgetRow:
    """A row of the table budget. settled, holds: the sums of the ledger and of the holds, with which it agrees."""

    scope: str
    spent: int
    held: int
    settled: int
    holds: int


@dataclass(frozen=True)
class OutputRow:
    """A row of the table output."""

    job: UUID
    position: int
    key: str
    sha256: str


@dataclass(frozen=True)
class Event:
    """A row of the table webhook_delivery. place: among those of its job that go to the same receiver, oldest first."""

    id: str
    receiver: str
    type: str
    job: UUID
    state: str
    place: int


@dataclass(frozen=True)
class Heard:
    """A request that a receiver of webhooks got. accepted: whether it was answered with 2xx. signed: by Darkroom."""

    receiver: str
    id: str
    type: str
    job: UUID
    accepted: bool
    signed: bool


@dataclass(frozen=True)
class Prediction:
    """A prediction that the stand-in counted: each is paid for. Times are Unix milliseconds. urls: its files."""

    id: str
    prompt: str
    status: str
    created: int
    ended: int | None
    urls: tuple[str, ...]
    charged: int = 0
    """Micro-dollars."""


@dataclass(frozen=True)
class Outage:
    """A time in which the stand-in, or a part of it, served nobody, in Unix seconds.

    on: any (its API answered only with errors), file or list (only these did), or network (it was not reachable at
    all).
    """

    on: str
    start: float
    end: float


@dataclass
class Evidence:
    """All the evidence of a round."""

    visits: int
    """The number of visitors. Each submits one job."""
    submissions: list[Submission]
    jobs: list[JobRow] = field(default_factory=list)
    attempts: list[AttemptRow] = field(default_factory=list)
    outputs: list[OutputRow] = field(default_factory=list)
    predictions: list[Prediction] = field(default_factory=list)
    costs: dict[str, int] = field(default_factory=dict)
    """Prediction -> what Darkroom's ledger says that it cost, in micro-dollars."""
    budgets: list[BudgetRow] = field(default_factory=list)
    held: set[UUID] = field(default_factory=set)
    """The jobs for which money is still held."""
    events: list[Event] = field(default_factory=list)
    heard: list[Heard] = field(default_factory=list)
    """What arrived, at each receiver in its order."""
    disabled: dict[str, str] = field(default_factory=dict)
    """Receiver -> why nothing is sent there any more."""
    drawn: dict[str, str] = field(default_factory=dict)
    """URL at the stand-in -> sha256."""
    served: dict[str, str] = field(default_factory=dict)
    """Key below /media -> sha256 of what Darkroom served."""
    stored: set[str] = field(default_factory=set)
    """Keys of the files in storage, after a worker had the time to remove unneeded ones."""
    named: set[str] = field(default_factory=set)
    """Keys in storage that outputs and uploads name, at the same time."""
    pending: set[str] = field(default_factory=set)
    """Keys of files that a worker recorded before it stored them, and that were neither removed nor named since."""
    met: list[Met] = field(default_factory=list)
    """The requests that met a fault of the stand-in."""
    outages: list[Outage] = field(default_factory=list)
    blows: list[float] = field(default_factory=list)
    """When a worker, the database or the stand-in was struck so that a request may have been lost (Unix seconds)."""
    halts: set[str] = field(default_factory=set)
    """The codes of the halts of the queue that were seen."""
    answers: list[str] = field(default_factory=list)
    """Unexpected responses of the web processes, one line each."""
    litter: list[str] = field(default_factory=list)
    """Unfinished files."""
    stragglers: list[str] = field(default_factory=list)
    """Processes that ended too late or not at all."""


def last_attempt(job: JobRow, attempts: list[AttemptRow]) -> AttemptRow | None:
    """Return the latest attempt at a job, or None."""
    own = [attempt for attempt in attempts if attempt.job == job.id]
    return max(own, key=lambda attempt: attempt.number, default=None)
