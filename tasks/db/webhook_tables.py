"""The tables of webhooks: endpoints, the secrets that sign, and the events on their way or delivered."""

from enum import StrEnum

from piccolo.columns import UUID, Boolean, Integer, SmallInt, Text, Timestamptz, Varchar
from piccolo.table import Table

from tasks.db import ids


class DeliveryState(StrEnum):
    """How far a delivery is."""

    PENDING = "pending"
    """It is being sent, or waits: for its next try, an earlier event of its job, or its endpoint to be enabled."""
    DELIVERED = "delivered"
    """It has arrived."""
    FAILED = "failed"
    """It has not arrived, and is not tried again by itself."""


class WebhookEndpoint(Table, tablename="webhook_endpoint"):
    """An address that events are sent to, as a person has set it up."""

    id = UUID(primary_key=True, default=ids.new)
    owner = UUID(null=True, default=None)  # the person; None in the open house
    everyone = Boolean(default=False)  # of the jobs of all, as long as the owner is an admin
    url = Text()
    types = Text()  # of the events, separated by spaces, see tasks/outbox/events.py
    created_at = Timestamptz()
    disabled_at = Timestamptz(null=True, default=None)
    disabled_why = Varchar(length=16, default="")  # see tasks/webhooks/endpoints.py
    failures = Integer(default=0)  # in a row
    failing_since = Timestamptz(null=True, default=None)  # the first of them, see tasks/webhooks/health.py


class WebhookSecret(Table, tablename="webhook_secret"):
    """A secret that signs events, kept as it is. Its holder has two while programs change from one to the other."""

    id = UUID(primary_key=True, default=ids.new)
    holder = UUID(index=True)  # an endpoint, or the person of jobs with a `webhook`, see tasks/webhooks/secrets.py
    secret = Varchar(length=64)
    created_at = Timestamptz()
    ends_at = Timestamptz(null=True, default=None)  # when it signs no longer; None for the newest


class WebhookDelivery(Table, tablename="webhook_delivery"):
    """An event on its way to one address, or delivered. Written in the transaction of what it tells."""

    id = UUID(primary_key=True, default=ids.new)
    endpoint = UUID(null=True, default=None)  # None for the `webhook` of a job
    url = Text(null=True, default=None)  # that `webhook`
    target = Varchar(length=300)  # where it goes: the endpoint's id, or the host of the `webhook`
    event = Varchar(length=200)  # which event it is; unique for each target
    type = Varchar(length=32)
    owner = UUID(null=True, default=None)  # whose it is: of the endpoint, or of the job
    job = UUID(null=True, default=None)
    body = Text()  # as it is sent, each time; "" for a prediction before that, see tasks/webhooks/predictions.py
    state = Varchar(length=16, default=DeliveryState.PENDING)
    created_at = Timestamptz()  # by the database's clock: the order of a job's events
    due_at = Timestamptz(null=True, default=None)  # of the next try, or when the lease of this one ends; None for none
    claim = UUID(null=True, default=None)  # new for each try; fences what it writes
    tries = SmallInt(default=0)  # on its schedule
    replay = Boolean(default=False)  # whether the next try is the only one, and says nothing of the endpoint
    delivered_at = Timestamptz(null=True, default=None)  # first


class WebhookAttempt(Table, tablename="webhook_attempt"):
    """A try to deliver an event, and how it ended."""

    id = UUID(primary_key=True, default=ids.new)
    delivery = UUID(index=True)
    at = Timestamptz()
    outcome = Varchar(length=20)  # see tasks/webhooks/sending.py
    status = SmallInt(null=True, default=None)  # of HTTP; None when there was no answer
    answer = Text(default="")  # its first 2 kB
    milliseconds = Integer()
    replay = Boolean(default=False)


WEBHOOK_TABLES: list[type[Table]] = [WebhookEndpoint, WebhookSecret, WebhookDelivery, WebhookAttempt]
