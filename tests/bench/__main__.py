"""`make bench`: measure Darkroom beside a reference and a ceiling, print one table, and keep the figures."""

import argparse
import importlib
import signal
import sys
import time

import uvloop

from tests.bench import report, results
from tests.bench.effort import Effort
from tests.bench.figures import Figure
from tests.bench.results import Results

PARTS = (
    "submit",
    "status",
    "burst",
    "flight",
    "instant",
    "overhead",
    "live",
    "waiters",
    "pages",
    "library",
    "browser",
    "actions",
    "phone",
    "start",
    "memory",
    "profile",
)
"""The modules in tests/bench/parts. Each has `async def measure(effort) -> list[Figure]`."""
NONE = "none"  # measures nothing; only rewrites results.md, the plots and the README's table from the stored figures
INTERRUPTED = 130
README = report.FOLDER.parent.parent / "README.md"


def main() -> int:
    """Measure the requested parts. Returns 0, whatever the figures are."""
    asked = _parser().parse_args()
    if asked.parts == [NONE]:
        _write(results.load())
        return 0
    effort = Effort(asked.rounds, asked.seconds, asked.scale)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # like Ctrl-C, so that all started processes end as well
    figures: list[Figure] = []
    try:
        for part in asked.parts:
            figures += _measured(part, effort)
    except KeyboardInterrupt:
        return INTERRUPTED
    finally:
        if figures:
            print(f"\n{report.table(figures)}", flush=True)
    return 0


def _measured(part: str, effort: Effort) -> list[Figure]:
    """Measure a part, and store its figures if they are complete."""
    print(f"{part} ...", end=" ", flush=True)
    start, module = time.monotonic(), importlib.import_module(f"tests.bench.parts.{part}")
    figures: list[Figure] = uvloop.run(module.measure(effort))
    print(f"{time.monotonic() - start:.0f} s", flush=True)
    if effort.scale == 1:
        kept = results.load()
        kept.merge(part, figures, results.this_run(effort))
        results.save(kept)
        _write(kept)
    return figures


def _write(kept: Results) -> None:
    """Rewrite what is generated from the figures: the plots, results.md and the README's table."""
    from tests.bench import plots  # imported here because matplotlib is installed only for the benchmark

    plots.draw(kept, report.FOLDER)
    report.FILE.write_text(report.markdown(kept, PARTS))
    README.write_text(report.into_readme(kept, PARTS, README.read_text()))


def _parser() -> argparse.ArgumentParser:
    usual = Effort()
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument(
        "--parts", type=_parts, default=list(PARTS), help=f"with commas between: {', '.join(PARTS)}; or {NONE}"
    )
    parser.add_argument("--rounds", type=int, default=usual.rounds, help="how often each figure is taken")
    parser.add_argument("--seconds", type=float, default=usual.seconds, help="how long a round of requests lasts")
    parser.add_argument("--scale", type=float, default=usual.scale, help="a quick look: this share of jobs and pages")
    return parser


def _parts(text: str) -> list[str]:
    asked = [part for part in text.split(",") if part]
    if asked == [NONE]:
        return asked
    if unknown := [part for part in asked if part not in PARTS]:
        raise argparse.ArgumentTypeError(f"there is no part {', '.join(unknown)}; there are {', '.join(PARTS)}")
    return asked or list(PARTS)


if __name__ == "__main__":
    sys.exit(main())
