"""The figures for human readers: the table in the terminal, and results.md."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import median

from tests.bench.figures import Figure, Other, Target
from tests.bench.results import Results, Run

FOLDER = Path(__file__).parent
FILE = FOLDER / "results.md"
PLOTS = ("beside-the-reference.svg", "memory.svg")
BEGIN, END = "<!-- from tests/bench/results.json -->", "<!-- so far -->"
HEAD = ("what", "database", "Darkroom", "spread", "reference", "ceiling", "target", "met")
INTRODUCTION = """\
# Numbers

Made by `make bench`; `BENCH=submit,status` measures some parts anew and leaves the others as they were. Everything runs
on one machine, the load generator, the databases and the stand-in for Replicate included: what counts are the ratios
within a run. Each number is the median of its rounds, the spread is the least and the most of them. PostgreSQL writes
durably (fsync on); SQLite is in WAL mode.

- **reference**: the stack that people would write instead, FastAPI, SQLModel, Celery (prefork, 8 processes) and Redis,
  in `tests/bench/reference`: same requests, same database engine, same calls to the same stand-in, one web process as
  Darkroom has.
- **ceiling**: Litestar alone, which answers the same request and does nothing for it.

In brackets: how many times as good as that Darkroom is.
"""


def table(figures: Sequence[Figure]) -> str:
    """Return the figures in columns, for a terminal."""
    rows = [HEAD, *map(_row, figures)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def markdown(results: Results, order: Iterable[str]) -> str:
    """Return the whole text of results.md. order: the parts."""
    parts = [part for part in order if results.of(part)]
    lines = [INTRODUCTION, *(f"![{name}]({name})\n" for name in PLOTS if (FOLDER / name).exists())]
    for part in parts:
        figures = results.of(part)
        lines += [f"## {part}\n", _line(HEAD), _line(["---"] * len(HEAD)), *(_line(_row(figure)) for figure in figures)]
        notes = dict.fromkeys(figure.note for figure in figures if figure.note)
        lines += ["", *(f"{note}\n" for note in notes)]
    lines += ["## Measured on\n", *_machines({part: results.runs[part] for part in parts})]
    return "\n".join(lines).rstrip() + "\n"


def short(results: Results, order: Iterable[str]) -> str:
    """Return the README's table: the first figure of each part. order: the parts."""
    first = [figures[0] for part in order if (figures := results.of(part))]
    return "\n".join([_line(HEAD), _line(["---"] * len(HEAD)), *(_line(_row(figure)) for figure in first)])


def into_readme(results: Results, order: Iterable[str], readme: str) -> str:
    """Return the README with the new table in place of its old one."""
    before, _, rest = readme.partition(BEGIN)
    return f"{before}{BEGIN}\n{short(results, order)}\n{END}{rest.partition(END)[2]}" if rest else readme


def number(value: float) -> str:
    """Format a number with three significant digits and a separator for thousands: 1,234 or 12.3 or 0.012."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def said(target: Target) -> str:
    """Return a target in words."""
    sign = {"<": "<", "<=": "≤", ">=": "≥"}[target.sign]
    return f"{sign} {number(target.bound)}" + ("" if target.of == "value" else f" x {target.of}")


def _row(figure: Figure) -> tuple[str, ...]:
    least, most = figure.spread
    return (
        figure.what,
        figure.database,
        f"{number(figure.value)} {figure.unit}",
        f"{number(least)} - {number(most)}",
        _beside(figure, figure.reference, "reference"),
        _beside(figure, figure.ceiling, "ceiling"),
        ", ".join(map(said, figure.targets)),
        ", ".join("yes" if figure.met(target) else "no" for target in figure.targets),
    )


def _beside(figure: Figure, rounds: Sequence[float], other: Other) -> str:
    return f"{number(median(rounds))} ({number(figure.times(other))} x)" if rounds else ""


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _machines(runs: dict[str, Run]) -> list[str]:
    """Return what each part was measured on. Parts with the same description share a line."""
    found: dict[str, list[str]] = {}
    for part, run in runs.items():
        versions = ", ".join(f"{name} {version}" for name, version in run.versions.items())
        words = (
            f"{run.moment:%Y-%m-%d}, commit {run.commit}, {run.rounds} rounds of {run.seconds:g} s where requests are "
            f"counted: {run.machine}, Python {run.python}, {versions}."
        )
        found.setdefault(words, []).append(part)
    return [f"- {', '.join(parts)}: {words}" for words, parts in found.items()]
