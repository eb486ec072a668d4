"""All that an operator sees at once: what is wrong, the queue, models, workers, failures, storage, and history."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from tasks.db.operation_tables import WorkerProcess
from tasks.db.webhook_tables import DeliveryState, WebhookDelivery, WebhookEndpoint
from tasks.files.storage import Storage
from tasks.health import checks
from tasks.health.checks import Check
from tasks.jobs import budgets, workers
from tasks.operations import alerts, failures, history, model_states, queue_state, storage_use
from tasks.operations.alerts import Alert
from tasks.operations.failures import Group
from tasks.operations.history import History
from tasks.operations.model_states import ModelState
from tasks.operations.queue_state import QueueState
from tasks.operations.storage_use import Space, Use
from tasks.spend import totals

MAX_PENDING = 1000  # deliveries that are counted


@dataclass(frozen=True, slots=True)
class StorageState:
    """What storage holds. uses: by kind. growth: bytes in a day; None while it is not known. space: of a local disk."""

    measured_at: datetime | None
    uses: Mapping[str, Use]
    growth: float | None
    space: Space | None

    @property
    def days_left(self) -> float | None:
        """In how many days the disk is full at this rate; None when that is not known, or it is never full."""
        return self.space.free / self.growth if self.space and self.growth and self.growth > 0 else None


@dataclass(frozen=True, slots=True)
class Webhooks:
    """How many endpoints there are, how many of them are disabled, and how many deliveries wait, up to MAX_PENDING."""

    endpoints: int
    disabled: int
    pending: int


@dataclass(frozen=True, slots=True)
class Overview:
    """The state of everything. spent: micro-dollars today, by model. budgets_low: how many of `budgets` are low."""

    alerts: Sequence[Alert]
    checks: Mapping[str, Check]
    queue: QueueState
    models: Sequence[ModelState]
    spent: Mapping[str, int]
    workers: Sequence[WorkerProcess]
    failures: Sequence[Group]
    storage: StorageState
    webhooks: Webhooks
    budgets: int
    budgets_low: int
    histories: Sequence[History]


async def of(storage: Storage) -> Overview:
    """Return the state of everything now. storage: which is checked."""
    found, queue, everyone, models, groups = await asyncio.gather(
        checks.all_of(storage),
        queue_state.current(),
        workers.everyone(),
        model_states.of_last_hour(),
        failures.groups(),
    )  # fmt: skip
    kept, told, histories, spent, limited = await asyncio.gather(
        _storage(), _webhooks(), history.latest(), totals.of_day(totals.today()), budgets.recent()
    )
    others = await alerts.without_checks(queue, everyone, kept.space)
    return Overview(
        alerts=[*alerts.of_checks(found), *others], checks=found, queue=queue, models=models,
        spent={total.name: total.micros for total in totals.grouped(spent, lambda line: line.model)},
        workers=everyone, failures=groups, storage=kept, webhooks=told, budgets=len(limited),
        budgets_low=sum(map(budgets.is_low, limited)), histories=histories,
    )  # fmt: skip


async def _storage() -> StorageState:
    measured_at, uses = await storage_use.latest()
    return StorageState(measured_at, uses, await storage_use.growth(), storage_use.space())


async def _webhooks() -> Webhooks:
    rows = await WebhookEndpoint.select(WebhookEndpoint.disabled_at)
    due = WebhookDelivery.select(WebhookDelivery.id).where(WebhookDelivery.state == DeliveryState.PENDING)
    pending = len(await due.limit(MAX_PENDING)) if rows else 0
    return Webhooks(len(rows), sum(row["disabled_at"] is not None for row in rows), pending)
