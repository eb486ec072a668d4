"""Count what a search finds by the values of its fields, as the filter panel lists them, however many jobs there are.

Of a search the newest 10,000 jobs are counted; of the whole library each value up to a limit, from an index of its own.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID

from async_lru import alru_cache

from tasks.db.account_tables import Person
from tasks.db.tables import Job, Status
from tasks.library import paging
from tasks.library.cards import MAX_COUNTED
from tasks.library.filters import MODEL_NAMES, SHOWN, of_status
from tasks.library.labels import TAG_NAMES
from tasks.library.query import KINDS, Search
from tasks.models.names import bare

LIBRARY_TTL_SECONDS = 10.0  # seconds that the numbers of the whole library are cached
MAX_OF_MANY = 1000  # the most jobs counted for each tag and collection of the library: there may be hundreds of them
COLUMNS = {"kind": "kind", "model": "model", "status": "status", "fav": "favorite", "rating": "rating", "by": "owner"}
"""The columns of jobs that fields are about."""
FIELDS = (*COLUMNS, "tag")
STARS = range(1, 6)


@dataclass(frozen=True, slots=True)
class Count:
    """A number of jobs. more: whether there may be more of them."""

    jobs: int
    more: bool = False

    def __add__(self, other: "Count") -> "Count":
        return Count(self.jobs + other.jobs, self.more or other.more)


Facets = Mapping[str, Mapping[str, Count]]
"""The counts by field and value. A model is named without its version; ratings are 5, >=4 and so on; fav is yes."""


async def found(search: Search, most: int = MAX_COUNTED) -> Facets:
    """Return what a search finds by the values of FIELDS.

    Each field is counted without the search's own terms of it, so that its other values have numbers as well. Of more
    than `most` jobs only the newest are counted. The values of the library that these lack then have 0 or more.
    """
    fields = defaultdict(list)
    for field in FIELDS:
        fields[search.with_values(field, ())].append(field)
    counted = await asyncio.gather(*(_of_search(other, most) if other else of_library(most) for other in fields))
    return {
        field: facets.get(field, {})
        for names, facets in zip(fields.values(), counted, strict=True)
        for field in names
    }  # fmt: skip


@alru_cache(maxsize=1, ttl=LIBRARY_TTL_SECONDS)
async def of_library(most: int) -> Facets:
    """Return all jobs outside the trash by the values of FIELDS, and by collection.

    Each value is counted up to `most`, tags and collections up to MAX_OF_MANY.
    """
    tally = _Tally()
    for field, query in IN_LIBRARY.items():
        limit = min(most, MAX_OF_MANY) if field in ("tag", "collection") else most
        for row in await Job.raw(query, *[limit + 1] * query.count("{}")):
            tally.add(field, row["value"], Count(min(row["number"], limit), row["number"] > limit))
    return tally.facets()


def _number(jobs: str) -> str:
    """Return the expression for a number of jobs, with a {} for the limit to it. jobs: which, from FROM on.

    They are in the order of the index that finds them, or PostgreSQL would take a value for common and scan all jobs.
    """
    return f"(SELECT count(*) FROM (SELECT 1 {jobs} LIMIT {{}}) AS counted) AS number"


def _each(values: Iterable[object], conditions: str) -> str:
    """Return a query for the numbers of jobs with each of these values. conditions: with a % for the value."""
    jobs = f"FROM job WHERE {conditions} AND {SHOWN} ORDER BY job.id DESC"
    return " UNION ALL ".join(f"SELECT {value} AS value, {_number(jobs.replace('%', str(value)))}" for value in values)


def _status(status: Status) -> str:
    order = "job.model, job.id" if status == Status.COMPLETED else "job.id DESC"  # as in their indexes
    jobs = f"FROM job WHERE {of_status(status)} AND {SHOWN} ORDER BY {order}"
    return f"SELECT '{status}' AS value, {_number(jobs)}"


OF_MODEL = f"FROM job WHERE job.model = names.model AND {SHOWN} ORDER BY job.id DESC"
OF_PERSON = f"FROM job WHERE job.owner = person.id AND {SHOWN} ORDER BY job.id DESC"
OF_TAG = f"FROM job_tag JOIN job ON job.id = job_tag.job WHERE job_tag.name = names.name AND {SHOWN}"
OF_COLLECTION = (
    "FROM collection_item JOIN job ON job.id = collection_item.job"
    f" WHERE collection_item.collection = collection.id AND {SHOWN}"
)
IN_LIBRARY = {
    "kind": _each((f"'{kind}'" for kind in KINDS), "job.kind = %"),
    "fav": _each(["true"], "job.favorite = %"),
    "rating": _each(STARS, "job.rating = % AND job.rating > 0"),
    "status": " UNION ALL ".join(map(_status, Status)),
    "model": f"{MODEL_NAMES} SELECT model AS value, {_number(OF_MODEL)} FROM names WHERE model IS NOT NULL",
    "by": f"SELECT name AS value, {_number(OF_PERSON)} FROM person",
    "tag": f"{TAG_NAMES} SELECT name AS value, {_number(OF_TAG)} FROM names WHERE name IS NOT NULL",
    "collection": f"SELECT name AS value, {_number(OF_COLLECTION)} FROM collection",
}
"""Queries for the values of each field with their numbers, each counted from an index."""


async def _of_search(search: Search, most: int) -> Facets:
    rows = await paging.numbers_by(search, tuple(COLUMNS.values()), most + 1)
    more = sum(row["number"] for row in rows) > most
    names = await _names_of_people() if any(row["owner"] for row in rows) else {}
    tally = _Tally()
    if more and search.owner is None:
        for field, counts in (await of_library(most)).items():
            for value in (value for value, count in counts.items() if count.jobs):
                tally.add(field, value, Count(0, more))
    for row in rows:
        named = {**row, "owner": names.get(row["owner"])}
        for field, column in COLUMNS.items():
            tally.add(field, named[column], Count(row["number"], more))
    for name, number in (await paging.numbers_tagged(search, most + 1)).items():
        tally.add("tag", name, Count(number, more))
    return tally.facets()


async def _names_of_people() -> dict[UUID, str]:
    return {row["id"]: row["name"] for row in await Person.select(Person.id, Person.name)}


class _Tally:
    """The sums of counts by field and value."""

    def __init__(self) -> None:
        self._counts: dict[str, dict[str, Count]] = defaultdict(dict)

    def add(self, field: str, value: object, count: Count) -> None:
        """Add to the count of a value of a column, under each name that it has in a search. None has none."""
        for name in _names_of(field, value):
            self._counts[field][name] = self._counts[field].get(name, Count(0)) + count

    def facets(self) -> Facets:
        return self._counts


def _names_of(field: str, value: object) -> list[str]:
    match field, value:
        case _, None:
            return []
        case "model", str():
            return [bare(value)]
        case "fav", bool() | int():
            return ["yes"] if value else []
        case "rating", int():
            return [f">={stars}" if stars < max(STARS) else str(stars) for stars in STARS if stars <= value]
    return [str(value)]
