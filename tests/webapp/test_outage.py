"""PostgreSQL goes down and comes back: the web process reports it meanwhile, and then recovers by itself."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from tasks.settings import ROOT
from tests import servers
from tests.waiting import wait_until


@pytest.fixture(autouse=True)
def empty() -> None:
    """Leave the tests' own database untouched: these tests have another one."""


@dataclass
class Web:
    """A web process on a PostgreSQL server that can be stopped."""

    address: str
    process: subprocess.Popen[bytes]
    postgres: servers.Server
    heard: list[str] = field(default_factory=list)

    def get(self, path: str, accept: str = "*/*") -> httpx.Response:
        return httpx.get(self.address + path, headers={"Accept": accept}, timeout=10)

    def post(self) -> str:
        answer = httpx.post(f"{self.address}/generate", json={"prompt": "a fox in the snow"})
        assert answer.status_code == 202, answer.text
        return str(answer.json()["job_id"])

    def answers(self) -> bool:
        try:
            return self.get("/").status_code == 200
        except httpx.TransportError:
            return False

    def listen(self) -> None:
        """Record the events of an open gallery until the process ends."""
        with suppress(httpx.TransportError), httpx.stream("GET", f"{self.address}/events", timeout=None) as stream:
            self.heard.append("opened")
            self.heard.extend(stream.iter_lines())


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    folder, port = tmp_path_factory.mktemp("outage"), servers.free_port()
    with servers.kept("durable-postgres") as postgres, (folder / "log").open("wb") as log:
        environment = {
            **os.environ,
            "DATABASE_URL": postgres.url,
            "DATA_DIR": str(folder),
            "STORAGE_URL": str(folder / "media"),
            "PORT": str(port),
        }
        command = [sys.executable, "-m", "webapp", "web"]
        process = subprocess.Popen(command, env=environment, cwd=ROOT, stdout=log, stderr=log)
        web = Web(f"http://127.0.0.1:{port}", process, postgres)
        try:
            wait_until(web.answers, within=60)
            listening = threading.Thread(target=web.listen)
            listening.start()
            wait_until(lambda: "opened" in web.heard)
            yield web
        finally:
            process.terminate()
            process.wait(10)
        listening.join(10)
    said = Path(log.name).read_text()
    assert " ERROR webapp" not in said, said


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT], ids=["fast", "immediate"])
def test_while_postgresql_is_away_the_web_says_so_and_when_it_is_back_goes_on(web: Web, how: signal.Signals) -> None:
    before = web.post()
    wait_until(lambda: any(before in line for line in web.heard))
    web.postgres.end(how)
    for path in (f"/status/{before}", "/", "/events", f"/events?job={before}"):
        problem = web.get(path)
        assert (problem.status_code, problem.json()["code"]) == (503, "database_unavailable"), problem.text
        assert problem.headers["retry-after"] == "2"
    page = web.get("/", accept="text/html")
    assert page.status_code == 503
    assert "The database is not responding" in page.text
    assert web.get("/healthz").status_code == 200
    ready = web.get("/readyz")
    assert ready.status_code == 503
    assert "DatabaseAway" in ready.json()["checks"]["database"]
    web.postgres.start()
    wait_until(lambda: web.get(f"/status/{before}").status_code == 200)
    after = web.post()
    wait_until(lambda: any(after in line for line in web.heard))
    assert web.process.poll() is None
