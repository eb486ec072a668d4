"""Storage becomes unavailable while files are sent: the client notices, and the log reports it in one line."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tasks.settings import ROOT
from tests import servers
from tests.waiting import wait_until

pytestmark = pytest.mark.once

LARGE = 48 * 2**20  # bytes: more than sockets buffer before the client reads


@pytest.fixture(autouse=True)
def empty() -> None:
    """Leave the tests' own database untouched: these tests have another one."""


@dataclass
class Web:
    """A web process and its storage."""

    client: httpx.Client
    media: Path
    log: Path

    def uploaded(self, size: int) -> str:
        file = ("a.bin", bytes(size))  # of no known type: chance would write the head of a picture now and then
        return str(self.client.post("/uploads", files={"file": file}).raise_for_status().json()["url"])

    def complaints(self) -> list[str]:
        return [line for line in self.log.read_text().splitlines() if not re.search(r"^\S+ INFO ", line)]


@pytest.fixture
def web(tmp_path: Path) -> Iterator[Web]:
    environment = {
        **os.environ,
        "DATABASE_URL": f"sqlite:///{tmp_path}/own.sqlite",
        "DATA_DIR": str(tmp_path / "data"),
        "STORAGE_URL": str(tmp_path / "media"),
        "PORT": str(servers.free_port()),
    }
    address = f"http://127.0.0.1:{environment['PORT']}"
    with (tmp_path / "log").open("wb") as log, httpx.Client(base_url=address, timeout=30) as client:
        command = [sys.executable, "-m", "webapp", "web"]
        process = subprocess.Popen(command, env=environment, cwd=ROOT, stdout=log, stderr=log)
        try:
            wait_until(lambda: _answers(client), within=60)
            yield Web(client, tmp_path / "media", tmp_path / "log")
        finally:
            process.terminate()
            process.wait(30)


def _answers(client: httpx.Client) -> bool:
    try:
        return client.get("/healthz").status_code == 200
    except httpx.TransportError:
        return False


def test_a_file_that_goes_while_it_is_sent_is_cut_off(web: Web) -> None:
    url = web.uploaded(LARGE)
    with web.client.stream("GET", url) as answer:
        pieces = answer.iter_bytes()
        next(pieces)
        (web.media / Path(url).name).unlink()
        with pytest.raises(httpx.RemoteProtocolError):
            for _ in pieces:
                pass
    [complaint] = web.complaints()
    assert Path(url).name in complaint
    answer = web.client.get(url)
    assert (answer.status_code, answer.json()["code"]) == (503, "storage_unavailable")


def test_a_folder_that_is_away_for_a_while_is_told_in_a_line_for_each_request(web: Web) -> None:
    url = web.uploaded(1000)
    web.media.rename(web.media.with_name("elsewhere"))
    for wanted in ({}, {"download": ""}):
        answer = web.client.get(url, params=wanted)
        assert (answer.status_code, answer.json()["code"]) == (503, "storage_unavailable")
        assert int(answer.headers["retry-after"]) > 0
    assert len(web.complaints()) == 2
    web.media.with_name("elsewhere").rename(web.media)
    assert len(web.client.get(url).content) == 1000
