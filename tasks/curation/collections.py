"""Collections: jobs that a user has grouped under a name."""

from dataclasses import dataclass
from sqlite3 import IntegrityError
from uuid import UUID

from asyncpg.exceptions import UniqueViolationError
from piccolo.columns.combination import WhereRaw

from tasks.curation.names import collection_name
from tasks.db import ids
from tasks.db.database import DB, now
from tasks.db.tables import Collection, CollectionItem
from tasks.models.strict_json import is_text

VISIBLE = "job.deleted_at IS NULL AND job.trashed_at IS NULL"


class Taken(ValueError):
    """The error for a collection name already in use."""

    def __init__(self, name: str) -> None:
        super().__init__(f'A collection named "{name}" already exists.')


@dataclass(frozen=True, slots=True)
class Shelf:
    """A collection as its page shows it. jobs: their number, without trashed ones. cover: the newest picture's job."""

    id: UUID
    name: str
    jobs: int
    cover: UUID | None


async def shelves() -> list[Shelf]:
    """Return all collections, sorted by name."""
    held = (
        "FROM collection_item JOIN job ON job.id = collection_item.job WHERE collection_item.collection = collection.id"
    )
    rows = await Collection.raw(
        f"SELECT id, name, (SELECT count(*) {held} AND {VISIBLE}) AS jobs, (SELECT job.id {held} AND {VISIBLE}"
        " AND job.kind = 'image' ORDER BY collection_item.job DESC LIMIT 1) AS cover"
        " FROM collection ORDER BY lower(name), name"
    )
    return [Shelf(_id(row["id"]), row["name"], row["jobs"], row["cover"] and _id(row["cover"])) for row in rows]


async def names() -> list[str]:
    """Return the names of all collections, sorted."""
    return list(await Collection.select(Collection.name).order_by(Collection.name).output(as_list=True))


async def find(name: str) -> Collection | None:
    """Return the collection with this name, ignoring case, or None."""
    if not is_text(name):
        return None
    alike = WhereRaw("(lower(name) = {} OR name = {})", name.lower(), name)
    return await Collection.objects().where(alike).order_by(Collection.name).first()


async def name_of(collection_id: UUID) -> str | None:
    """Return the name of a collection, or None when the collection is gone."""
    found = await Collection.objects().get(Collection.id == collection_id)
    return found.name if found else None


async def named(name: str) -> Collection:
    """Return the collection with this name, creating it when there is none. Raises ValueError."""
    name = collection_name(name)
    found = await find(name)
    if found is None:
        await Collection.insert(Collection(id=ids.new(), name=name, created_at=now())).on_conflict(
            Collection.name, "DO NOTHING"
        )
        found = await find(name)
    assert found is not None
    return found


async def create(name: str) -> Collection:
    """Create a collection. Raises Taken when the name is in use, and ValueError when it is invalid."""
    name = collection_name(name)
    if await find(name) is not None:
        raise Taken(name)
    return await named(name)


async def rename(collection_id: UUID, name: str) -> bool:
    """Rename a collection. Returns False when it is gone.

    Raises Taken when the name is in use, and ValueError when it is invalid.
    """
    name = collection_name(name)
    other = await find(name)
    if other is not None and other.id != collection_id:
        raise Taken(name)
    try:
        renamed = (
            await Collection.update({Collection.name: name})
            .where(Collection.id == collection_id)
            .returning(Collection.id)
        )
    except (IntegrityError, UniqueViolationError):  # taken since the check
        raise Taken(name) from None
    return bool(renamed)


async def delete(collection_id: UUID) -> bool:
    """Delete a collection, but none of its jobs. Returns False when it is already gone."""
    async with DB.transaction():
        await CollectionItem.delete().where(CollectionItem.collection == collection_id)
        return bool(await Collection.delete().where(Collection.id == collection_id).returning(Collection.id))


def _id(value: object) -> UUID:
    return UUID(str(value))
