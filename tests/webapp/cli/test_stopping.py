"""A web process that stops: requests that wait for the end of a job are answered, not cut off."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import httpx
import psutil
import pytest

from tasks.settings import ROOT
from tests import servers
from tests.waiting import wait_until

pytestmark = pytest.mark.once


def test_a_request_that_waits_is_answered_when_the_process_stops(tmp_path: Path) -> None:
    port = servers.free_port()
    own = {"DATABASE_URL": f"sqlite:///{tmp_path}/own.sqlite", "DATA_DIR": str(tmp_path), "PORT": str(port)}
    with (tmp_path / "log").open("wb") as log, httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
        command = [sys.executable, "-m", "webapp", "web"]
        environment = {**os.environ, **own, "STORAGE_URL": str(tmp_path / "media")}
        process = subprocess.Popen(command, env=environment, cwd=ROOT, stdout=log, stderr=log)
        try:
            wait_until(lambda: answers(client), within=60)
            job = client.post("/generate", json={"prompt": "a fox"}).json()["job_id"]
            got: list[httpx.Response] = []

            def wait() -> None:
                got.append(httpx.get(f"{client.base_url}/status/{job}", headers={"Prefer": "wait=60"}, timeout=60))

            waiting = threading.Thread(target=wait)
            waiting.start()
            wait_until(lambda: connected(process.pid, port) >= 2, within=30)
            process.terminate()
            waiting.join(30)
            assert [answer.status_code for answer in got] == [202]
            assert process.wait(30) in (0, -15)
        finally:
            process.kill()
            process.wait(30)
    assert "Traceback" not in (tmp_path / "log").read_text()


def answers(client: httpx.Client) -> bool:
    try:
        return client.get("/healthz").status_code == 200
    except httpx.TransportError:
        return False


def connected(pid: int, port: int) -> int:
    """Return how many connections a process has accepted on a port."""
    found = psutil.Process(pid).net_connections("tcp")
    return sum(each.status == psutil.CONN_ESTABLISHED and each.laddr.port == port for each in found)
