"""Tests of the benchmark's arithmetic and of its output. Nothing is measured here."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.bench import report, results
from tests.bench.__main__ import PARTS, README
from tests.bench.figures import Figure, Target, quantile
from tests.bench.load import get, post
from tests.bench.results import Results, Run

FAST = Figure(
    "submit", "POST /generate", "requests/s", (800.0, 1000.0, 1200.0), "SQLite", (100.0, 100.0, 100.0),
    targets=(Target(">=", 8, "reference"), Target(">=", 2000)),
)  # fmt: skip
RUN = Run(datetime(2026, 11, 28, tzinfo=UTC), "abc", "2 cores", "3.11", {"uvicorn": "1"}, 3, 4)


@pytest.fixture(autouse=True)
def empty() -> None:
    """Leave the tests' own database alone: nothing here uses it."""


@pytest.mark.parametrize(("share", "value"), [(0.5, 50), (0.95, 95), (0.99, 99), (1.0, 100), (0.0, 1)])
def test_a_quantile_is_the_smallest_value_that_is_no_smaller_than_that_share(share: float, value: int) -> None:
    assert quantile(range(100, 0, -1), share) == value


def test_a_figure_is_the_median_of_its_rounds_beside_their_spread() -> None:
    assert FAST.value == 1000
    assert FAST.spread == (800, 1200)


def test_of_rates_more_is_better_and_of_times_less() -> None:
    slow = Figure("submit", "p99", "ms", (10.0,), reference=(40.0,))
    assert FAST.times("reference") == 10
    assert slow.times("reference") == 4


def test_a_table_says_which_targets_are_met() -> None:
    assert "yes, no" in report.table([FAST])
    assert "≥ 8 x reference, ≥ 2,000" in report.table([FAST])


def test_a_part_that_is_measured_anew_takes_the_place_of_its_own_figures_only(tmp_path: Path) -> None:
    kept = Results()
    kept.merge("submit", [FAST], RUN)
    kept.merge("status", [Figure("status", "GET /status", "requests/s", (7.0,))], RUN)
    kept.merge("submit", [Figure("submit", "anew", "requests/s", (1.0,))], RUN)
    results.save(kept, tmp_path / "results.json")
    again = results.load(tmp_path / "results.json")
    assert [figure.what for figure in again.of("submit")] == ["anew"]
    assert [figure.what for figure in again.of("status")] == ["GET /status"]
    assert "anew" in report.markdown(again, PARTS)


def test_results_md_and_the_readme_say_what_was_measured() -> None:
    kept, readme = results.load(), README.read_text()
    assert kept.figures
    assert report.FILE.read_text() == report.markdown(kept, PARTS)
    assert report.into_readme(kept, PARTS, readme) == readme
    assert report.short(kept, PARTS) in readme


@pytest.mark.parametrize("part", PARTS)
def test_every_part_that_can_be_asked_for_is_there(part: str) -> None:
    source = (Path(report.__file__).parent / "parts" / f"{part}.py").read_text()
    assert source.startswith(f'"""{part}: ')
    assert "async def measure(effort: Effort) -> list[Figure]:" in source


def test_no_part_is_forgotten() -> None:
    folder = Path(report.__file__).parent / "parts"
    assert {path.stem for path in folder.glob("*.py")} - {"__init__"} == set(PARTS)


def test_requests_are_what_a_server_understands() -> None:
    assert get("http://127.0.0.1:80/a?b=c") == b"GET /a?b=c HTTP/1.1\r\nHost: 127.0.0.1:80\r\n\r\n"
    assert post("http://h/p", {"a": 1}).endswith(b'Content-Length: 8\r\n\r\n{"a": 1}')
