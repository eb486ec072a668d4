"""A library with a storage of its own, and PostgreSQL's programs.

Modules that read the settings are imported only in the fixtures: see tests/tasks/conftest.py.
"""

import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests import servers

if TYPE_CHECKING:
    from tests.tasks.backup.places import Place, Slow


@pytest.fixture(autouse=True)
def programs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put pg_dump, pg_restore and psql, in the version of the tests' server, first in PATH."""
    monkeypatch.setenv("PATH", f"{servers.postgres_programs()}{os.pathsep}{os.environ['PATH']}")


@pytest.fixture
async def here(new_library: None, tmp_path: Path) -> "Place":
    """Return the tests' own database with a new storage, in which a library has begun."""
    from tasks.files import library_mark
    from tasks.settings import settings
    from tests.tasks.backup.places import Place

    place = Place(settings.database_url, tmp_path / "here")
    assert await library_mark.begin(place.storage) is None
    return place


@pytest.fixture
def storage(here: "Place") -> "Slow":
    """Return that storage."""
    return here.storage


@pytest.fixture
async def elsewhere(new_database: Callable[[], Awaitable[str]], tmp_path: Path) -> "Place":
    """Return an empty place."""
    from tests.tasks.backup.places import Place

    return Place(await new_database(), tmp_path / "elsewhere")
