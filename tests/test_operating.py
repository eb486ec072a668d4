"""The files of docs/operating in use: both proxies in front of two web servers, and the units as systemd reads them."""

import re
import shutil
import ssl
import subprocess
import sys
import threading
import wave
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from secrets import token_bytes

import httpx
import pytest

from tasks.settings import ROOT, Settings
from tests import proxies, servers
from tests.processes import environment
from tests.waiting import wait_until

FOLDER = ROOT / "docs" / "operating"
AT_ONCE = 10.0  # seconds; a proxy that collects pieces has nothing to pass on for 15 s
UPLOAD_BYTES = 50 * 2**20
START = 60.0  # seconds that each may take to start
OFFLINE = 250  # the version of systemd that judges units which are not installed
MAX_EXPOSURE = 15  # as `systemd-analyze security` counts it: 100 is a service that may do everything


@pytest.fixture(autouse=True)
def empty() -> None:
    """Leave the tests' own database untouched: no test here uses it."""


@dataclass
class Proxied:
    """Two web servers behind a proxy. heard: the pieces of a stream of events, as they came through the proxy."""

    webs: list[subprocess.Popen[bytes]]
    client: httpx.Client
    heard: list[bytes] = field(default_factory=list)

    def listen(self) -> None:
        """Open a stream of events, as a page does."""
        opened = threading.Event()

        def hear() -> None:
            with suppress(httpx.TransportError), self.client.stream("GET", "/events", timeout=None) as stream:
                opened.set()
                self.heard.extend(stream.iter_raw())

        threading.Thread(target=hear, daemon=True).start()
        assert opened.wait(20)

    def submit(self) -> httpx.Response:
        origin = str(self.client.base_url).rstrip("/")
        return self.client.post("/generate", json={"prompt": "a fox"}, headers={"Origin": origin})

    def answers(self) -> bool:
        with suppress(httpx.TransportError):
            return self.client.get("/healthz").status_code == 200
        return False


@pytest.fixture(params=["nginx", "caddy"])
def proxied(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Proxied]:
    """Run two web servers, and a proxy in front of them as its file has it, but for names and ports."""
    if missing := proxies.missing(request.param):
        pytest.skip(f"{' and '.join(missing)} not installed")
    ports, edge = [servers.free_port(), servers.free_port()], servers.free_port()
    (tmp_path / "data").mkdir()
    certificate = proxies.certificate(tmp_path)
    with servers.valkey() as redis, (tmp_path / "log").open("wb") as log:
        settings = environment(
            tmp_path, f"sqlite:///{tmp_path}/data/proxied.sqlite", redis, "http://127.0.0.1:1",
            PUBLIC_URL=f"https://localhost:{edge}", TRUSTED_PROXIES="127.0.0.1,::1",
        )  # fmt: skip
        started: list[subprocess.Popen[bytes]] = []

        def start(command: list[str], **more: str) -> None:
            started.append(subprocess.Popen(command, cwd=ROOT, env=settings | more, stdout=log, stderr=log))

        try:
            for port in ports:
                start([sys.executable, "-m", "webapp", "web"], PORT=str(port))
            start(
                proxies.configured(request.param, FOLDER, tmp_path, ports, edge), HOME=str(tmp_path), PATH=proxies.PATH
            )
            trusting = ssl.create_default_context(cafile=str(certificate))
            with httpx.Client(base_url=f"https://localhost:{edge}", verify=trusting, timeout=60) as client:
                made = Proxied(started[:2], client)
                for port in ports:
                    wait_until(lambda port=port: _listens(port), START)  # type: ignore[misc]
                wait_until(made.answers, START)
                yield made
        finally:
            for process in reversed(started):
                process.terminate()
                process.wait(15)


def test_pages_streams_and_uploads_go_through_a_proxy_and_a_web_server_may_be_gone(proxied: Proxied) -> None:
    assert proxied.client.get("/").status_code == 200
    proxied.listen()
    for _ in range(3):
        job_id = proxied.submit().raise_for_status().json()["job_id"]
        wait_until(lambda job_id=job_id: job_id.encode() in b"".join(proxied.heard), within=AT_ONCE)  # type: ignore[misc]
    sound = _sound()
    upload = proxied.client.post("/uploads", files={"file": ("a.wav", sound)})
    assert upload.status_code == 201, upload.text
    assert proxied.client.get(upload.json()["url"]).content == sound
    proxied.webs[0].terminate()
    proxied.webs[0].wait(15)
    wait_until(lambda: all(proxied.submit().is_success for _ in range(10)))  # Caddy may need two seconds to notice


@pytest.mark.parametrize(
    ("file", "pattern"), [("nginx.conf", r"max_body_size (\d+)m;"), ("Caddyfile", r"max_size (\d+)MiB")]
)
def test_a_proxy_lets_through_as_much_as_a_form_with_a_file_may_have(file: str, pattern: str) -> None:
    found = re.search(pattern, (FOLDER / file).read_text())
    assert found is not None
    assert int(found[1]) == Settings.model_fields["max_upload_mib"].default + 1


@pytest.mark.parametrize("unit", ["darkroom-web@.service", "darkroom-worker@.service"])
def test_a_unit_is_valid_and_may_do_little(unit: str, tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None or _systemd() < OFFLINE:
        pytest.skip("systemd 250 is not installed")
    ours = "/opt/darkroom/.venv/bin/darkroom"
    text = (FOLDER / unit).read_text()
    assert ours in text
    (tmp_path / unit).write_text(text.replace(ours, sys.executable))
    for words in (["verify"], ["security", "--offline=true", f"--threshold={MAX_EXPOSURE}"]):
        said = subprocess.run(["systemd-analyze", *words, f"./{unit}"], cwd=tmp_path, capture_output=True, text=True)
        assert said.returncode == 0, said.stdout + said.stderr


def _systemd() -> int:
    """Return the version of systemd, which is the second word that it says."""
    return int(subprocess.check_output(["systemd-analyze", "--version"], text=True).split()[1])


def _listens(port: int) -> bool:
    with suppress(httpx.TransportError):
        return httpx.get(f"http://127.0.0.1:{port}/healthz").status_code == 200
    return False


def _sound() -> bytes:
    """Return a sound that no program can make smaller."""
    file = BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setparams((1, 2, 44100, 0, "NONE", "not compressed"))
        sound.writeframes(token_bytes(UPLOAD_BYTES))
    return file.getvalue()
