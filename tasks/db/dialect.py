"""What PostgreSQL and SQLite write differently. Their full-text search is in full_text.py."""

import json
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from piccolo.columns.combination import WhereRaw
from piccolo.querystring import QueryString

from tasks.db import ids
from tasks.db.database import DB, now
from tasks.db.tables import Condition, Job

ON_POSTGRES = DB.engine_type == "postgres"

GREATEST = "greatest" if ON_POSTGRES else "max"
JSON_ARRAY = "json_build_array" if ON_POSTGRES else "json_array"
JSON_OBJECT = "json_build_object" if ON_POSTGRES else "json_object"
JSON_GROUP_ARRAY = "json_agg" if ON_POSTGRES else "json_group_array"
JSON_GROUP_OBJECT = "json_object_agg" if ON_POSTGRES else "json_group_object"
ANY_TRUE = "bool_or" if ON_POSTGRES else "max"
JSON_EACH_MEMBER = "json_each_text" if ON_POSTGRES else "json_each"
JSON_EACH = "json_array_elements" if ON_POSTGRES else "json_each"
LOCK_ROWS = " FOR NO KEY UPDATE" if ON_POSTGRES else ""
"""Ends a SELECT whose rows nobody else may change before the commit. SQLite has one writer anyway."""
LOCK_FREE_ROWS = " FOR UPDATE SKIP LOCKED" if ON_POSTGRES else ""
"""Ends a SELECT that locks its rows, and passes over those that are locked already."""

ID_PREFIX_LENGTH = 15  # characters: the time and the version
RANDOM_ID_TAIL = (  # as many random bits as a version 7 id has, in the form that Piccolo writes
    "substr(CAST(gen_random_uuid() AS text), 16)"
    if ON_POSTGRES
    else "lower(substr(hex(randomblob(2)), 2) || '-a' || substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6)))"
)


FromNow = Callable[[float], datetime | QueryString]
"""A clock: returns the time some seconds from now, as from_now() does. Tests have others."""


def from_now(seconds: float = 0.0) -> datetime | QueryString:
    """Return the time `seconds` from now by the database's clock, as a value for queries.

    Leases and waits must not depend on which worker asks. SQLite uses this machine's clock, as does every process that
    opens its file.
    """
    if ON_POSTGRES:
        return QueryString("now() + make_interval(secs => {})", float(seconds))
    return now() + timedelta(seconds=seconds)


def typed(expression: str, kind: str) -> str:
    """Return an expression with a PostgreSQL type, where PostgreSQL cannot infer it. SQLite needs none."""
    return f"CAST({expression} AS {kind})" if ON_POSTGRES else expression


def as_moment(value: datetime | str) -> datetime:
    """Return a time as a computed column has it: SQLite as text."""
    return datetime.fromisoformat(value) if isinstance(value, str) else value


def new_id() -> QueryString:
    """Return an expression that makes a new id for each row, all of this moment.

    Ids are ordered by time, so indexes grow at their end. With random ids a large INSERT would write to nearly all of
    their pages.
    """
    return QueryString(typed(f"{{}} || {RANDOM_ID_TAIL}", "uuid"), str(ids.new())[:ID_PREFIX_LENGTH])


def json_at(array: str, index: int) -> str:
    """Return the expression for an element of a JSON array, as text on PostgreSQL."""
    return f"{array} ->> {index}" if ON_POSTGRES else f"json_extract({array}, '$[{index}]')"


def one_of(job_ids: Sequence[UUID], column: str = "job.id") -> Condition:
    """Return the condition for the rows with these ids of jobs, however many: they are one value."""
    if ON_POSTGRES:
        return WhereRaw(f"{column} = ANY({{}})", list(job_ids))
    listed = json.dumps([str(job_id) for job_id in job_ids])
    return WhereRaw(f"{column} IN (SELECT value FROM json_each({{}}))", listed)


def by_own_index(condition: str) -> str:
    """Return a condition on few jobs so that its own partial index finds them: SQLite would walk all jobs by id."""
    return f"job.{condition}" if ON_POSTGRES else f"job.id IN (SELECT id FROM job WHERE {condition})"


async def one_transaction_at_a_time(lock: int, name: str = "") -> None:
    """Within a transaction, wait until no other one holds this lock of this name, and hold it until the commit.

    On SQLite there is only one writer anyway. lock: any number, but the same in every process.
    """
    if ON_POSTGRES:
        await Job.raw("SELECT pg_advisory_xact_lock({}, hashtext({}))", lock, name)


async def write_rows(connection: Any, table: str, names: Sequence[str], records: Sequence[tuple[Any, ...]]) -> None:
    """Insert many rows in the fastest way of the database's driver: Piccolo's is too slow."""
    if ON_POSTGRES:
        await connection.copy_records_to_table(table, records=records, columns=names)
    else:
        columns, places = ", ".join(f'"{name}"' for name in names), ", ".join("?" * len(names))
        await connection.executemany(f"INSERT INTO {table} ({columns}) VALUES ({places})", records)
