"""A library of years for the browser tests: copies of a finished job, as if they had been submitted at other times."""

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from datetime import datetime
from random import Random
from uuid import UUID

from tasks.db import ids
from tests.browser.conftest import Darkroom

CHANCE = Random(14)


def copied(darkroom: Darkroom, source: UUID, moments: Iterable[datetime], tag: str) -> list[UUID]:
    """Copy a finished job to each moment, with its outputs and a tag. Returns the ids of the copies."""
    made = [ids.drawn_at(moment, CHANCE) for moment in moments]
    path = darkroom.environment["DATABASE_URL"].removeprefix("sqlite:///")
    with closing(sqlite3.connect(path, timeout=30)) as connection, connection:
        for job_id in made:
            _copy(connection, "job", "id", source, {"id": job_id, "changed_at": str(ids.moment_of(job_id))})
            _copy(connection, "output", "job", source, {"id": ids.new(), "job": job_id})
            connection.execute(
                "INSERT INTO job_tag (id, job, name) VALUES (?, ?, ?)", (str(ids.new()), str(job_id), tag)
            )
    return made


def _copy(connection: sqlite3.Connection, table: str, key: str, source: UUID, changes: dict[str, object]) -> None:
    columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
    values = ", ".join("?" if column in changes else column for column in columns)
    given = [str(changes[column]) for column in columns if column in changes]
    connection.execute(
        f"INSERT INTO {table} ({', '.join(columns)}) SELECT {values} FROM {table} WHERE {key} = ?",
        [*given, str(source)],
    )
