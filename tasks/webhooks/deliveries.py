"""Deliveries under way: claimed for one try at a time, and what came of each.

A claim is a lease. When the worker that has it is killed, the delivery is due again as soon as the lease is over, so an
event may arrive twice, but is never lost. What a worker writes is fenced by the token of its claim.
"""

import logging
from collections.abc import Collection
from uuid import UUID, uuid4

from piccolo.querystring import QueryString

from tasks.db import columns, ids
from tasks.db.database import DB, now
from tasks.db.dialect import LOCK_FREE_ROWS, FromNow
from tasks.db.steps import Step, step
from tasks.db.tables import Values
from tasks.db.webhook_tables import DeliveryState, WebhookAttempt, WebhookDelivery
from tasks.webhooks import health, schedule
from tasks.webhooks.sending import GONE, Answer, Outcome

log = logging.getLogger(__name__)

CLAIM_SECONDS = 30.0  # twice what a try may take

DUE = "delivery.due_at <= {}"
CLAIM = (  # a CTE, because PostgreSQL may run a locking subquery after IN again for each row
    "WITH due AS (SELECT delivery.id FROM webhook_delivery AS delivery WHERE " + DUE + "%s"
    " AND NOT EXISTS (SELECT 1 FROM person WHERE person.id = delivery.owner AND person.disabled_at IS NOT NULL)"
    " AND (delivery.replay OR NOT EXISTS (SELECT 1 FROM webhook_endpoint AS endpoint"
    " WHERE endpoint.id = delivery.endpoint AND endpoint.disabled_at IS NOT NULL))"
    " AND NOT EXISTS (SELECT 1 FROM webhook_delivery AS earlier WHERE earlier.state = 'pending'"
    " AND earlier.target = delivery.target AND earlier.job = delivery.job"
    " AND (earlier.created_at, earlier.id) < (delivery.created_at, delivery.id))"
    f" ORDER BY delivery.due_at LIMIT 1{LOCK_FREE_ROWS})"
    " UPDATE webhook_delivery SET claim = {}, due_at = {} WHERE id IN (SELECT id FROM due) AND due_at <= {}"
    f" RETURNING {columns.listed(WebhookDelivery)}"
)
"""Claims the delivery that has been due for longest, of those that may be sent: see DeliveryState.PENDING."""
RECORD = (
    "UPDATE webhook_delivery SET state = {}, due_at = {}, claim = NULL, replay = {},"
    " tries = tries + {}, delivered_at = coalesce(delivered_at, {}) WHERE id = {} AND claim = {} RETURNING id"
)


async def any_due(clock: FromNow) -> bool:
    """Return whether a delivery is due, without a look at whether it may be sent."""
    return bool(await WebhookDelivery.raw(f"SELECT 1 FROM webhook_delivery AS delivery WHERE {DUE} LIMIT 1", clock(0)))


async def claim(clock: FromNow, besides: Collection[str] = ()) -> WebhookDelivery | None:
    """Claim a delivery to send it once. Returns None when none is due. besides: targets that are not sent to now."""
    others = f" AND delivery.target NOT IN ({', '.join(['{}'] * len(besides))})" if besides else ""
    values = (clock(0), *besides, uuid4(), clock(CLAIM_SECONDS), clock(0))
    rows = await WebhookDelivery.raw(CLAIM % others, *values)
    return WebhookDelivery(**rows[0], _exists_in_db=True) if rows else None


async def record(delivery: WebhookDelivery, answer: Answer, clock: FromNow) -> bool:
    """Write down how a try ended, and when the next one is due. Returns False when the claim is gone.

    A try counts for or against the health of its endpoint, unless it was a replay.
    """
    state, next_in = _outcome(delivery, answer)
    arrived = answer.outcome == Outcome.SUCCESS
    due_at = None if next_in is None else clock(next_in)
    moment = now()
    recorded = QueryString(
        RECORD, state, due_at, False, 0 if delivery.replay else 1, moment if arrived else None, delivery.id,
        delivery.claim,
    )  # fmt: skip
    attempt = WebhookAttempt(
        id=ids.new(), delivery=delivery.id, at=moment, outcome=answer.outcome, status=answer.status,
        answer=answer.text, milliseconds=answer.milliseconds, replay=delivery.replay,
    )  # fmt: skip
    steps: list[Step] = [step(recorded, must=True), step(WebhookAttempt.insert(attempt))]
    counts = delivery.endpoint is not None and not delivery.replay
    if counts:
        steps += health.steps(delivery.endpoint, answer, clock)
    answers = await DB.run_steps(steps)
    if answers is None:
        log.warning("webhook %s: was sent by another worker, too", name_of(delivery.id))
        return False
    if counts and answers[-1]:
        await health.note_disabled(delivery.endpoint)
    return True


def _outcome(delivery: WebhookDelivery, answer: Answer) -> tuple[DeliveryState, float | None]:
    """Return the state of a delivery after a try, and the seconds until the next one, None for none."""
    if answer.outcome == Outcome.SUCCESS:
        return DeliveryState.DELIVERED, None
    if delivery.replay:
        return DeliveryState.DELIVERED if delivery.delivered_at else DeliveryState.FAILED, None
    if answer.status == GONE:
        return DeliveryState.FAILED, None
    next_in = schedule.wait(delivery.tries + 1, answer.retry_after)
    return (DeliveryState.FAILED if next_in is None else DeliveryState.PENDING), next_in


async def drop(delivery: WebhookDelivery) -> None:
    """End a delivery whose endpoint was removed, or the job that it tells."""
    ended: Values = {
        WebhookDelivery.state: DeliveryState.FAILED,
        WebhookDelivery.due_at: None,
        WebhookDelivery.replay: False,
    }
    await WebhookDelivery.update(ended).where(WebhookDelivery.id == delivery.id)


async def release(tokens: Collection[UUID], clock: FromNow) -> None:
    """Release claims when a worker stops, so that another one sends these events at once."""
    if tokens:
        due: Values = {WebhookDelivery.claim: None, WebhookDelivery.due_at: clock(0)}
        await WebhookDelivery.update(due).where(WebhookDelivery.claim.is_in(list(tokens)))


def name_of(delivery_id: UUID) -> str:
    """Return the id of an event as receivers get it: the same for every try, so that they know it again."""
    return f"msg_{delivery_id.hex}"
