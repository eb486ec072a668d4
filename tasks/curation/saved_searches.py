"""Saved searches: searches that are kept under a name for later use."""

from uuid import UUID

from tasks.db import ids
from tasks.db.database import now
from tasks.db.tables import SavedSearch
from tasks.errors import Fault, Rejected
from tasks.library.paging import Sort
from tasks.library.query import Search
from tasks.models.strict_json import is_text

LONGEST_NAME = 100  # characters
MOST = 200


async def saved() -> list[SavedSearch]:
    """Return all saved searches, in the order of their names."""
    return await SavedSearch.objects().order_by(SavedSearch.name)


async def save(name: str, search: Search, sort: Sort = Sort.NEWEST) -> None:
    """Save a search and its order under a name, replacing a saved search of that name. Raises Rejected."""
    name = " ".join(name.split())
    if not name:
        raise Rejected("invalid_name", [Fault("/name", "The search needs a name.")])
    if len(name) > LONGEST_NAME or not is_text(name):
        raise Rejected("invalid_name", [Fault("/name", f"The name can have up to {LONGEST_NAME} characters.")])
    if not search:
        raise Rejected("invalid_query", [Fault("/q", "There is no search to save.")])
    row = SavedSearch(id=ids.new(), name=name, query=str(search), sort=sort, created_at=now())
    await SavedSearch.insert(row).on_conflict(
        SavedSearch.name, "DO UPDATE", [SavedSearch.query, SavedSearch.sort, SavedSearch.created_at]
    )


async def forget(search_id: UUID) -> None:
    """Delete a saved search. Does nothing when it is already gone."""
    await SavedSearch.delete().where(SavedSearch.id == search_id)
