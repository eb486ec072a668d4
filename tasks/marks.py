"""What people said of jobs: tags and collections of one, and the tags there are."""

from dataclasses import dataclass

from tasks.tables import JobTag

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


async def tags_in_use(containing: str = "", most: int = 50) -> list[str]:
    """Tags that hold these letters, sorted; among the first thousand that are in use."""
    rows = await JobTag.raw(TAGS_IN_USE, 1000)
    return [row["name"] for row in rows if containing.lower() in row["name"]][:most]
