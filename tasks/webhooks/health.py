"""The health of endpoints: one that answers 410, or to which nothing has got through for days, is disabled."""

import logging
from uuid import UUID

from piccolo.querystring import QueryString

from tasks.accounts import audit
from tasks.accounts.audit import By
from tasks.db.dialect import FromNow
from tasks.db.steps import Step, step
from tasks.db.webhook_tables import WebhookEndpoint
from tasks.outbox.addresses import target_of
from tasks.webhooks import endpoints
from tasks.webhooks.endpoints import Why
from tasks.webhooks.sending import GONE, Answer, Outcome

log = logging.getLogger(__name__)

GIVE_UP_SECONDS = 5 * 86_400.0  # in which everything fails
SERIES_SECONDS = 86_400.0  # a failure that is alone for so long was no beginning of a series

SUCCEEDED = "UPDATE webhook_endpoint SET failures = 0, failing_since = NULL WHERE id = {} AND failures > 0"
FIRST = "failures = 0 OR failures = 1 AND failing_since < {}"
FAILED = (
    f"UPDATE webhook_endpoint SET failing_since = CASE WHEN {FIRST} THEN {{}} ELSE failing_since END,"
    f" failures = CASE WHEN {FIRST} THEN 1 ELSE failures + 1 END WHERE id = {{}}"
)
DISABLE = (
    "UPDATE webhook_endpoint SET disabled_at = {}, disabled_why = {} WHERE id = {} AND disabled_at IS NULL AND {}"
    " RETURNING id"
)


def steps(endpoint: UUID, answer: Answer, clock: FromNow) -> list[Step]:
    """Return the steps that count a try for or against an endpoint. The last one returns a row if it disables it."""
    if answer.outcome == Outcome.SUCCESS:
        return [step(QueryString(SUCCEEDED, endpoint))]
    alone_before = clock(-SERIES_SECONDS)
    failed = QueryString(FAILED, alone_before, clock(0), alone_before, endpoint)
    why, only_if = Why.GONE, QueryString("true")
    if answer.status != GONE:
        why, only_if = Why.FAILING, QueryString("failing_since <= {}", clock(-GIVE_UP_SECONDS))
    return [step(failed), step(QueryString(DISABLE, clock(0), str(why), endpoint, only_if))]


async def note_disabled(endpoint_id: UUID) -> None:
    """Hold back what is on its way to an endpoint that was just disabled, and tell it in the log and in the audit."""
    await endpoints.hold_back(endpoint_id)
    endpoint = await WebhookEndpoint.objects().get(WebhookEndpoint.id == endpoint_id)
    if endpoint is not None:
        after = {"why": endpoint.disabled_why}
        await audit.note(By("worker"), "webhook disabled", endpoints.label(endpoint), after=after)
        log.warning("the webhook to %s was disabled: %s", target_of(endpoint.url), endpoint.disabled_why)
