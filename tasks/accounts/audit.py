"""The audit: who changed what about people, keys and money, and who signed in or was refused. It is only added to."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tasks.db.account_tables import AuditEntry
from tasks.db.database import now

MAX_NAME_LENGTH = 200  # characters
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


async def latest(count: int) -> list[AuditEntry]:
    """Return the newest entries, newest first."""
    return await AuditEntry.objects().order_by(AuditEntry.id, ascending=False).limit(count)
