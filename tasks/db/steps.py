"""Statements that run as one transaction: all of them, or none."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from piccolo.query.base import Query
from piccolo.querystring import QueryString

Rows = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Step:
    """A statement of a transaction. must: whether the transaction changes nothing when the statement returns no row.

    alike: more statements of the same text, which run with it in one round trip. Each returns a row, or none.
    """

    statement: QueryString
    must: bool = False
    alike: tuple[QueryString, ...] = ()

    @property
    def least(self) -> int:
        """The number of rows without which the transaction changes nothing."""
        return 1 + len(self.alike) if self.must else 0

    def compiled(self, engine_type: str) -> tuple[str, list[Sequence[Any]]]:
        """Return the text in the dialect of an engine, and the values of each run."""
        runs = [each.compile_string(engine_type) for each in (self.statement, *self.alike)]
        return runs[0][0], [values for _, values in runs]


class Unmet(Exception):
    """The error with which an engine ends its transaction when a step that must return a row returns none."""


def alike(statements: Sequence[QueryString], must: bool = False) -> Step:
    """Return statements of the same text as a step. must: whether each of them must return a row."""
    return Step(statements[0], must, tuple(statements[1:]))


class _Insert(QueryString):
    """An INSERT of plain values. Piccolo takes longer to compile many than the databases take to insert them."""

    def __init__(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        super().__init__("")
        self._head, self._rows = f"INSERT INTO {table} ({', '.join(columns)}) VALUES", rows

    def compile_string(self, engine_type: str = "") -> tuple[str, list[Any]]:
        """Return the text and the values."""
        width, values = len(self._rows[0]), [value for row in self._rows for value in row]
        marks = [f"${number}" if engine_type == "postgres" else "?" for number in range(1, len(values) + 1)]
        groups = (f"({', '.join(marks[start : start + width])})" for start in range(0, len(marks), width))
        return f"{self._head} {', '.join(groups)}", values


def inserted(table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Step:
    """Return the statement that inserts rows of plain values, as a step."""
    return Step(_Insert(table, columns, rows))


def step(query: Query[Any, Any] | QueryString, must: bool = False) -> Step:
    """Return a Piccolo query, or a statement, as a step."""
    return Step(query if isinstance(query, QueryString) else query.querystrings[0], must)
