"""Reads a database as of one moment, whatever its driver."""

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from typing import Any

Row = Mapping[str, Any]
Rows = Callable[[str], AsyncGenerator[Row, None]]
"""Runs a SELECT, and yields its rows one by one. Everything that it runs sees the database as of the same moment."""


async def only(rows: Rows, query: str) -> Row | None:
    """Return the only row of a query, or None when there is none."""
    async with aclosing(rows(query)) as found:
        return await anext(found, None)
