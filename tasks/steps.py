"""Statements that are run as one: all of them, or none."""

from dataclasses import dataclass
from typing import Any

from piccolo.query.base import Query
from piccolo.querystring import QueryString

Rows = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Step:
    """A statement of a transaction. must: where it answers no row, nothing of the transaction is done."""

    statement: QueryString
    must: bool = False


class Unmet(Exception):
    """A step that must answer a row does not: what an engine ends its transaction with."""


def step(query: Query[Any, Any] | QueryString, must: bool = False) -> Step:
    """Return a query of Piccolo's, or a statement, as a step."""
    return Step(query if isinstance(query, QueryString) else query.querystrings[0], must)
