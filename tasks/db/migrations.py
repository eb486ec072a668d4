"""How the database stands to the migrations of this version. It is looked at without being changed."""

import sqlite3
from collections.abc import Collection
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from tasks.db import database
from tasks.settings import SettingsError, settings


@dataclass(frozen=True, slots=True)
class Waiting:
    """A migration that the database has not run. description: what it is for, or ""."""

    id: str
    description: str


@dataclass(frozen=True, slots=True)
class Standing:
    """waiting: what is to be run, in its order. unknown: what the database has run and this version does not know."""

    waiting: list[Waiting]
    unknown: set[str]

    @property
    def up_to_date(self) -> bool:
        """Whether the database and this version have the same migrations."""
        return not self.waiting and not self.unknown


async def standing() -> Standing:
    """Return how the database stands to the migrations of this version.

    Changes nothing; an SQLite file that does not exist is not created. Raises SettingsError when DATABASE_URL is wrong,
    and DatabaseAway.
    """
    if settings.sqlite_path is not None:
        ran = _ran_in_file(settings.sqlite_path)
    else:
        async with database.opened():
            ran = await database.ran_migrations()
    known = database.known_migrations()
    return Standing(_described(known - ran), ran - known)


def _ran_in_file(path: Path) -> set[str]:
    """Return the ids of the migrations that an SQLite file has run.

    It is not opened by the engine, which creates it and changes its journal. "rw" creates nothing, and unlike "ro" it
    leaves no files of the journal behind.
    """
    if not path.exists():
        return set()
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True)) as connection:
            if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'migration'").fetchall():
                return set()
            rows = connection.execute("SELECT name FROM migration WHERE app_name = ?", [database.APP])
            return {id_ for (id_,) in rows}
    except sqlite3.DatabaseError as error:
        raise SettingsError(f"DATABASE_URL: {path} cannot be read ({error})") from None


def _described(ids: Collection[str]) -> list[Waiting]:
    if not ids:
        return []
    # Imported here: it pulls in an entire code formatter, and there is seldom something to describe.
    from piccolo.apps.migrations.commands.base import BaseMigrationManager

    manager = BaseMigrationManager()
    folder = manager.get_app_config(app_name=database.APP).resolved_migrations_folder_path
    modules = manager.get_migration_modules(folder)
    return [Waiting(id_, modules[id_].DESCRIPTION) for id_ in sorted(ids)]
