"""The engines under stress, and the migrations: forwards from nothing, up to date with the tables, safe in a crowd."""

import asyncio
import os
import sqlite3
import sys
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path

import anyio
import pytest
from piccolo.apps.migrations.commands.forwards import ForwardsMigrationManager
from piccolo.apps.migrations.commands.new import AutoMigrationManager
from piccolo.conf.apps import Finder

from tasks import intake, jobs
from tasks.database import DB, TAKEN, known_migrations, now
from tasks.failures import DatabaseAway
from tasks.settings import ROOT
from tasks.sqlite_engine import KeptSQLiteEngine
from tasks.steps import step
from tasks.tables import Job, Priority, new_id

NewDatabase = Callable[[], Awaitable[str]]


async def test_the_migrations_are_up_to_date_with_the_tables() -> None:
    app = Finder().get_app_config("darkroom")
    statements = await AutoMigrationManager(auto_input="y").get_alter_statements(app)
    assert [statement.statements for statement in statements if statement.statements] == []


def test_the_migrations_that_are_known_are_those_that_piccolo_finds() -> None:
    manager = ForwardsMigrationManager(app_name="darkroom")
    modules = manager.get_migration_modules(str(ROOT / "piccolo_migrations"))
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


async def test_a_transaction_that_fails_leaves_nothing() -> None:
    async def failing() -> None:
        async with DB.transaction():
            moment = now()
            await Job(prompt="p", model="m", due_at=moment, created_at=moment, changed_at=moment).save()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await failing()
    assert await Job.count() == 0


@pytest.mark.once
async def test_a_writer_that_another_process_holds_up_says_what_to_do_about_it(tmp_path: Path) -> None:
    path = tmp_path / "held.sqlite"
    engine = KeptSQLiteEngine(str(path))
    engine.connection_kwargs["timeout"] = 0.05
    with closing(sqlite3.connect(path, isolation_level=None)) as stopped:
        stopped.execute("CREATE TABLE thing (id)")
        stopped.execute("BEGIN IMMEDIATE")
        for write in (engine.run_ddl("INSERT INTO thing VALUES (1)"), _in_a_transaction(engine)):
            with pytest.raises(DatabaseAway, match="held the lock of the SQLite file"):
                await write
        stopped.execute("ROLLBACK")
        await engine.run_ddl("INSERT INTO thing VALUES (1)")
    await engine.close()


async def _in_a_transaction(engine: KeptSQLiteEngine) -> None:
    async with engine.transaction():
        pytest.fail("it cannot be begun")


async def test_steps_are_done_all_or_none() -> None:
    moment = now()
    job = Job(prompt="p", model="m", due_at=moment, created_at=moment, changed_at=moment)
    insert = step(Job.insert(job))
    nobody = Job.update({Job.prompt: "q"}).where(Job.id == new_id()).returning(Job.id)
    assert await DB.run_steps([insert, step(nobody, must=True)]) is None
    assert await Job.count() == 0
    with pytest.raises(TAKEN):
        await DB.run_steps([insert, insert])
    assert await Job.count() == 0
    [inserted, answered] = await DB.run_steps([insert, step(nobody)]) or []
    assert (len(inserted), answered, await Job.count()) == (1, [], 1)


async def test_transactions_that_time_out_give_their_connections_back() -> None:
    async def too_slow() -> None:
        with anyio.fail_after(0.01):
            async with DB.transaction():
                await Job.count()
                await anyio.sleep(1)

    for _ in range(15):  # more than the pool has
        with pytest.raises(TimeoutError):
            await too_slow()
    with anyio.fail_after(5):
        async with DB.transaction():
            await Job.insert(intake.new("after", "m/m", {}, "", Priority.NORMAL, None, None, 1))
    assert await Job.count() == 1


async def test_writers_at_once_all_get_their_turn() -> None:
    await asyncio.gather(*(jobs.submit(f"fox {number}", "m/m", {}) for number in range(200)))
    assert await Job.count() == 200


async def test_readers_see_what_was_written_before() -> None:
    for number in range(20):
        await jobs.submit(f"fox {number}", "m/m", {})
        assert await Job.count() == number + 1
