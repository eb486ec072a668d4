"""Full-text search: the words of jobs, found by FTS5 on SQLite and by tsvector on PostgreSQL."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from piccolo.columns.combination import WhereRaw
from piccolo.querystring import QueryString

from tasks.db.dialect import ON_POSTGRES
from tasks.db.tables import Condition

IN_ORDER_OF_AGE = not ON_POSTGRES
"""Whether the index can be walked from old jobs to new ones: SQLite numbers them as they are inserted."""

IN_ORDER = (  # CROSS JOIN keeps the order of the tables, so that what is found is not sorted
    "FROM job_search CROSS JOIN job_words ON job_words.number = job_search.rowid"
    " CROSS JOIN job ON job.id = job_words.job WHERE job_search MATCH"
)


@dataclass(frozen=True, slots=True)
class Words:
    """Words that follow one another. prefix: whether the last one may go on."""

    text: str
    prefix: bool


def query(words: Sequence[Words]) -> str:
    """Return the query for all these words in the language of this database's full-text index."""
    if ON_POSTGRES:
        escaped = [one.text.replace("\\", "\\\\").replace("'", "''") for one in words]
        return " & ".join(f"'{text}'{':*' if one.prefix else ''}" for text, one in zip(escaped, words, strict=True))
    escaped = [one.text.replace('"', '""') for one in words]
    return " AND ".join(f'"{text}"{" *" if one.prefix else ""}' for text, one in zip(escaped, words, strict=True))


def having(words: Sequence[Words], beyond: QueryString | None = None) -> Condition:
    """Return the condition for the jobs that have all these words.

    beyond: a condition on `job_words.job` that excludes some of the jobs early.
    """
    if ON_POSTGRES:
        matching, values = f"SELECT job FROM job_words WHERE words @@ {_tsquery(words)}", []
    else:
        joined = "job_search JOIN job_words ON job_words.number = job_search.rowid"
        matching, values = f"SELECT job_words.job FROM {joined} WHERE job_search MATCH {{}}", [query(words)]
    if beyond is None:
        return WhereRaw(f"job.id IN ({matching})", *values)
    return WhereRaw(f"job.id IN ({matching} AND {{}})", *values, beyond)


def lacking(words: Words) -> Condition:
    """Return the condition for the jobs without these words.

    On PostgreSQL each job that the walk passes is checked, so that the jobs with the words are not all collected first.
    """
    if ON_POSTGRES:
        has = f"SELECT 1 FROM job_words WHERE job_words.job = job.id AND words @@ {_tsquery([words])}"
        return WhereRaw(f"NOT EXISTS ({has})")
    return WhereRaw("NOT ({})", having([words]).querystring)


def select_among(words: Sequence[Words], job_ids: Sequence[UUID], condition: Condition) -> QueryString:
    """Return a query for the ids of the given jobs that have all these words and match a condition, on SQLite.

    It reads the full-text index only from the first to the last given job: jobs that change are mostly new ones, at the
    end of the index.
    """
    given = QueryString(", ".join(["{}"] * len(job_ids)), *job_ids)
    return QueryString(
        f"SELECT job.id {IN_ORDER} {{}} AND job_search.rowid >= (SELECT min(number) FROM job_words WHERE job IN ({{}}))"
        " AND job_search.rowid <= (SELECT max(number) FROM job_words WHERE job IN ({}))"
        " AND job_words.job IN ({}) AND {}",
        query(words), given, given, given, condition.querystring,
    )  # fmt: skip


def select_next(
    words: Sequence[Words],
    condition: Condition,
    start: UUID | None,
    ascending: bool,
    count: int,
    end: UUID | None = None,
    columns: Sequence[str] = ("id",),
) -> QueryString:
    """Return a query for columns of the next jobs after `start` that match, in order of age, on SQLite.

    end: the last id of a descending walk, with `start`.
    """
    values: list[Any] = [query(words), condition.querystring]
    beyond = ""
    if start is not None:
        first, then, sign = ("DESC", "<=", ">") if ascending else ("ASC", ">=", "<")
        edge = 0 if ascending else 2**63 - 1
        beyond = (
            f" AND job_search.rowid {sign} coalesce((SELECT number FROM job_words WHERE job {then} {{}}"
            f" ORDER BY job {first} LIMIT 1), {edge})"
        )
        values.append(start)
    if end is not None:
        beyond += (
            " AND job_search.rowid >= coalesce((SELECT number FROM job_words WHERE job >= {}"
            f" ORDER BY job LIMIT 1), {2**63 - 1}) AND job.id >= {{}} AND job.id < {{}}"
        )
        values += [end, end, start]
    return QueryString(
        f"SELECT {', '.join(f'job.{name}' for name in columns)} {IN_ORDER} {{}} AND {{}}{beyond}"
        f" ORDER BY job_search.rowid {'ASC' if ascending else 'DESC'} LIMIT {{}}",
        *values, count,
    )  # fmt: skip


def _tsquery(words: Sequence[Words]) -> str:
    """Return the full-text query as a literal.

    Plans made once for all words take rare words for common ones, and walk through the whole library. Braces, even
    doubled ones, are escaped: Piccolo 1.38 takes each for the placeholder of a value.
    """
    text = query(words).replace("\\", "\\\\").replace("'", "''").replace("{", r"\x7b").replace("}", r"\x7d")
    return f"to_tsquery('simple', without_accents(E'{text}'))"
