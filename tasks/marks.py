"""What people said of jobs, read back: tags and collections of a page of cards, and the tags there are."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from tasks.tables import CollectionItem, JobTag

TAGS_IN_USE = (  # from one name to the next along the index, however many jobs have each
    "WITH RECURSIVE names (name) AS (SELECT min(name) FROM job_tag UNION ALL"
    " SELECT (SELECT min(job_tag.name) FROM job_tag WHERE job_tag.name > names.name) FROM names"
    " WHERE names.name IS NOT NULL) SELECT name FROM names WHERE name IS NOT NULL LIMIT {}"
)


@dataclass(frozen=True, slots=True)
class Marks:
    """The tags of a job, and the names of its collections, sorted."""

    tags: tuple[str, ...] = ()
    collections: tuple[str, ...] = ()


NONE = Marks()


async def of(job_ids: Sequence[UUID]) -> dict[UUID, Marks]:
    """The marks of these jobs: two queries, however many they are."""
    if not job_ids:
        return {}
    wanted = list(job_ids)
    tags, collections = defaultdict(list), defaultdict(list)
    for row in await JobTag.select(JobTag.job, JobTag.name).where(JobTag.job.is_in(wanted)):
        tags[row["job"]].append(row["name"])
    items = CollectionItem.select(CollectionItem.job, CollectionItem.collection.name.as_alias("name"))
    for row in await items.where(CollectionItem.job.is_in(wanted)):
        collections[row["job"]].append(row["name"])
    return {job_id: Marks(tuple(sorted(tags[job_id])), tuple(sorted(collections[job_id]))) for job_id in wanted}


async def tags_in_use(containing: str = "", most: int = 50) -> list[str]:
    """Tags that hold these letters, sorted; among the first thousand that are in use."""
    rows = await JobTag.raw(TAGS_IN_USE, 1000)
    return [row["name"] for row in rows if containing.lower() in row["name"]][:most]
