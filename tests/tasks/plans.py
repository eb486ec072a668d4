"""Query plans: which queries a call runs, and how the database executes them."""

import json
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from piccolo.querystring import QueryString

from tasks.db.database import DB
from tasks.db.sqlite import KeptSQLiteEngine
from tasks.db.tables import Job

MANY = 1000  # rows: no query may sort more


async def troubles(call: Awaitable[object]) -> list[str]:
    """Return the steps of a call's queries that scan all jobs, or sort very many rows."""
    with asked() as queries:
        await call
    assert queries, "it asked nothing"
    return [trouble for query in queries for trouble in await _troubles(query)]


async def plan(call: Awaitable[object]) -> str:
    """Return how the database executes all queries of a call, in its own words."""
    with asked() as queries:
        await call
    explain = "EXPLAIN {}" if DB.engine_type == "postgres" else "EXPLAIN QUERY PLAN {}"
    rows = [row for query in queries for row in await Job.raw(explain, query)]
    return "\n".join(str(row.get("QUERY PLAN") or row["detail"]) for row in rows)


async def forget_statistics() -> None:
    """Remove what plans depend on from earlier tests: SQLite's statistics; jobs with PostgreSQL's bloated indexes."""
    if not isinstance(DB, KeptSQLiteEngine):
        await Job.raw("TRUNCATE job CASCADE")
    else:
        for name in ("sqlite_stat1", "sqlite_stat4"):
            await Job.raw(f"DROP TABLE IF EXISTS {name}")
        await DB.close()  # each connection caches them


@contextmanager
def asked() -> Iterator[list[QueryString]]:
    """Record the queries that run in the block."""
    queries: list[QueryString] = []
    run = type(DB).run_querystring

    async def noted(self: Any, querystring: QueryString, in_pool: bool = True) -> Any:
        queries.append(querystring)
        return await run(self, querystring, in_pool)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(DB), "run_querystring", noted)
        yield queries


async def _troubles(query: QueryString) -> list[str]:
    if DB.engine_type == "sqlite":
        steps = [row["detail"] for row in await Job.raw("EXPLAIN QUERY PLAN {}", query)]
        return [f"{step}: {query}" for step in steps if _scans(step) or (_of_jobs(query) and _sorts(step))]
    [row] = await Job.raw("EXPLAIN (FORMAT JSON) {}", query)
    return [f"{step['Node Type']}: {query}" for step in _steps(json.loads(row["QUERY PLAN"])[0]["Plan"]) if _bad(step)]


def _of_jobs(query: QueryString) -> bool:
    """Return whether a query is about jobs: rows that belong to the jobs of one page may be sorted."""
    return 'FROM "job"' in str(query) or "FROM job" in str(query)


def _scans(step: str) -> bool:
    return step == "SCAN job" or step.startswith("SCAN job USING INDEX sqlite_auto")


def _sorts(step: str) -> bool:
    return step.startswith("USE TEMP B-TREE")


def _steps(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for step in plan.get("Plans", []):
        yield from _steps(step)


def _bad(step: dict[str, Any]) -> bool:
    if step["Node Type"] == "Seq Scan":
        return bool(step["Relation Name"] == "job")
    return "Sort" in step["Node Type"] and any(below["Plan Rows"] > MANY for below in step["Plans"])
