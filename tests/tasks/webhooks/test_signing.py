"""Secrets sign as the library verifies, two at a time while they are rotated, and each owner has one for jobs."""

import asyncio
import re
from base64 import b64decode
from datetime import timedelta
from uuid import uuid4

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from tasks.db.database import now
from tasks.db.webhook_tables import WebhookSecret
from tasks.webhooks import signing

BODY = '{"type":"job.completed","data":{"text":"\u00fc"}}'


def verifies(secret: str, headers: dict[str, str], body: str = BODY) -> bool:
    try:
        Webhook(secret).verify(body, headers)
    except WebhookVerificationError:
        return False
    return True


def test_a_secret_is_random_and_of_32_bytes() -> None:
    secrets = {signing.new_secret() for _ in range(10)}
    assert len(secrets) == 10
    assert {len(b64decode(re.sub("^whsec_", "", secret), validate=True)) for secret in secrets} == {32}


def test_what_is_signed_is_verified_by_the_library_and_nothing_else_is() -> None:
    secret, other = signing.new_secret(), signing.new_secret()
    headers = signing.signed([secret], "msg_1", now(), BODY)
    assert headers.keys() == {"webhook-id", "webhook-timestamp", "webhook-signature"}
    assert verifies(secret, headers)
    assert not verifies(other, headers)
    assert not verifies(secret, headers, BODY + " ")
    assert not verifies(secret, headers | {"webhook-id": "msg_2"})
    assert not verifies(secret, signing.signed([secret], "msg_1", now() - timedelta(minutes=6), BODY))


async def test_while_a_secret_is_rotated_both_sign_and_a_day_later_the_new_one_alone() -> None:
    holder = uuid4()
    old = await signing.add_secret(holder)
    assert await signing.secrets_of(holder) == [old]
    new = await signing.rotate(holder)
    assert await signing.secrets_of(holder) == [new, old]
    headers = signing.signed(await signing.secrets_of(holder), "msg_1", now(), BODY)
    assert (verifies(old, headers), verifies(new, headers)) == (True, True)
    rows = await WebhookSecret.objects().where(WebhookSecret.holder == holder).order_by(WebhookSecret.created_at)
    assert timedelta(hours=23) < rows[0].ends_at - now() <= timedelta(hours=24)
    await WebhookSecret.update({WebhookSecret.ends_at: now()}).where(WebhookSecret.id == rows[0].id)
    assert await signing.secrets_of(holder) == [new]


async def test_never_more_than_two_secrets_sign() -> None:
    holder, other = uuid4(), uuid4()
    await signing.add_secret(holder)
    of_other = await signing.add_secret(other)
    second, third = await signing.rotate(holder), await signing.rotate(holder)
    assert await signing.secrets_of(holder) == [third, second]
    assert await WebhookSecret.count() == 3
    assert await signing.secrets_of(other) == [of_other]


@pytest.mark.parametrize("somebody", [True, False])
async def test_the_secret_for_jobs_is_made_once_and_for_each_owner(somebody: bool) -> None:
    owner = uuid4() if somebody else None
    secrets = await asyncio.gather(*(signing.secret_of_jobs(owner) for _ in range(5)))
    assert len(set(secrets)) == 1
    assert await WebhookSecret.count() == 1
    assert await signing.secret_of_jobs(uuid4()) not in secrets
    new = await signing.rotate(owner or signing.OPEN_HOUSE)
    assert await signing.secrets_of_jobs(owner) == [new, secrets[0]]
    assert await signing.secret_of_jobs(owner) == new
