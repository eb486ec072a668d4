"""Makes a library as an earlier version did, and upgrades it: `python -m tests.tasks.earlier` in its own process.

The arguments are the last migration that the earlier version had, and `first` when that version had the migrations as
they were first published. Without arguments, the library is made by today's version. The output is JSON: see `main`.
"""

import asyncio
import io
import sys
from contextlib import redirect_stdout
from datetime import timedelta
from typing import Any

import msgspec
from piccolo.apps.migrations.commands.forwards import ForwardsMigrationManager
from piccolo.apps.migrations.tables import Migration
from piccolo.table import Table
from piccolo.utils.sql_values import convert_to_sql_value

from tasks.db import ids
from tasks.db.database import DB, connected, now
from tasks.db.tables import (
    ENDED,
    Attempt,
    Batch,
    Collection,
    CollectionItem,
    Job,
    JobTag,
    Output,
    SavedSearch,
    Status,
    Undo,
)
from tasks.library import paging
from tasks.library.query import parse
from tasks.settings import settings

Row = dict[str, Any]

UNDONE = {
    "2026-11-23T01:20:00:000000": ("DROP INDEX job_expiring", "DROP INDEX attempt_prediction"),
    "2026-11-25T22:30:00:000000": ("DROP INDEX output_key",),
}
"""SQL that undoes what was added to migrations after they had been published: some libraries lack it."""
UNDONE_ON_POSTGRES = {"2026-11-25T22:30:00:000000": ("ALTER TABLE job_words ALTER words SET STATISTICS -1",)}

FOUND_OUT = {"attempt", "kind", "seed", "stored_key", "stored_preview_key"}
"""Columns that the migrations fill in for existing rows."""

COLUMNS = {
    "sqlite": "SELECT name FROM pragma_table_info({})",
    "postgres": "SELECT attname::text AS name FROM pg_attribute WHERE attrelid = to_regclass({}) AND attnum > 0",
}
SCHEMA = {
    "sqlite": "SELECT type, name, sql FROM sqlite_master ORDER BY type, name",
    "postgres": """
        SELECT 'column' AS type, attrelid::regclass || '.' || attname AS name,
            concat_ws(' ', attnum, format_type(atttypid, atttypmod), attnotnull, attstattarget,
                pg_get_expr(adbin, adrelid)) AS sql
        FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
        WHERE attrelid IN (SELECT oid FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace)
            AND attnum > 0 AND NOT attisdropped
        UNION ALL SELECT 'index', indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
        UNION ALL SELECT 'constraint', conname, pg_get_constraintdef(oid) FROM pg_constraint
            WHERE connamespace = 'public'::regnamespace
        UNION ALL SELECT 'trigger', tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
        UNION ALL SELECT 'function', proname, pg_get_functiondef(oid) FROM pg_proc
            WHERE pronamespace = 'public'::regnamespace
        ORDER BY 1, 2""",
}


BEFORE = f'[["{ids.new()}", 0]]'
"""What was recorded of a favorite before its outputs had marks of their own, in the migration MARKED."""
MARKED = "2026-11-30T20:53:00:000000"
AMERICAN = "2026-11-29T20:50:00:000000"
"""From this migration on, columns and values have these words and no longer their British spelling."""
BRITISH = {"favorite": "favourite", "favorites": "favourites"}
MENDED = "2026-11-29T02:20:00:000000"
"""From this migration on, a prediction belongs to one attempt, and every library has the additions above."""


async def main(last: str = "", shape: str = "") -> None:
    """Create the library, fill it, upgrade it, and print the result.

    schema: everything that the database reports about it. expected: the rows that were written, by table, as today's
    tables should have them. rows: the rows that they have. found: how many jobs a search for "fox" finds.
    """
    expected: dict[str, list[Row]] = {}
    if settings.sqlite_path is not None:
        settings.sqlite_path.parent.mkdir(parents=True, exist_ok=True)
    if last:
        await _migrate(last)
        if shape == "first":
            await _as_first_published(last)
        expected = await _fill(last)
    async with connected():
        outcome = {
            "schema": await Migration.raw(SCHEMA[DB.engine_type]),
            "expected": expected,
            "rows": {name: await Migration.raw(f'SELECT * FROM "{name}" ORDER BY id') for name in expected},
            "found": await paging.number_found(parse("fox"), most=100),
        }
    sys.stdout.write(msgspec.json.encode(outcome).decode())


