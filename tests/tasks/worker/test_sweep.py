"""A worker removes what has expired, and leaves what has not."""

from datetime import timedelta

import pytest

from tasks.accounts import sessions, throttle
from tasks.db.account_tables import Session, SlowedName
from tasks.db.database import now
from tests import factories
from tests.tasks.work import at_work
from tests.waiting import eventually


@pytest.mark.usefixtures("faults")
async def test_sessions_and_failed_attempts_to_sign_in_are_forgotten_when_they_are_over() -> None:
    anna = await factories.person()
    await sessions.begin(anna.id, "", "")
    await throttle.begin(throttle.person("anna"), throttle.FREE_OF_PERSON)
    await Session.update({Session.expires_at: now() - timedelta(seconds=1)}, force=True)
    await SlowedName.update({SlowedName.allowed_at: now() - timedelta(hours=2)}, force=True)
    token = await sessions.begin(anna.id, "", "")
    await throttle.begin(throttle.person("ben"), throttle.FREE_OF_PERSON)

    async def forgotten() -> bool:
        return (await Session.count(), await SlowedName.count()) == (1, 1)

    async with at_work():
        await eventually(forgotten)
    assert await sessions.find(token, "")
    assert await SlowedName.exists().where(SlowedName.name == throttle.person("ben"))
