"""The marks that users put on jobs: the tags and collections of a job, and the tags in use."""

from dataclasses import dataclass

from tasks.db.tables import JobTag

TAG_NAMES = (  # in use: walks the index from one name to the next, however many jobs have each
    "WITH RECURSIVE names (name) AS (SELECT min(name) FROM job_tag UNION ALL"
    " SELECT (SELECT min(job_tag.name) FROM job_tag WHERE job_tag.name > names.name) FROM names"
    " WHERE names.name IS NOT NULL)"
)
TAGS_IN_USE = f"{TAG_NAMES} SELECT name FROM names WHERE name IS NOT NULL LIMIT {{}}"


@dataclass(frozen=True, slots=True)
class Labels:
    """The tags of a job and the names of its collections, sorted."""

    tags: tuple[str, ...] = ()
    collections: tuple[str, ...] = ()


NO_LABELS = Labels()


async def tags_in_use(containing: str = "", most: int = 50) -> list[str]:
    """Return up to `most` tags that contain these letters, sorted. Searches the first thousand tags in use."""
    rows = await JobTag.raw(TAGS_IN_USE, 1000)
    return [row["name"] for row in rows if containing.lower() in row["name"]][:most]
