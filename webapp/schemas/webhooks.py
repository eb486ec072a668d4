"""The shapes of webhooks."""

from typing import Annotated
from uuid import UUID

from msgspec import UNSET, Meta, Struct

from tasks.db.webhook_tables import DeliveryState
from tasks.webhooks.history import Listed
from tasks.webhooks.sending import Outcome
from webapp.schemas.members import JobId, Maybe, Time, given

OUTCOME = f"How the last try ended: {', '.join(Outcome)}."


class SigningSecret(Struct):
    """The secret that signs what is told of jobs with a `webhook`."""

    key: Annotated[str, Meta(description="`whsec_` and base64, as in Standard Webhooks.")]


class Delivery(Struct, kw_only=True):
    """A webhook that was sent to one address, or is on its way."""

    id: Annotated[UUID, Meta(description="After `msg_` and without hyphens, it is the `webhook-id` that was sent.")]
    type: str
    job_id: Maybe[JobId] = UNSET
    to: Annotated[str, Meta(description="The address, without its password and query.")]
    state: DeliveryState
    created_at: Time
    delivered_at: Maybe[Time] = UNSET
    tries: Annotated[int, Meta(description="How often it was sent, with replays.", ge=0)]
    outcome: Maybe[Annotated[str, Meta(description=OUTCOME)]] = UNSET
    status: Maybe[Annotated[int, Meta(description="The HTTP status of the last answer.")]] = UNSET

    @classmethod
    def of(cls, listed: Listed, to: str) -> "Delivery":
        """Return the shape of a delivery. to: its address, as it may be shown."""
        row, last = listed.delivery, listed.attempts[-1] if listed.attempts else None
        return cls(
            id=row.id, type=row.type, job_id=given(row.job), to=to, state=DeliveryState(row.state),
            created_at=row.created_at, delivered_at=given(row.delivered_at), tries=len(listed.attempts),
            outcome=given(last.outcome if last else None), status=given(last.status if last else None),
        )  # fmt: skip


class DeliveryPage(Struct):
    """A page of what was sent."""

    deliveries: list[Delivery]
    next: Maybe[Annotated[str, Meta(description="The address of the next page. Absent on the last page.")]] = UNSET
