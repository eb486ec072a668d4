"""`make chaos`: rounds of a storm on Darkroom's real processes, and one table of the results."""

import argparse
import asyncio
import secrets
import shutil
import sys
from pathlib import Path
from tempfile import mkdtemp

from tests.chaos.checks import KINDS
from tests.chaos.round import Result, play
from tests.chaos.size import LONG

HEAD = ("round", "seed", "database", "jobs", "completed", "failed", "canceled", "kills", "faults met", "429s",
        *KINDS.values(), "seconds", "take-over")  # fmt: skip
SHOWN = 5  # violations of each kind in a round; its logs have the rest


def main() -> int:
    """Play the rounds. Returns 0 if every promise was kept."""
    asked = _parser().parse_args()
    databases = ["sqlite", "postgres"] if asked.database == "both" else [asked.database]
    print(
        f"seed {asked.seed}: the same storm comes with SEED={asked.seed}; its timing is another each time", flush=True
    )
    print(_line(HEAD), flush=True)
    broken = 0
    for number in range(asked.rounds):
        for database in databases:
            broken += _play(number + 1, asked.seed + number, database)
    print(f"{broken} rounds broke a promise" if broken else "every promise was kept")
    return 1 if broken else 0


def _play(number: int, seed: int, database: str) -> bool:
    """Play one round and print its line. Returns whether it broke a promise."""
    folder = Path(mkdtemp(prefix="darkroom-chaos-", dir="/tmp"))
    result = asyncio.run(play(seed, database, LONG[database], folder))
    print(_line(_row(number, seed, database, result)), flush=True)
    tell(result)
    if not result.violations:
        shutil.rmtree(folder)
    return bool(result.violations)


def tell(result: Result) -> None:
    """Print the violations, and what the logs say about the jobs concerned."""
    for kind in KINDS:
        for violation in [found for found in result.violations if found.kind == kind][:SHOWN]:
            print(f"  {kind}: {violation.job or ''} {violation.sentence}")
            for line in _lines_about(str(violation.job), result.logs) if violation.job else ():
                print(f"    {line}")
    if result.violations:
        print(f"  the job that was longest without a worker: {result.takeover.job}")
        print(f"  {len(result.violations)} in all; logs, evidence and files: {result.logs.parent}", flush=True)


def _lines_about(word: str, logs: Path) -> list[str]:
    """Return the last ten lines of all logs that contain a word, ordered by time."""
    lines = [
        f"{line[:8]} {log.stem}{line[8:]}"
        for log in logs.glob("w*.log")
        for line in log.read_text(errors="replace").splitlines()
        if word in line
    ]
    return sorted(lines)[-10:]


def _row(number: int, seed: int, database: str, result: Result) -> tuple[str, ...]:
    counts = result.counts
    figures = [counts.total(), counts["completed"], counts["failed"], counts["canceled"], result.kills, result.faults,
               result.throttled, *(result.of(kind) for kind in KINDS)]  # fmt: skip
    return (
        str(number),
        str(seed),
        database,
        *map(str, figures),
        f"{result.seconds:.0f}",
        f"{result.takeover.seconds:.1f} s",
    )


def _line(cells: tuple[str, ...]) -> str:
    return "  ".join(cell.rjust(max(len(head), 6)) for cell, head in zip(cells, HEAD, strict=True))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make chaos", description="Kill everything, again and again; lose nothing.")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--database", choices=["sqlite", "postgres", "both"], default="both")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1_000_000))
    return parser


if __name__ == "__main__":
    sys.exit(main())
