"""Jobs read in one query with everything that belongs to them: their outputs, tags, collection names and makers.

The SQL is built only once: a row has so many columns that Piccolo takes longer to build the query than either database
takes to answer it.
"""

from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter
from typing import Any
from uuid import UUID

import msgspec

from tasks.db import columns
from tasks.db.dialect import JSON_GROUP_ARRAY, JSON_OBJECT
from tasks.db.tables import Job, Output
from tasks.library.labels import Labels


@dataclass(frozen=True, slots=True)
class Maker:
    """Who made a job: the names of the person and of the key; None for nobody in particular, and without a key."""

    owner: str | None = None
    key: str | None = None


NOBODY = Maker()
Whole = tuple[Job, list[Output], Labels, Maker]


async def read(rest: str, *values: Any) -> list[Whole]:
    """Return jobs with everything that belongs to them. rest: the SQL after FROM job, with a {} for each value."""
    return [_whole(row) for row in await Job.raw(f"{SELECT_CARDS} {rest}", *values)]


def _whole(row: dict[str, Any]) -> Whole:
    outputs, tags, collections = (_listed(row.pop(name)) for name in ("outputs", "tags", "collections"))
    owner, key = row.pop("owner_name"), row.pop("key_name")
    job = Job(**row, _exists_in_db=True)
    outputs.sort(key=itemgetter("position"))
    labels = Labels(tuple(sorted(tags)), tuple(sorted(collections)))
    return job, [_output(job.id, fields) for fields in outputs], labels, Maker(owner, key) if owner else NOBODY


def _listed(value: str | None) -> list[Any]:
    return list(msgspec.json.decode(value)) if value else []


def _output(job_id: UUID, fields: dict[str, Any]) -> Output:
    trashed_at = fields["trashed_at"] and datetime.fromisoformat(fields["trashed_at"])
    as_row = {"id": UUID(fields["id"]), "job": job_id, "favorite": bool(fields["favorite"]), "trashed_at": trashed_at}
    return Output(**{**fields, **as_row}, _exists_in_db=True)


def _query() -> str:
    fields = ", ".join(f"'{name}', output.{name}" for name in (column._meta.name for column in Output.all_columns()))
    return (
        f"SELECT {columns.listed(Job, 'job')},"
        f" CASE WHEN job.status = 'completed' THEN"
        f" (SELECT {JSON_GROUP_ARRAY}({JSON_OBJECT}({fields})) FROM output WHERE output.job = job.id) END AS outputs,"
        f" (SELECT {JSON_GROUP_ARRAY}(job_tag.name) FROM job_tag WHERE job_tag.job = job.id) AS tags,"
        f" (SELECT {JSON_GROUP_ARRAY}(collection.name) FROM collection_item"
        " JOIN collection ON collection.id = collection_item.collection"
        " WHERE collection_item.job = job.id) AS collections,"
        " (SELECT person.name FROM person WHERE person.id = job.owner) AS owner_name,"
        " (SELECT api_key.name FROM api_key WHERE api_key.id = job.api_key) AS key_name"
        " FROM job"
    )


SELECT_CARDS = _query()
