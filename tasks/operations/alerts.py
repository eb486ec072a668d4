"""What an operator should know at once. The same is on /operate, in the metrics, and told to webhooks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from tasks.db.database import now
from tasks.db.operation_tables import WorkerProcess
from tasks.health.checks import Check
from tasks.jobs import budgets, workers
from tasks.operations.queue_state import QueueState
from tasks.operations.storage_use import Space
from tasks.spend import limits

STALLED_AFTER = timedelta(seconds=60)  # for which a job waits although there is room for it
SLOW_SECONDS = 1.0  # that a write to the database may take


class AlertKind(StrEnum):
    """What an alert is about."""

    DATABASE_AWAY = "database_away"
    """The database takes no writes."""
    DATABASE_SLOW = "database_slow"
    """A write to the database takes long."""
    REDIS_AWAY = "redis_away"
    """Redis does not answer: jobs still run, pages lag."""
    STORAGE_AWAY = "storage_away"
    """Storage takes no files."""
    STORAGE_LOW = "storage_low"
    """Less than a tenth of the disk is free."""
    NO_WORKERS = "no_workers"
    """No worker is alive."""
    WORKER_GONE = "worker_gone"
    """A worker gives no sign of life."""
    HALTED = "halted"
    """No predictions are created: Replicate refuses the account, or is away."""
    STALLED = "queue_stalled"
    """Jobs wait although the workers have room for them."""
    BUDGET_LOW = "budget_low"
    """Most of a budget is used."""


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert. words: what is wrong, in a sentence. about: a worker's id or a budget, where there may be several."""

    kind: AlertKind
    words: str
    about: str = ""


def of_checks(checks: Mapping[str, Check]) -> list[Alert]:
    """Return the alerts about what does not work."""
    found = []
    database, redis, storage = checks["database"], checks["redis"], checks["storage"]
    if database.fault:
        found.append(Alert(AlertKind.DATABASE_AWAY, f"The database takes no writes: {database.fault}."))
    elif database.seconds > SLOW_SECONDS:
        found.append(Alert(AlertKind.DATABASE_SLOW, f"A write to the database took {database.seconds:.1f} s."))
    if storage.fault:
        found.append(Alert(AlertKind.STORAGE_AWAY, f"The storage takes no files: {storage.fault}."))
    if redis.fault:
        found.append(Alert(AlertKind.REDIS_AWAY, f"Redis does not answer: jobs run, pages lag. ({redis.fault})"))
    return found


async def without_checks(queue: QueueState, everyone: Sequence[WorkerProcess], space: Space | None) -> list[Alert]:
    """Return all other alerts, what is most urgent first."""
    return [
        *_of_space(space),
        *_of_workers(everyone),
        *_of_queue(queue, everyone),
        *[
            Alert(AlertKind.BUDGET_LOW, f"{_percent(budgets.used(budget), budget.amount)} % of the budget"
                  f" {limits.label(budget)}, {limits.terms(budget)}, is used.", limits.label(budget))
            for budget in await budgets.current() if budgets.is_low(budget)
        ],
    ]  # fmt: skip


def _of_space(space: Space | None) -> list[Alert]:
    if space is None or not space.is_low:
        return []
    free = _percent(space.free, space.total)
    return [Alert(AlertKind.STORAGE_LOW, f"Only {free} % of the disk is free: {space.free / 10**9:.1f} GB.")]


def _of_workers(everyone: Sequence[WorkerProcess]) -> list[Alert]:
    late = [worker for worker in everyone if workers.is_late(worker)]
    if len(late) == len(everyone):
        return [Alert(AlertKind.NO_WORKERS, "No worker is alive: nothing runs.")]
    return [
        Alert(
            AlertKind.WORKER_GONE,
            f"A worker on {worker.host} (process {worker.process}) has given no sign of life since"
            f" {worker.seen_at:%H:%M:%S} UTC. Others continue its jobs.",
            str(worker.id),
        )
        for worker in late
    ]


def _of_queue(queue: QueueState, everyone: Sequence[WorkerProcess]) -> list[Alert]:
    if queue.halt is not None:
        return [Alert(AlertKind.HALTED, queue.halt.message, queue.halt.code)]
    room = sum(worker.slots for worker in everyone if not worker.draining and not workers.is_late(worker))
    waits_for_its_turn = queue.tokens is not None and queue.tokens < 1
    if queue.oldest is None or queue.running >= room or waits_for_its_turn or now() - queue.oldest < STALLED_AFTER:
        return []
    minutes = (now() - queue.oldest).total_seconds() / 60
    return [Alert(AlertKind.STALLED, f"Jobs have waited for {minutes:.0f} min although workers have room for them.")]


def _percent(part: int, whole: int) -> int:
    return round(100 * part / whole) if whole else 0
