"""Parts that end in order, and in time whatever they do."""

import os
import sys
import time

import pytest

from tests.waiting import wait_until
from webapp.cli import supervisor
from webapp.cli.supervisor import KILL_SECONDS, Child, Part, end

pytestmark = pytest.mark.once

DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('here', flush=True); time.sleep(60)"
LEFT = "[sys.executable, '-c', 'import time; time.sleep(9)'], start_new_session=True"
LEAVING = f"import subprocess, sys; subprocess.Popen({LEFT}); {DEAF}"
PUNCTUAL = "import time; print('here', flush=True); time.sleep(60)"


@pytest.fixture(autouse=True)
def empty() -> None:
    """Leave the tests' own database alone: nothing here uses it."""


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Collect what the parts print."""
    said: list[str] = []
    monkeypatch.setattr(supervisor, "say", lambda name, line: said.append(f"{name}: {line}"))
    return said


def start(name: str, code: str) -> Child:
    part = Part(name, [sys.executable, "-c", code], dict(os.environ), [], os.path.curdir)  # type: ignore[arg-type]
    return Child(part, lambda line, exit_code: None)


@pytest.mark.parametrize("code", [DEAF, LEAVING], ids=["deaf", "leaves a process behind that holds its output"])
def test_parts_that_do_not_end_by_themselves_are_killed_together(said: list[str], code: str) -> None:
    children = [start(f"part {number}", code) for number in range(4)]
    wait_until(lambda: len(said) == 4)
    began = time.monotonic()
    end(children, 0.5)
    assert 0.5 <= time.monotonic() - began < 0.5 + KILL_SECONDS + 1.5
    wait_until(lambda: not any(child._thread.is_alive() for child in children), 5)


def test_those_that_end_by_themselves_are_not_waited_for(said: list[str]) -> None:
    children = [start(f"part {number}", PUNCTUAL) for number in range(4)]
    wait_until(lambda: len(said) == 4)
    began = time.monotonic()
    end(children, 30)
    assert time.monotonic() - began < 5
