"""Statements that run as one transaction: all of them, or none."""

from dataclasses import dataclass
from typing import Any

from piccolo.query.base import Query
from piccolo.querystring import QueryString

Rows = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Step:
    """A statement of a transaction. must: whether the transaction changes nothing when the statement returns no row."""

    statement: QueryString
    must: bool = False


class Unmet(Exception):
    """The error with which an engine ends its transaction when a step that must return a row returns none."""


def step(query: Query[Any, Any] | QueryString, must: bool = False) -> Step:
    """Return a Piccolo query, or a statement, as a step."""
    return Step(query if isinstance(query, QueryString) else query.querystrings[0], must)
