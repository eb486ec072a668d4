"""`make test`: runs all tests in parts, one pytest each, in parallel, because most tests mostly wait."""

import argparse
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from tempfile import TemporaryFile

from tests import chromium, firefox

AT_A_TIME = max(2, os.cpu_count() or 2)  # parts; in each, two tests run at a time
STOPPED = 128 + signal.SIGINT


@dataclass(frozen=True)
class Part:
    """A part of the tests. words: the arguments for pytest."""

    name: str
    words: str
    environment: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """The result of a part. said: the output of its pytest."""

    part: Part
    code: int
    seconds: float
    said: str


PARTS = (  # the longest first; each process of a part reads all its tests, so that smaller parts start sooner
    Part(
        "SQLite, tasks",
        "-n 2 --dist worksteal tests --ignore=tests/webapp --ignore=tests/browser --ignore=tests/chaos/test_short.py",
    ),
    Part(
        "PostgreSQL",
        "-n 2 --dist worksteal tests/tasks tests/webapp --ignore=tests/tasks/standin"
        " --ignore=tests/webapp/cli/test_up.py --ignore=tests/webapp/test_openapi.py",
        {"TEST_DATABASE": "postgres"},
    ),
    # A module's prints are made once: its tests count them in a Darkroom that all tests of a process share.
    Part("browser", "-n 2 --dist loadscope --no-loadscope-reorder tests/browser"),
    Part("SQLite, webapp", "-n 2 --dist worksteal tests/webapp"),
    Part("storm", "tests/chaos/test_short.py"),
)
FIREFOX = Part("Firefox", "-n 2 --dist loadscope --no-loadscope-reorder --browser firefox -m main_path tests/browser")


def _parts(browser: str | None) -> tuple[Part, ...]:
    """Return what is run. browser: whose part alone."""
    if browser:
        return (FIREFOX,) if browser == "firefox" else tuple(part for part in PARTS if part.name == "browser")
    return (*PARTS, FIREFOX) if firefox.find() else PARTS


def main() -> int:
    """Run the parts, and print the output of each when it has ended. Returns 0 if every test passed."""
    arguments = argparse.ArgumentParser(prog="python -m tests", description=__doc__)
    arguments.add_argument("--browser", choices=["chromium", "firefox"], help="run the tests in this browser alone")
    parts = _parts(arguments.parse_args().browser)
    running: list[subprocess.Popen[bytes]] = []

    def stop(*_: object) -> None:  # not for Ctrl-C, which reaches the parts directly
        for process in running:
            process.send_signal(signal.SIGINT)
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)
    chromium.install()
    outcomes = []
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        try:
            for ended in as_completed([pool.submit(_run, part, running) for part in parts]):
                outcomes.append(ended.result())
                _tell(outcomes[-1])
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
            return STOPPED
    failed = [outcome.part.name for outcome in outcomes if outcome.code]
    print(f"Tests failed: {', '.join(failed)}" if failed else "Every test passed.")
    return 1 if failed else 0


def _run(part: Part, running: list[subprocess.Popen[bytes]]) -> Outcome:
    print(f"{part.name}: started", flush=True)
    start = time.monotonic()
    with TemporaryFile() as output:
        command = [sys.executable, "-m", "pytest", *part.words.split()]
        process = subprocess.Popen(command, env=os.environ | part.environment, stdout=output, stderr=output)
        running.append(process)
        code = process.wait()
        output.seek(0)
        said = output.read().decode(errors="replace")
    return Outcome(part, code, time.monotonic() - start, said)


def _tell(outcome: Outcome) -> None:
    print(f"\n{outcome.part.name}: {'failed' if outcome.code else 'passed'} after {outcome.seconds:.0f} s", flush=True)
    print(outcome.said, flush=True)


if __name__ == "__main__":
    sys.exit(main())
