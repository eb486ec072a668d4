"""PostgreSQL's programs are found, get no password that others can read, and what they complain of is one line."""

import sys
from pathlib import Path

import psutil
import pytest

from tasks.backup.errors import BackupError
from tasks.backup.postgres_programs import Program, running

pytestmark = pytest.mark.once

OLD = """print("pg_dump: error: aborting because of server version mismatch", file=sys.stderr)
print("pg_dump: detail: server version: 18.6; pg_dump version: 15.18", file=sys.stderr)
sys.exit(1)"""
TELLS = "print(sys.argv[1:], os.environ.get('PGPASSWORD'))"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make PATH a folder that has no programs yet."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def program(folder: Path, does: str) -> None:
    path = folder / "pg_dump"
    path.write_text(f"#!{sys.executable}\nimport os, sys\n{does}\n")
    path.chmod(0o755)


async def output_of(database: str) -> str:
    async with running("pg_dump", "--format=custom", database=database) as dump:
        output = b"".join([piece async for piece in dump.output()])
        await dump.ended()
    return output.decode().strip()


async def test_a_program_that_is_not_there_is_named_with_what_to_install(folder: Path) -> None:
    with pytest.raises(BackupError, match=r"^pg_dump was not found in PATH: install .*\(postgresql-client\)"):
        await output_of("postgres://host/db")


async def test_what_an_old_program_complains_of_is_one_line(folder: Path) -> None:
    program(folder, OLD)
    with pytest.raises(BackupError) as caught:
        await output_of("postgres://host/db")
    assert str(caught.value) == (
        "pg_dump: error: aborting because of server version mismatch;"
        " detail: server version: 18.6; pg_dump version: 15.18"
    )


async def test_a_program_that_says_nothing_is_named_with_its_exit_code(folder: Path) -> None:
    program(folder, "sys.exit(3)")
    with pytest.raises(BackupError, match=r"^pg_dump: ended with 3$"):
        await output_of("postgres://host/db")


@pytest.mark.parametrize(
    ("url", "address", "password"),
    [
        ("postgres://anna:p%40ss@host:5432/db?x=1", "postgres://anna@host:5432/db?x=1", "p@ss"),
        ("postgres://anna@host/db", "postgres://anna@host/db", "of the environment"),
        ("postgres:///db?host=/run", "postgres:///db?host=/run", "of the environment"),
    ],
)
async def test_the_password_is_not_among_the_arguments(
    url: str, address: str, password: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPASSWORD", "of the environment")
    program(folder, TELLS)
    assert await output_of(url) == f"{['--format=custom', '--no-password', f'--dbname={address}']} {password}"


async def test_a_program_that_is_not_waited_for_is_killed(folder: Path) -> None:
    program(folder, "import time; print(os.getpid(), flush=True); time.sleep(600)")
    async with running("pg_dump") as dump:
        first = await anext(dump.output())
    assert not psutil.pid_exists(int(first))


async def write_much(program: Program) -> None:
    for _ in range(100):
        await program.write(bytes(2**20))


async def test_a_program_that_fails_while_it_is_written_to_is_told_of(folder: Path) -> None:
    program(folder, 'print("psql:<stdin>:3: ERROR:  no such thing", file=sys.stderr); sys.exit(3)')
    async with running("pg_dump") as psql:
        with pytest.raises(BackupError, match="no such thing"):
            await write_much(psql)
