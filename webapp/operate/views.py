"""What the page of operators shows of a worker, a model, a group of failures, and of history, in words and lengths."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from tasks.db.operation_tables import ModelPause, WorkerProcess
from tasks.jobs import workers
from tasks.operations.durations import Durations
from tasks.operations.history import History
from tasks.operations.model_states import ModelState
from tasks.operations.overview import Overview

HEIGHT = 100  # of the drawing of a history
STEP_WIDTH = 10  # of each of its steps


@dataclass(frozen=True, slots=True)
class Bar:
    """A step of a history as it is drawn. failed, succeeded: where they begin and how high they are."""

    x: int
    starts_at: datetime
    succeeded: int
    failed: int
    succeeded_y: int
    succeeded_height: int
    failed_height: int


@dataclass(frozen=True, slots=True)
class Plot:
    """A history as it is drawn."""

    history: History
    bars: Sequence[Bar]

    @property
    def width(self) -> int:
        """The width of the drawing."""
        return STEP_WIDTH * len(self.history.steps)

    @property
    def words(self) -> str:
        """What it shows, for those who do not see it."""
        name = {"day": "24 hours", "month": "31 days"}.get(self.history.name, self.history.name)
        return f"Last {name}: {self.history.succeeded:,} succeeded, {self.history.failed:,} failed"


@dataclass(frozen=True, slots=True)
class ModelRow:
    """A model. state: None when nothing was done with it in the last hour."""

    name: str
    state: ModelState | None
    pause: ModelPause | None
    spent: int | None


@dataclass(frozen=True, slots=True)
class WorkerRow:
    """A worker. is_late: whether it gives no sign of life."""

    row: WorkerProcess
    is_late: bool


def plots(histories: Iterable[History]) -> list[Plot]:
    """Return histories as they are drawn, each to its own scale."""
    return [Plot(history, _bars(history)) for history in histories]


def model_rows(found: Overview) -> list[ModelRow]:
    """Return the models that were used, that cost something today, or that are paused: the most used first."""
    states = {state.model: state for state in found.models}
    paused = {pause.model: pause for pause in found.queue.pauses}
    names = [*states, *sorted((set(paused) | set(found.spent)) - set(states))]
    return [ModelRow(name, states.get(name), paused.get(name), found.spent.get(name)) for name in names]


def worker_rows(found: Overview) -> list[WorkerRow]:
    """Return the workers, those that give no sign of life first."""
    rows = [WorkerRow(worker, workers.is_late(worker)) for worker in found.workers]
    return sorted(rows, key=lambda row: not row.is_late)


def times(counted: Durations) -> tuple[float, float] | None:
    """Return the median and the 95th percentile in seconds, or None when there is nothing."""
    half, most = counted.percentile(0.5), counted.percentile(0.95)
    return None if half is None or most is None else (half, most)


def _bars(history: History) -> list[Bar]:
    scale = HEIGHT / max(1, history.most)
    bars = []
    for place, step in enumerate(history.steps):
        well, badly = round(step.succeeded * scale), round(step.failed * scale)
        badly = max(badly, 2) if step.failed else 0  # what failed is always seen
        well = min(well, HEIGHT - badly)
        bars.append(
            Bar(place * STEP_WIDTH, step.starts_at, step.succeeded, step.failed, HEIGHT - badly - well, well, badly)
        )
    return bars
