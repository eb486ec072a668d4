"""The order of the gallery: its sorts, the places in it, and which jobs come next after a place.

Pages use a keyset, not an offset: the millionth page costs as much as the first. Ids are UUIDs of version 7, so they
sort by time. When the search has words, SQLite's full-text index is walked in its own order, in which jobs were
inserted. That order differs from the ids' only for jobs of the same moment. So the walk ends when the page is full,
however many jobs have the word.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from piccolo.columns.combination import WhereRaw
from piccolo.querystring import QueryString

from tasks.db import full_text, ids
from tasks.db.tables import Condition, Job
from tasks.library.filters import but_words, words_of
from tasks.library.query import Search

Span = tuple[datetime, datetime]
"""From a moment to another, which is not part of it."""

FEW = ("seed", "batch", "from", "tag", "collection")  # fields that match few jobs


class Sort(StrEnum):
    """An order of the gallery, named after what comes first."""

    NEWEST = "newest"
    OLDEST = "oldest"
    FAVORITES = "favorites"
    """Favorites first, newest first; then the rest, newest first."""


class NoPlace(Exception):
    """The error of a cursor that is invalid, or that belongs to another sort."""


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the order: directly after a job, or after where a job with its id would be.

    favorite: whether it is among the favorites or among the rest, when favorites come first.
    """

    sort: Sort
    job_id: UUID
    favorite: bool = False

    def __str__(self) -> str:
        """Return the place as a cursor, which is opaque and made only here."""
        mark = (self.sort[0].upper() if self.favorite else self.sort[0]).encode()
        return urlsafe_b64encode(mark + self.job_id.bytes).decode().rstrip("=")

    @classmethod
    def of(cls, cursor: str, sort: Sort) -> "Place":
        """Parse a cursor. Raises NoPlace."""
        try:
            read = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
            place = cls(sort, UUID(bytes=read[1:]), read[:1].isupper())
        except ValueError:
            raise NoPlace from None
        if str(place) != cursor:
            raise NoPlace
        return place

    @classmethod
    def behind(cls, job: Job, sort: Sort) -> "Place":
        """Return the place after a job."""
        return cls(sort, job.id, sort == Sort.FAVORITES and job.favorite)

    @classmethod
    def before(cls, job_id: UUID, sort: Sort) -> "Place":
        """Return the place directly before a job, or before where it would be. Raises NoPlace unless sorted by time."""
        if sort == Sort.FAVORITES or job_id == ids.LAST or not job_id.int:
            raise NoPlace
        return cls(sort, UUID(int=job_id.int + (-1 if sort == Sort.OLDEST else 1)))

    @classmethod
    def before_span(cls, span: Span, sort: Sort) -> "Place":
        """Return the place directly before the jobs of a span of time: from a moment to before another."""
        if sort == Sort.OLDEST:
            return cls(sort, ids.before(ids.first_at(span[0])))
        return cls(sort, ids.first_at(span[1]))


async def next_ids(search: Search, sort: Sort, place: Place | None, count: int) -> list[UUID]:
    """Return the ids of the next `count` jobs that a search finds, in their order."""
    return await _walked(search, _parts(sort, place), count)


async def ids_before(search: Search, sort: Sort, place: Place, count: int) -> list[UUID]:
    """Return the ids of the `count` jobs that a search finds directly before the job of a place, in their order."""
    return (await _walked(search, _backwards(sort, place), count))[::-1]


async def number_found(search: Search, most: int) -> int:
    """Return how many jobs a search finds, counted up to `most`."""
    return await _number(search, _Part(ascending=False), most)


async def number_before(search: Search, sort: Sort, job: Job, most: int) -> int:
    """Return how many jobs a search finds before a job, in the order of the grid, counted up to `most`."""
    number = 0
    for part in _backwards(sort, Place.behind(job, sort)):
        if number < most:
            number += await _number(search, part, most - number)
    return number


async def numbers_by(search: Search, columns: Sequence[str], most: int) -> list[dict[str, Any]]:
    """Return how many of the newest `most` jobs that a search finds have which values of these columns.

    Each combination of values is one row, with its `number`.
    """
    listed, found = ", ".join(columns), _walk(search, _Part(ascending=False), most, columns)
    query = f"SELECT {listed}, count(*) AS number FROM ({{}}) AS found GROUP BY {listed}"
    return list(await Job.raw(query, found))


async def numbers_tagged(search: Search, most: int) -> dict[str, int]:
    """Return how many of the newest `most` jobs that a search finds have each tag, by its name."""
    query = (
        "SELECT job_tag.name, count(*) AS number FROM ({}) AS found"
        " JOIN job_tag ON job_tag.job = found.id GROUP BY job_tag.name"
    )
    rows = await Job.raw(query, _walk(search, _Part(ascending=False), most))
    return {row["name"]: int(row["number"]) for row in rows}


