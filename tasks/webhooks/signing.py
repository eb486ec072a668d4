"""Secrets, and what they sign. They have to be kept as they are: with a hash, nothing can be signed.

A holder of secrets is an endpoint, or a person whose jobs have a `webhook`. It has two while programs change from one
to the other: both sign then, and a receiver accepts an event that either has signed (Standard Webhooks 1.0).
"""

from base64 import b64encode
from collections.abc import Sequence
from datetime import datetime, timedelta
from secrets import token_bytes
from uuid import UUID

from standardwebhooks.webhooks import Webhook

from tasks.db.database import DB, now
from tasks.db.dialect import one_transaction_at_a_time
from tasks.db.tables import Condition
from tasks.db.webhook_tables import WebhookSecret

SECRET_BYTES = 32
OLD_SECRET_HOURS = 24  # for which the secret before signs, too
SECRET_LOCK = 0x77687365  # for one change of a holder's secrets at a time
OPEN_HOUSE = UUID(int=0)
"""The holder of the secret for jobs of nobody in particular."""


def new_secret() -> str:
    """Return a new secret: whsec_ and 32 random bytes in base64."""
    return f"whsec_{b64encode(token_bytes(SECRET_BYTES)).decode()}"


async def secret_of_jobs(owner: UUID | None) -> str:
    """Return the secret that signs the events of a person's jobs for their own `webhook`. Makes it if there is none."""
    return (await secrets_of_jobs(owner))[0]


async def secrets_of_jobs(owner: UUID | None) -> Sequence[str]:
    """Return all such secrets that are valid, the newest first: one, or two while it is rotated."""
    holder = owner or OPEN_HOUSE
    found = await secrets_of(holder)
    if found:
        return found
    async with DB.transaction():
        await one_transaction_at_a_time(SECRET_LOCK, str(holder))
        if not await WebhookSecret.exists().where(WebhookSecret.holder == holder):
            await add_secret(holder)
    return await secrets_of(holder)


async def secrets_of(holder: UUID) -> list[str]:
    """Return the valid secrets of a holder, the newest first."""
    found = await WebhookSecret.objects().where(_valid(holder)).order_by(WebhookSecret.created_at, ascending=False)
    return [row.secret for row in found]


async def add_secret(holder: UUID) -> str:
    """Add a secret for a holder, and return it."""
    secret = new_secret()
    await WebhookSecret.insert(WebhookSecret(holder=holder, secret=secret, created_at=now()))
    return secret


async def rotate(holder: UUID) -> str:
    """Return a new secret of a holder. The one before signs, too, for OLD_SECRET_HOURS; older ones no longer."""
    async with DB.transaction():
        await one_transaction_at_a_time(SECRET_LOCK, str(holder))
        old = WebhookSecret.holder == holder
        await WebhookSecret.delete().where(old & WebhookSecret.ends_at.is_not_null())
        await WebhookSecret.update({WebhookSecret.ends_at: now() + timedelta(hours=OLD_SECRET_HOURS)}).where(old)
        return await add_secret(holder)


def signed(secrets: Sequence[str], message: str, moment: datetime, body: str) -> dict[str, str]:
    """Return the headers of an event: its id, when it is sent, and a signature for each secret (Standard Webhooks).

    moment: in UTC.
    """
    signatures = [Webhook(secret).sign(message, moment, body) for secret in secrets]
    return {
        "webhook-id": message,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


def _valid(holder: UUID) -> Condition:
    unended = WebhookSecret.ends_at.is_null() | (WebhookSecret.ends_at > now())
    return (WebhookSecret.holder == holder) & unended
