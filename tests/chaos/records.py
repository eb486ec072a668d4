"""Darkroom's rows as another program reads them, and how long jobs were without a living worker."""

import asyncio
import math
import sqlite3
import time
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from tests.chaos.evidence import AttemptRow, BudgetRow, Event, JobRow, OutputRow

LOOK_EVERY = 0.25  # seconds

Row = dict[str, Any]


class Records:
    """The database behind a DATABASE_URL. Each query opens its own connection: the server may be gone at any time."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def jobs(self) -> list[JobRow]:
        """Return all jobs."""
        rows = await self._ask("SELECT id, prompt, status, error_code, lease_token, finished_at, deadline_at FROM job")
        return [
            JobRow(
                _uuid(row["id"]),
                row["prompt"],
                row["status"],
                row["error_code"],
                row["lease_token"] is not None,
                _between(row["finished_at"], row["deadline_at"]),
            )
            for row in rows
        ]

    async def attempts(self) -> list[AttemptRow]:
        """Return all attempts."""
        rows = await self._ask("SELECT job, number, created_at, finished_at, prediction_id FROM attempt")
        return [
            AttemptRow(
                _uuid(row["job"]),
                row["number"],
                _moment(row["created_at"]),
                row["finished_at"] is None,
                row["prediction_id"],
            )
            for row in rows
        ]

    async def outputs(self) -> list[OutputRow]:
        """Return all outputs."""
        rows = await self._ask("SELECT job, position, key, sha256 FROM output")
        return [OutputRow(_uuid(row["job"]), row["position"], row["key"], row["sha256"]) for row in rows]

    async def named(self) -> set[str]:
        """Return the keys in storage that rows name: of outputs and their previews, of uploads and their previews."""
        outputs = await self._ask(
            "SELECT key, stored_key, preview_key, stored_preview_key, stored_thumbnail_key FROM output"
        )
        uploads = [row["key"] for row in await self._ask("SELECT key FROM upload")]
        return {
            *(row["stored_key"] or row["key"] for row in outputs),
            *(row["stored_preview_key"] or row["preview_key"] for row in outputs if row["preview_key"]),
            *(row["stored_thumbnail_key"] for row in outputs if row["stored_thumbnail_key"]),
            *uploads,
            *(f"{key.partition('.')[0]}.preview.webp" for key in uploads),
        }

    async def pending(self) -> set[str]:
        """Return the keys of files that were recorded before they were stored and that no output has named since."""
        return {row["key"] for row in await self._ask("SELECT key FROM pending_file WHERE removed_at IS NULL")}

    async def make_pending_old(self, seconds: float) -> None:
        """Make all records of files, and their removals, older by `seconds`.

        Call this when all processes have ended.
        """
        older = f"{{0}} - interval '{seconds} seconds'"
        if self._url.startswith("sqlite"):
            older = f"strftime('%Y-%m-%d %H:%M:%f', {{0}}, '-{seconds} seconds') || '+00:00'"
        changes = ", ".join(f"{column} = {older.format(column)}" for column in ("noted_at", "removed_at"))
        await self._ask(f"UPDATE pending_file SET {changes}")

    async def costs(self) -> dict[str, int]:
        """Return what the ledger says that each prediction cost, by its id, in micro-dollars."""
        rows = await self._ask(
            "SELECT attempt.prediction_id AS prediction, sum(ledger.micros) AS micros FROM ledger"
            " JOIN attempt ON attempt.id = ledger.attempt GROUP BY attempt.prediction_id"
        )
        return {row["prediction"]: int(row["micros"]) for row in rows if row["prediction"] is not None}

    async def budgets(self) -> list[BudgetRow]:
        """Return all budgets, with the sums of the ledger and of the holds."""
        about = (
            "(budget.scope = 'all' OR CAST(ledger.owner AS TEXT) = budget.subject"
            " OR CAST(ledger.api_key AS TEXT) = budget.subject OR ledger.model = budget.subject)"
        )
        rows = await self._ask(
            "SELECT scope, spent, held,"
            f" (SELECT coalesce(sum(micros), 0) FROM ledger WHERE kind = 'settle' AND {about}) AS settled,"
            " (SELECT coalesce(sum(hold), 0) FROM job"
            "  WHERE is_held AND hold_budgets LIKE '%' || CAST(budget.id AS TEXT) || '%') AS holds FROM budget"
        )
        return [
            BudgetRow(row["scope"], row["spent"], row["held"], int(row["settled"]), int(row["holds"])) for row in rows
        ]

    async def held(self) -> set[UUID]:
        """Return the jobs for which money is held."""
        return {_uuid(row["id"]) for row in await self._ask("SELECT id FROM job WHERE is_held")}

    async def events(self, receivers: Mapping[str, str]) -> list[Event]:
        """Return everything that was to be sent. receivers: their addresses -> their names."""
        rows = await self._ask(
            "SELECT webhook_delivery.id, coalesce(webhook_endpoint.url, webhook_delivery.url) AS url, type, job, state,"
            " row_number() OVER (PARTITION BY target, job ORDER BY webhook_delivery.created_at, webhook_delivery.id)"
            " AS place FROM webhook_delivery"
            " LEFT JOIN webhook_endpoint ON webhook_endpoint.id = webhook_delivery.endpoint"
        )
        return [
            Event(
                f"msg_{_uuid(row['id']).hex}", receivers[row["url"]], row["type"], _uuid(row["job"]), row["state"],
                row["place"],
            )
            for row in rows
        ]  # fmt: skip

    async def disabled(self, receivers: Mapping[str, str]) -> dict[str, str]:
        """Return the receivers that are told nothing any more, and why. receivers: their addresses -> their names."""
        rows = await self._ask("SELECT url, disabled_why FROM webhook_endpoint WHERE disabled_at IS NOT NULL")
        return {receivers[row["url"]]: row["disabled_why"] for row in rows}

    async def make_webhooks_due(self) -> None:
        """Let time pass until the next try of everything that could not be delivered."""
        waits = "state = 'pending' AND claim IS NULL AND due_at IS NOT NULL"
        await self._ask(f"UPDATE webhook_delivery SET due_at = created_at WHERE {waits}")

    async def webhooks_left(self) -> bool:
        """Return whether something is on its way."""
        return bool(await self._ask("SELECT id FROM webhook_delivery WHERE due_at IS NOT NULL LIMIT 1"))

    async def halts(self) -> set[str]:
        """Return the code of what currently halts the queue, if it is halted."""
        return {row["code"] for row in await self._ask("SELECT code FROM halt")}

    async def storing(self) -> dict[UUID, str]:
        """Return the jobs that have stored a file, but maybe not all files -> the token of the lease."""
        rows = await self._ask(
            "SELECT job.id, job.lease_token FROM job JOIN pending_file ON pending_file.job = job.id"
            " AND pending_file.claim = job.lease_token WHERE job.status = 'running'"
        )
        return {_uuid(row["id"]): str(row["lease_token"]) for row in rows}

    async def downloading(self) -> dict[UUID, str]:
        """Return the jobs whose outputs are being downloaded to storage -> the token of the lease."""
        rows = await self._ask("SELECT id, lease_token FROM job WHERE status = 'running' AND stage = 'downloading'")
        return {_uuid(row["id"]): str(row["lease_token"]) for row in rows}

    async def leases(self) -> dict[UUID, tuple[str, float]]:
        """Return the leased jobs -> the token of the lease, and when the lease ends (Unix seconds)."""
        rows = await self._ask("SELECT id, lease_token, lease_until FROM job WHERE status = 'running'")
        return {
            _uuid(row["id"]): (str(row["lease_token"]), _moment(row["lease_until"]).timestamp())
            for row in rows
            if row["lease_token"] is not None and row["lease_until"] is not None
        }

    async def _ask(self, query: str) -> list[Row]:
        if self._url.startswith("sqlite"):
            return await asyncio.to_thread(_ask_file, self._url.removeprefix("sqlite:///"), query)
        connection = await asyncpg.connect(self._url, timeout=5)
        try:
            return [dict(row) for row in await connection.fetch(query, timeout=10)]
        finally:
            with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                await connection.close(timeout=1)


UNREADABLE = (
    OSError,
    TimeoutError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # the connection broke during an operation
    sqlite3.OperationalError,
)
"""The errors that reading raises while the database is away."""


@dataclass
class Takeover:
    """How long a job was without a living worker: from one worker's last sign of life to the next one's claim."""

    seconds: float = 0.0
    job: UUID | None = None


async def watch_takeovers(records: Records, lease: int, worst: Takeover) -> None:
    """Watch forever, and record the longest takeover. lease: in seconds."""
    before: dict[UUID, tuple[str, float]] = {}
    while True:
        await asyncio.sleep(LOOK_EVERY)
        try:
            leases, now = await records.leases(), time.time()
        except UNREADABLE:
            continue
        for job, (token, until) in before.items():
            if job in leases and leases[job][0] != token and until < now:
                seconds = now - (until - lease)
                if seconds > worst.seconds:
                    worst.seconds, worst.job = seconds, job
        before = leases


async def watch_halts(records: Records, seen: set[str]) -> None:
    """Watch forever, and record why the queue was halted."""
    while True:
        await asyncio.sleep(LOOK_EVERY)
        with suppress(*UNREADABLE):
            seen |= await records.halts()


def _ask_file(path: str, query: str) -> list[Row]:
    with closing(sqlite3.connect(path, timeout=10, isolation_level=None)) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute(query)]


def _uuid(value: object) -> UUID:
    return value if isinstance(value, UUID) else UUID(str(value))


def _moment(value: object) -> datetime:
    return value if isinstance(value, datetime) else datetime.fromisoformat(str(value))


def _between(start: object, end: object) -> float:
    """Return the seconds between two times, or infinity when one of them is unknown."""
    return (_moment(end) - _moment(start)).total_seconds() if start and end else math.inf
