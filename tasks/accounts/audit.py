"""The audit: who changed what about people, keys and money, and who signed in or was refused. It is only added to."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from tasks.db.account_tables import AuditEntry
from tasks.db.database import DB, now
from tasks.db.dialect import one_transaction_at_a_time

MAX_NAME_LENGTH = 200  # characters
REFUSED_EVERY = timedelta(minutes=10)  # how often the same refusal is noted
REFUSAL_LOCK = 0x72656675  # so that of refusals at once, one is noted
COMMAND_LINE = "command line"
"""The actor of what is done with `darkroom people` and the like."""


@dataclass(frozen=True, slots=True)
class By:
    """Who does something, and the address that the request comes from."""

    actor: str = COMMAND_LINE
    address: str = ""


async def note(
    by: By,
    action: str,
    subject: str,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    """Add an entry. action: such as "person added". before, after: what changed; never a password or a secret."""
    await AuditEntry.insert(
        AuditEntry(
            at=now(), actor=by.actor[:MAX_NAME_LENGTH], address=by.address, action=action,
            subject=subject[:MAX_NAME_LENGTH], before=None if before is None else json.dumps(before),
            after=None if after is None else json.dumps(after),
        )
    )  # fmt: skip


async def note_refusal(by: By, permission: str, route: str) -> None:
    """Note that someone lacks a permission, once in REFUSED_EVERY for each route: a program may ask in a loop.

    route: its path, with the names of its parameters in place of their values.
    """
    action, subject = "permission refused", f"{permission}: {route}"
    same = (AuditEntry.actor == by.actor) & (AuditEntry.action == action) & (AuditEntry.subject == subject)
    noted = AuditEntry.exists().where((AuditEntry.at > now() - REFUSED_EVERY) & same)
    if await noted:
        return
    async with DB.transaction():
        await one_transaction_at_a_time(REFUSAL_LOCK)
        if not await noted:
            await note(by, action, subject)


async def latest(count: int) -> list[AuditEntry]:
    """Return the newest entries, newest first."""
    return await AuditEntry.objects().order_by(AuditEntry.id, ascending=False).limit(count)
