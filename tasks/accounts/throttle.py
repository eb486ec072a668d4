"""Slow down attempts to sign in, for each person and each address, whichever web process they reach.

An attempt counts as a failure when it begins, so that many at once are no way around the limit. Success takes it back.
"""

from datetime import datetime, timedelta

from tasks.db.account_tables import SlowedName
from tasks.db.database import UNIQUE_VIOLATIONS, now
from tasks.db.tables import Values

MAX_WAIT_SECONDS = 60.0  # for a person: so that nobody can lock another one out for long
FREE_OF_PERSON, FREE_OF_ADDRESS = 5, 20  # failures before there is a wait
FORGET_AFTER = timedelta(hours=1)


def person(name: str) -> str:
    """Return what the attempts for a person are counted under. The person need not exist."""
    return f"person {name.lower()[:64]}"


def address(peer: str) -> str:
    """Return what the attempts from an address are counted under."""
    return f"address {peer}"


async def begin(name: str, free: int) -> float:
    """Count an attempt. Returns the seconds until one is allowed: 0 if this one is.

    name: of the person or the address. free: failures without a wait; each further one doubles the wait.
    """
    while True:
        moment = now()
        row = await SlowedName.objects().get(SlowedName.name == name)
        if row is not None and row.allowed_at > moment:
            return float((row.allowed_at - moment).total_seconds())
        before = 0 if row is None or moment - row.allowed_at > FORGET_AFTER else row.failures
        failures = before + 1
        wait = min(2.0 ** min(failures - free, 10), MAX_WAIT_SECONDS) if failures > free else 0.0
        if await _noted(name, row, failures, moment + timedelta(seconds=wait)):
            return 0.0


async def succeeded(person_name: str, address_name: str) -> None:
    """Forget the failures of a person who has signed in, and that this attempt was counted for the address."""
    await SlowedName.delete().where(SlowedName.name == person_name)
    counted = (SlowedName.name == address_name) & (SlowedName.failures > 0)
    changes: Values = {SlowedName.failures: SlowedName.failures - 1, SlowedName.allowed_at: now()}
    await SlowedName.update(changes).where(counted)


async def sweep() -> None:
    """Delete what is forgotten."""
    await SlowedName.delete().where(SlowedName.allowed_at < now() - FORGET_AFTER)


async def _noted(name: str, before: SlowedName | None, failures: int, allowed_at: datetime) -> bool:
    """Write the count, unless another attempt was counted meanwhile."""
    if before is None:
        try:
            await SlowedName.insert(SlowedName(name=name, failures=failures, allowed_at=allowed_at))
        except UNIQUE_VIOLATIONS:
            return False
        return True
    same = (SlowedName.name == name) & (SlowedName.failures == before.failures)
    same = same & (SlowedName.allowed_at == before.allowed_at)
    changes: Values = {SlowedName.failures: failures, SlowedName.allowed_at: allowed_at}
    return bool(await SlowedName.update(changes).where(same).returning(SlowedName.name))
