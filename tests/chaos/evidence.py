"""What was seen of a round: what was asked for, what Darkroom's rows say, what was paid for, drawn and served."""

import math
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from tasks.standin.faults import Met
from tests.chaos.fates import Fate

ENDED = ("completed", "failed", "canceled")
SETTLED = ("failed", "canceled", "aborted")
"""What a prediction is when nothing can come of it any more."""


@dataclass
class Submission:
    """One POST /generate. Its prompt is its own.

    job: what the answer said, None where it was lost: then the job may or may not exist. seen: its status when somebody
    looked last. cancels: when somebody asked for that, and when that was heard. retries: when somebody pressed retry on
    the job, which had failed or been canceled. Both are Unix seconds.
    """

    prompt: str
    fate: Fate
    job: UUID | None = None
    seen: str = ""
    cancels: list[float] = field(default_factory=list)
    retries: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class JobRow:
    """A row of the table job, as it was when every process had ended. spare: seconds from its end to its deadline."""

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
class OutputRow:
    """A row of the table output."""

    job: UUID
    position: int
    key: str
    sha256: str


@dataclass(frozen=True)
class Prediction:
    """What the stand-in counted: each is paid for. Times are Unix milliseconds. urls: its files."""

    id: str
    prompt: str
    status: str
    created: int
    ended: int | None
    urls: tuple[str, ...]


@dataclass(frozen=True)
class Outage:
    """A time in which the stand-in, or a part of it, did not serve anybody. Unix seconds.

    on: any (its API answered nothing but errors), file or list (these did), or network (it was not there at all).
    """

    on: str
    start: float
    end: float


@dataclass
class Evidence:
    """All of it."""

    visits: int
    """How many visitors came, each to submit one job."""
    submissions: list[Submission]
    jobs: list[JobRow] = field(default_factory=list)
    attempts: list[AttemptRow] = field(default_factory=list)
    outputs: list[OutputRow] = field(default_factory=list)
    predictions: list[Prediction] = field(default_factory=list)
    drawn: dict[str, str] = field(default_factory=dict)
    """URL at the stand-in -> sha256."""
    served: dict[str, str] = field(default_factory=dict)
    """Key below /media -> sha256 of what Darkroom answered."""
    stored: set[str] = field(default_factory=set)
    """Keys of the files in storage, when a worker had had the time to remove what nobody needs."""
    named: set[str] = field(default_factory=set)
    """Keys in storage that outputs and uploads name, at the same time."""
    pending: set[str] = field(default_factory=set)
    """Keys of files that a worker noted before it stored them, and that nobody removed nor came to name."""
    met: list[Met] = field(default_factory=list)
    """Which requests met a fault of the stand-in."""
    outages: list[Outage] = field(default_factory=list)
    blows: list[float] = field(default_factory=list)
    """When a worker, the database or the stand-in was struck so that a request may have been lost (Unix seconds)."""
    halts: set[str] = field(default_factory=set)
    """Why the queue was halted: codes, those that were seen."""
    answers: list[str] = field(default_factory=list)
    """Answers of the webs that nobody should get: a line each."""
    litter: list[str] = field(default_factory=list)
    """Files that are no finished ones."""
    stragglers: list[str] = field(default_factory=list)
    """Processes that ended too late or not at all."""


def last_attempt(job: JobRow, attempts: list[AttemptRow]) -> AttemptRow | None:
    """The latest try at a job, if there was one."""
    own = [attempt for attempt in attempts if attempt.job == job.id]
    return max(own, key=lambda attempt: attempt.number, default=None)
