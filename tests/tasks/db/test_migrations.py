"""The migrations: up to date with the tables, safe in concurrent runs, never changed, and fit for any library's age."""

import asyncio
import json
import os
import re
import sys
from collections.abc import Awaitable, Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from piccolo.apps.migrations.commands.forwards import ForwardsMigrationManager
from piccolo.apps.migrations.commands.new import AutoMigrationManager
from piccolo.conf.apps import Finder

from tasks.db.database import known_migrations
from tasks.settings import ROOT
from tests.history import git
from tests.tasks.earlier import MARKED, MENDED, UNDONE

NewDatabase = Callable[[], Awaitable[str]]

FOLDER = ROOT / "piccolo_migrations"
CHECKSUMS = "piccolo_migrations/checksums.txt"
EARLIER = [
    (last, shape)
    for last in sorted(known_migrations())[:-1]
    for shape in ("last", "first")
    if shape == "last" or min(UNDONE) <= last < MENDED
]
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


async def test_the_migrations_are_up_to_date_with_the_tables() -> None:
    app = Finder().get_app_config("darkroom")
    statements = await AutoMigrationManager(auto_input="y").get_alter_statements(app)
    assert [statement.statements for statement in statements if statement.statements] == []


def test_the_migrations_that_are_known_are_those_that_piccolo_finds() -> None:
    manager = ForwardsMigrationManager(app_name="darkroom")
    modules = manager.get_migration_modules(str(FOLDER))
    assert known_migrations() == set(manager.get_migration_ids(modules))


async def test_processes_that_start_at_once_migrate_once(new_database: NewDatabase, tmp_path: Path) -> None:
    environment = os.environ | {"DATABASE_URL": await new_database(), "DATA_DIR": str(tmp_path)}
    command = [sys.executable, "-m", "webapp", "migrate"]
    processes = [
        await asyncio.create_subprocess_exec(
            *command, env=environment, cwd=ROOT, stderr=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL
        )
        for _ in range(3)
    ]
    ended = await asyncio.gather(*(process.communicate() for process in processes))
    assert [process.returncode for process in processes] == [0, 0, 0], [error for _, error in ended]


# Never changed: a library that has run a migration does not run it again.


@pytest.mark.once
def test_no_migration_was_changed() -> None:
    pinned = {
        name: checksum for checksum, name in (line.split() for line in (ROOT / CHECKSUMS).read_text().splitlines())
    }
    for path in sorted(FOLDER.glob("*.py")):
        checksum = sha256(path.read_bytes()).hexdigest()
        assert path.name in pinned, f"{path.name} is new: add the line\n{checksum}  {path.name}\nto {CHECKSUMS}"
        assert pinned.pop(path.name) == checksum, (
            f"{path.name} was changed, but libraries that have gone through it will not do so again: "
            "take the change back, and write a new migration (piccolo migrations new darkroom)"
        )
    assert pinned == {}, f"{', '.join(pinned)}: libraries may have gone through it, so it has to stay"


@pytest.mark.once
def test_no_line_of_their_checksums_was_ever_changed() -> None:
    now = (ROOT / CHECKSUMS).read_text().splitlines()
    for commit in git("rev-list", "HEAD", "--", CHECKSUMS).split():
        gone = set(git("show", f"{commit}:{CHECKSUMS}").splitlines()) - set(now)
        assert gone == set(), f"{CHECKSUMS} had these lines at {commit}: put them back, and write a new migration"


# Libraries of any age.


@pytest.fixture(scope="module")
async def new_library(new_database: NewDatabase) -> dict[str, Any]:
    """Make a library with today's version."""
    return await made(await new_database())


@pytest.mark.parametrize(("last", "shape"), EARLIER)
async def test_a_library_of_an_earlier_version_becomes_one_of_today(
    last: str, shape: str, new_database: NewDatabase, new_library: dict[str, Any]
) -> None:
    upgraded = await made(await new_database(), last, shape)
    assert upgraded["schema"] == new_library["schema"]
    for table, expected in upgraded["expected"].items():
        if table == "attempt":  # a prediction belongs to one attempt: to the first that had it
            first = [row.pop("prediction_id") for row in expected][:2]
            assert first == (["shared", "shared"] if last < MENDED else ["of-0", "of-1"])
            assert [row["prediction_id"] for row in upgraded["rows"][table]] == [
                *(["shared", None] if last < MENDED else first), "of-2", "of-3", "of-4"
            ]  # fmt: skip
        if table == "undo":
            [[job_id, had]], [[now_job, now_had]] = (
                json.loads(row.pop("before")) for row in (*expected, upgraded["rows"][table][0])
            )
            assert (now_job, now_had) == (job_id, {"-1": had} if last < MARKED else had)
        if table == "output" and "favorite" in upgraded["expected"]["job"][0]:
            of_jobs = {job["id"]: (job["favorite"], job["rating"]) for job in upgraded["rows"]["job"]}
            for row in upgraded["rows"][table]:
                assert (row["favorite"], row["rating"]) == of_jobs[row["job"]] == (True, 2)
        for was, row in zip(expected, upgraded["rows"][table], strict=True):
            assert {name: row[name] for name in was} == was
    assert upgraded["found"] == len(upgraded["expected"]["job"]) == 5


async def made(database_url: str, *words: str) -> dict[str, Any]:
    """Return a library as tests/tasks/earlier.py reports it.

    The defaults of id columns, which Piccolo makes up, are replaced.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.tasks.earlier", *words),
        env=os.environ | {"DATABASE_URL": database_url},
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate()
    assert process.returncode == 0
    library: dict[str, Any] = json.loads(output)
    for part in library["schema"]:
        part["sql"] = UUID.sub("an id", part["sql"] or "")
    return library
