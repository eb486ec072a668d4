"""Simulated outages of a whole Darkroom: each is seen on /operate and in /metrics within ten seconds, told apart."""

import re
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

import httpx
import psutil
import pytest

from tests.browser.conftest import Darkroom, started
from tests.waiting import wait_until

SEEN_WITHIN = 10.0  # seconds
MANY = 0  # times that a fault is met: for ever


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Darkroom]:
    with started(tmp_path_factory.mktemp("outages")) as running:
        yield running


def on_the_page(site: Darkroom) -> set[str]:
    """Return the alerts of /operate."""
    page = httpx.get(f"{site.url}/operate", headers={"Accept": "text/html"}, timeout=30)
    return set(re.findall(r'data-alert="([^"]+)"', page.text))


def in_the_metrics(site: Darkroom) -> set[str]:
    """Return the alerts of /metrics, and the code of a halt."""
    text = httpx.get(f"{site.url}/metrics", timeout=30).text
    alerts = re.findall(r'^darkroom_alert\{kind="([^"]+)"\} [1-9]', text, re.MULTILINE)
    halts = re.findall(r'^darkroom_halted\{code="([^"]+)",provider="replicate"\} 1', text, re.MULTILINE)
    return {*alerts, *halts}


def is_seen(site: Darkroom, alert: str, code: str | None = None) -> None:
    """Wait until an alert, and no other, is on the page and in the metrics, with the code of a halt."""
    since = time.monotonic()
    wanted = {alert, code} if code else {alert}
    wait_until(lambda: (on_the_page(site), in_the_metrics(site)) == ({alert}, wanted), SEEN_WITHIN)
    assert time.monotonic() - since < SEEN_WITHIN


def all_is_well(site: Darkroom) -> None:
    wait_until(lambda: not on_the_page(site) and not in_the_metrics(site), 60)


@contextmanager
def standing_still(process: psutil.Process) -> Iterator[None]:
    process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)


def part(site: Darkroom, name: str) -> psutil.Process:
    """Return the process of a part that `up` has started."""
    [found] = [child for child in psutil.Process(site.process.pid).children() if name in child.cmdline()]
    return found


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ({"do": "status", "status": 401, "times": MANY}, "provider_auth"),
        ({"do": "reset", "times": MANY}, "provider_away"),
    ],
)
def test_a_provider_that_refuses_or_is_away_is_told_with_its_code(
    site: Darkroom, fault: dict[str, object], code: str
) -> None:
    all_is_well(site)
    site.script({"on": "any", **fault})
    job = site.post("a fox that meets an outage")
    is_seen(site, "halted", code)
    httpx.delete(f"{site.standin}/_standin/faults").raise_for_status()
    site.probe()
    all_is_well(site)
    if code != "provider_away":  # then its prediction is searched for first
        assert site.finished(job)["status"] == "completed"


def test_a_worker_that_is_gone_is_told_and_another_goes_on(site: Darkroom) -> None:
    all_is_well(site)
    with standing_still(part(site, "worker")):
        is_seen(site, "no_workers")
    all_is_well(site)
    site.kill("worker")
    is_seen(site, "worker_gone")
    assert site.finished(site.post("a fox after a worker"))["status"] == "completed"
    with closing(sqlite3.connect(database(site), timeout=30)) as connection, connection:
        connection.execute("DELETE FROM worker_process WHERE seen_at < (SELECT max(seen_at) FROM worker_process)")
    all_is_well(site)


def test_a_slow_database_is_told_apart_from_one_that_takes_nothing(site: Darkroom) -> None:
    all_is_well(site)
    slow = held(site, 1.4)
    assert "database_slow" in slow(on_the_page)
    away = held(site, 5)
    assert "database_away" in away(on_the_page)
    all_is_well(site)


def test_storage_that_is_away_is_told(site: Darkroom) -> None:
    all_is_well(site)
    media = Path(site.environment["STORAGE_URL"])
    media.rename(media.with_name("elsewhere"))
    try:
        is_seen(site, "storage_away")
    finally:
        media.with_name("elsewhere").rename(media)
    all_is_well(site)


def database(site: Darkroom) -> str:
    return site.environment["DATABASE_URL"].removeprefix("sqlite:///")


def held(site: Darkroom, seconds: float) -> Callable[[Callable[[Darkroom], set[str]]], set[str]]:
    """Return a function that looks at the site while another process writes to its database for so many seconds."""

    def looked(look: Callable[[Darkroom], set[str]]) -> set[str]:
        connect = partial(sqlite3.connect, timeout=30, isolation_level=None, check_same_thread=False)
        with closing(connect(database(site))) as other:
            other.execute("BEGIN IMMEDIATE")
            ending = threading.Timer(seconds, lambda: other.execute("ROLLBACK"))
            ending.start()
            try:
                return look(site)
            finally:
                ending.join()

    return looked