async def numbers_within(search: Search, spans: Sequence[Span], most: int) -> list[int]:
    """Return how many jobs a search finds in each span of time, each counted up to `most`. At most 500 spans."""
    if not spans:
        return []
    parts = [_Part(False, ids.first_at(past), end=ids.first_at(first)) for first, past in spans]
    one = "SELECT {place} AS span, count(*) AS number FROM ({{}}) AS found"
    query = " UNION ALL ".join(one.format(place=place) for place in range(len(parts)))
    rows = await Job.raw(query, *(_walk(search, part, most) for part in parts))
    numbers = {row["span"]: int(row["number"]) for row in rows}
    return [numbers[place] for place in range(len(parts))]


async def numbers_since(search: Search, starts: Sequence[datetime], most: int) -> tuple[int, list[int]]:
    """Return how many of the newest `most` jobs that a search finds there are, and how many in each span of time.

    starts: when each span begins, newest first; it ends where the one before begins.
    """
    spans = "".join(f" WHEN found.id >= {{}} THEN {place}" for place in range(len(starts)))
    span = f"CASE{spans} ELSE -1 END" if starts else "-1"
    query = f"SELECT {span} AS span, count(*) AS number FROM ({{}}) AS found GROUP BY 1"
    rows = await Job.raw(query, *map(ids.first_at, starts), _walk(search, _Part(ascending=False), most))
    numbers = {row["span"]: int(row["number"]) for row in rows}
    return sum(numbers.values()), [numbers.get(place, 0) for place in range(len(starts))]


async def ids_around(search: Search, sort: Sort, job: Job) -> tuple[UUID | None, UUID | None]:
    """Return the ids of the jobs before and after a job, in the order of the grid."""
    behind = Place.behind(job, sort)
    before = await _walked(search, _backwards(sort, behind), 1)
    after = await _walked(search, _parts(sort, behind), 1)
    return next(iter(before), None), next(iter(after), None)


@dataclass(frozen=True, slots=True)
class _Part:
    """A part of the order, walked by id from `start` (exclusive): only favorites, only the rest, or all jobs.

    end: the last id of a descending walk (inclusive).
    """

    ascending: bool
    start: UUID | None = None
    favorite: bool | None = None
    end: UUID | None = None


def _parts(sort: Sort, place: Place | None) -> list[_Part]:
    start = place.job_id if place else None
    if sort != Sort.FAVORITES:
        return [_Part(sort == Sort.OLDEST, start)]
    favorites, others = _Part(False, favorite=True), _Part(False, favorite=False)
    if place is None:
        return [favorites, others]
    return [replace(favorites, start=start), others] if place.favorite else [replace(others, start=start)]


def _backwards(sort: Sort, place: Place) -> list[_Part]:
    if sort != Sort.FAVORITES:
        return [_Part(sort != Sort.OLDEST, place.job_id)]
    own = _Part(True, place.job_id, place.favorite)
    return [own] if place.favorite else [own, _Part(True, favorite=True)]


async def _number(search: Search, part: _Part, most: int) -> int:
    [row] = await Job.raw("SELECT count(*) AS number FROM ({}) AS found", _walk(search, part, most))
    return int(row["number"])


async def _walked(search: Search, parts: Iterable[_Part], count: int) -> list[UUID]:
    ids: list[UUID] = []
    for part in parts:
        if len(ids) < count:
            rows = await Job.raw("{}", _walk(search, part, count - len(ids)))
            ids += [row["id"] for row in rows]
    return ids


def _walk(search: Search, part: _Part, count: int, columns: Sequence[str] = ("id",)) -> QueryString:
    words = words_of(search)
    where, beyond = _but_words(search, part), None
    if words and full_text.IN_ORDER_OF_AGE and not part.favorite:
        return full_text.select_next(words, where, part.start, part.ascending, count, part.end, columns)
    if part.end is not None:
        where = where & (Job.id >= part.end)
    if part.start is not None:
        where = where & (Job.id > part.start if part.ascending else Job.id < part.start)
        beyond = QueryString(f"job_words.job {'>' if part.ascending else '<'} {{}}", part.start)
    if words:
        where = where & full_text.having(words, beyond)
    selected = Job.select(*(Job._meta.get_column_by_name(name) for name in columns)).where(where)
    return selected.order_by(Job.id, ascending=part.ascending).limit(count).querystrings[0]


def _but_words(search: Search, part: _Part) -> Condition:
    """Return the condition of a search, without its words, and of a part.

    `IS` keeps SQLite from walking all favorites when the search itself finds only a few jobs by an index.
    """
    if part.favorite is None:
        return but_words(search)
    few = any(term.field in FEW and not term.negated for term in search.terms)
    return but_words(search) & WhereRaw(f"job.favorite {'IS' if few else '='} {'true' if part.favorite else 'false'}")
