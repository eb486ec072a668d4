"""Darkroom's rows as another program reads them, and how long jobs were without a living worker."""

import asyncio
import sqlite3
import time
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from tests.chaos.evidence import AttemptRow, JobRow, OutputRow

LOOK_EVERY = 0.25  # seconds

Row = dict[str, Any]


class Records:
    """The database behind a DATABASE_URL. Each read has a connection of its own: the server may be gone at any time."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def jobs(self) -> list[JobRow]:
        """All jobs."""
        return [
            JobRow(_uuid(row["id"]), row["prompt"], row["status"], row["error_code"], row["lease_token"] is not None)
            for row in await self._read("SELECT id, prompt, status, error_code, lease_token FROM job")
        ]

    async def attempts(self) -> list[AttemptRow]:
        """All attempts."""
        rows = await self._read("SELECT job, number, created_at, finished_at, prediction_id FROM attempt")
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
        """All outputs."""
        rows = await self._read("SELECT job, position, key, sha256 FROM output")
        return [OutputRow(_uuid(row["job"]), row["position"], row["key"], row["sha256"]) for row in rows]

    async def leases(self) -> dict[UUID, tuple[str, float]]:
        """Job -> the token of its lease, and when that ends (Unix seconds)."""
        rows = await self._read("SELECT id, lease_token, lease_until FROM job WHERE status = 'running'")
        return {
            _uuid(row["id"]): (str(row["lease_token"]), _moment(row["lease_until"]).timestamp())
            for row in rows
            if row["lease_token"] is not None and row["lease_until"] is not None
        }

    async def _read(self, query: str) -> list[Row]:
        if self._url.startswith("sqlite"):
            return await asyncio.to_thread(_read_file, self._url.removeprefix("sqlite:///"), query)
        connection = await asyncpg.connect(self._url, timeout=5)
        try:
            return [dict(row) for row in await connection.fetch(query, timeout=10)]
        finally:
            with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                await connection.close(timeout=1)


UNREADABLE = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, sqlite3.OperationalError)
"""What reading raises while the database is away."""


@dataclass
class Takeover:
    """How long a job was without a living worker: from the last sign of life of one to the claim of the next."""

    seconds: float = 0.0
    job: UUID | None = None


async def watch_takeovers(records: Records, lease: int, worst: Takeover) -> None:
    """Watch for ever, and keep the worst one. lease: seconds."""
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


def _read_file(path: str, query: str) -> list[Row]:
    with closing(sqlite3.connect(path, timeout=10)) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute(query)]


def _uuid(value: object) -> UUID:
    return value if isinstance(value, UUID) else UUID(str(value))


def _moment(value: object) -> datetime:
    return value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