async def _migrate(last: str) -> None:
    with redirect_stdout(io.StringIO()):
        result = await ForwardsMigrationManager(app_name="darkroom", migration_id=last).run()
    assert result.success, result.message


async def _as_first_published(last: str) -> None:
    for undone in (UNDONE, UNDONE_ON_POSTGRES) if DB.engine_type == "postgres" else (UNDONE,):
        for statement in (statement for id_ in undone if id_ <= last for statement in undone[id_]):
            await Migration.raw(statement)


async def _fill(last: str) -> dict[str, list[Row]]:
    """Write a few rows into the existing tables and columns. Returns what they should be after the upgrade."""
    expected: dict[str, list[Row]] = {}
    for row in _rows(last):
        table = type(row)._meta
        there = {column["name"] for column in await Migration.raw(COLUMNS[DB.engine_type], table.tablename)}
        columns = [column for column in table.columns if _spelled(column._meta.name, last) in there]
        if columns:
            names = ", ".join(f'"{_spelled(column._meta.name, last)}"' for column in columns)
            places = ", ".join(["{}"] * len(columns))
            values = [_spelled(convert_to_sql_value(row[column._meta.name], column), last) for column in columns]
            await Migration.raw(f'INSERT INTO "{table.tablename}" ({names}) VALUES ({places})', *values)
            filled = {column._meta.name for column in columns} | FOUND_OUT
            known = {c._meta.name: row[c._meta.name] for c in table.columns if c._meta.name in filled}
            expected.setdefault(table.tablename, []).append(known)
    return expected


def _spelled(word: Any, last: str) -> Any:
    return BRITISH[word] if last < AMERICAN and isinstance(word, str) and word in BRITISH else word


def _rows(last: str) -> list[Table]:
    """Return jobs in every state with their related rows.

    The first two attempts share a prediction if the version allows it.
    """
    moment = now().replace(microsecond=0)
    batch, collection = (
        Batch(prompt="{a|b} fox", jobs=2, created_at=moment),
        Collection(name="foxes", created_at=moment),
    )
    rows: list[Table] = [batch, collection, Undo(created_at=moment, action="favorite", argument="yes", before=BEFORE)]
    rows.append(SavedSearch(name="foxes", query="fox", sort="favorites", created_at=moment))
    for number, status in enumerate(Status):
        job = Job(
            status=status, prompt=f"fox number {number}", model="m/m", parameters='{"width": 512}', client="somebody",
            turn=number, created_at=moment, changed_at=moment, due_at=moment, deadline_at=moment + timedelta(days=1),
            kind="image" if status is Status.COMPLETED else None, seed=number, notes="seen at dusk", rating=number,
            favorite=number % 2 == 0,
            batch=batch.id, batch_place=number, lease_token=ids.new() if status is Status.RUNNING else None,
        )  # fmt: skip
        attempt = Attempt(
            job=job.id, number=1, created_at=moment, finished_at=moment if status in ENDED else None, version="m/m",
            input=f'{{"seed": {number}}}', prediction_id="shared" if number < 2 and last < MENDED else f"of-{number}",
        )  # fmt: skip
        job.attempt = None if status in ENDED else attempt.id
        rows += [job, attempt, JobTag(job=job.id, name="wild"), CollectionItem(collection=collection.id, job=job.id)]
        if status is Status.COMPLETED:
            key, preview = f"{job.id}.png", f"{job.id}.preview.webp"
            output = Output(
                job=job.id, position=0, key=key, kind="image", media_type="image/png", bytes=3, sha256="0" * 64,
                preview_key=preview, stored_key=key, stored_preview_key=preview,
                favorite=job.favorite, rating=job.rating,
            )  # fmt: skip
            rows.append(output)
    return rows


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
