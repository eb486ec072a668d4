"""`darkroom up` as a real process: what it starts, what it stops, and what it prints."""

import os
import queue
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from importlib.metadata import packages_distributions
from pathlib import Path
from stat import S_ISSOCK
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import psutil
import pytest

from tasks.settings import ROOT, settings
from tests import servers
from tests.servers import free_port
from tests.waiting import wait_until
from webapp.cli import open_files
from webapp.cli.banner import ask_redis
from webapp.cli.up import Events, _next, _signals

PARTS = {"web", "worker", "standin", "valkey-server"}
START = 60.0  # seconds that it may take to start
TOKEN = "r8_0123456789abcdefghijklmnopqrstuvwxyz"
END = 5.0  # seconds that everything may take to end


@pytest.fixture(autouse=True)
def empty() -> None:
    """Leave the tests' own database untouched: no test here uses it."""


def _as_by_a_person() -> None:
    """Make this process obey Ctrl-C, with the usual limit of open files, as if a person had started it.

    A shell makes its background processes ignore Ctrl-C, and their children inherit that.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))


def _left_out() -> list[str]:
    """Return the modules that requirements.txt leaves out although packages require them."""
    excluded = (ROOT / "requirements.txt").read_text().partition("excluded from the output:\n# ")[2].split()[::2]
    assert "polyfactory" in excluded
    brought = packages_distributions().items()
    return [module for module, brings in brought if {name.lower().replace("_", "-") for name in brings} & {*excluded}]


class Up:
    """A running `darkroom up` with its own folders and ports, where only requirements.txt is installed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port, standin_port = free_port(), free_port()
        (folder / "sitecustomize.py").write_text(f"import sys\nsys.modules.update(dict.fromkeys({_left_out()}))\n")
        self.address = f"http://127.0.0.1:{self.port}"
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.endswith(("_URL", "_TOKEN"))},
            "DARKROOM_ENV_FILE": os.devnull,
            "PYTHONPATH": str(folder),
            "DATA_DIR": str(folder / "data"),
            "STORAGE_URL": str(folder / "media"),
            "DATABASE_URL": f"sqlite:///{folder}/data/up.sqlite",
            "PORT": str(self.port),
            "STANDIN_PORT": str(standin_port),
        }
        self.output = folder / "output"
        self.started: list[subprocess.Popen[bytes]] = []

    def start(
        self, output: Path | None = None, command: str = "up", words: Sequence[str] = (), **settings: str
    ) -> subprocess.Popen[bytes]:
        with (output or self.output).open("wb") as said:
            process = subprocess.Popen(
                [sys.executable, "-m", "webapp", command, *words],
                cwd=ROOT,
                env={**self.environment, **settings},
                stdout=said,
                stderr=said,
                start_new_session=True,
                preexec_fn=_as_by_a_person,
            )
        self.started.append(process)
        return process

    def ready(self) -> bool:
        return _answers(f"{self.address}/readyz")

    def told_by(self, check: str) -> str:
        """Return what /readyz reports for a check."""
        return str(httpx.get(f"{self.address}/readyz").json()["checks"][check])

    def run(self, *words: str) -> str:
        """Run another command in the same environment, and return its output."""
        command = [sys.executable, "-m", "webapp", *words]
        return subprocess.check_output(command, cwd=ROOT, env=self.environment, text=True)

    def refused(self, **settings: str) -> str:
        """Return the one line that it prints when it refuses to start."""
        output = self.output.with_name("refusal")
        code = self.start(output, **settings).wait(20)
        line = output.read_text()
        assert code == 2, line
        assert line.count("\n") == 1, line
        return line

    def said(self) -> str:
        return self.output.read_text()


@pytest.fixture
def up() -> Iterator[Up]:
    with _made() as up:
        yield up


@pytest.fixture
def redis() -> Iterator[str]:
    with servers.valkey() as url:
        yield url


@pytest.fixture(scope="module")
def running() -> Iterator[Up]:
    """Yield a running `darkroom up`, for the tests that leave it running."""
    with _made() as up:
        process = up.start()
        wait_until(up.ready, START)
        yield up
        process.terminate()
        process.wait(END)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_every_part_within_5_seconds(up: Up, number: signal.Signals) -> None:
    process = up.start()
    wait_until(up.ready, START)
    process.send_signal(number)
    assert process.wait(END) == 0
    assert not _processes_of(up)


def test_a_token_that_is_entered_is_used_by_the_same_process_from_then_on(up: Up, standin: str) -> None:
    process = up.start(words=["--halted"], REPLICATE_API_URL=f"{standin}/v1")
    wait_until(up.ready, START)
    assert up.told_by("queue").startswith("halted")
    up.run("resume")
    assert 'id="demo-pill"' in httpx.get(f"{up.address}/settings").text
    before = set(_processes_of(up)) - {psutil.Process(process.pid)}
    assert "Starting again" in httpx.post(f"{up.address}/settings/token", data={"token": TOKEN}).text
    wait_until(lambda: before.isdisjoint(_processes_of(up)), START)
    wait_until(up.ready, START)
    page = httpx.get(f"{up.address}/settings").text
    assert 'id="demo-pill"' not in page
    assert TOKEN not in page
    assert "A token is in use" in httpx.get(f"{up.address}/settings/token").text
    assert not up.told_by("queue").startswith("halted")
    assert TOKEN not in up.said()
    process.terminate()
    assert process.wait(END) == 0
    assert not _processes_of(up)


def test_a_signal_that_another_thread_gets_is_noticed() -> None:
    """The system chooses the thread, and its choice does not wake the one that waits."""
    events: Events = queue.SimpleQueue()

    def get_signal() -> None:
        time.sleep(0.2)
        signal.pthread_kill(threading.get_ident(), signal.SIGTERM)
        time.sleep(END)
        events.put(("Nobody noticed.", 1))

    with _signals(events):
        threading.Thread(target=get_signal, daemon=True).start()
        assert _next(events, parent=None) == ("Stopping.", 0)


def test_a_signal_during_the_start_ends_every_part(up: Up) -> None:
    process = up.start()
    wait_until(lambda: "web" in _parts_of(up), START)
    process.terminate()
    assert process.wait(END) == 0
    assert not _processes_of(up)


def test_kill_9_of_the_parent_ends_every_part_within_5_seconds(up: Up) -> None:
    process = up.start()
    wait_until(up.ready, START)
    process.kill()
    process.wait()
    wait_until(lambda: not _processes_of(up), END)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can do this")
def test_kill_9_of_every_python_process_ends_valkey_too(up: Up) -> None:
    up.start()
    wait_until(lambda: _parts_of(up) >= {"web", "valkey-server"}, START)
    for process in _processes_of(up):
        if _part(process) != "valkey-server":
            _kill(process)
    wait_until(lambda: not {"valkey-server"} & _parts_of(up), END)


def test_it_starts_again_at_once_after_a_kill_9_and_ends_with_what_started_it(up: Up) -> None:
    process = up.start()
    wait_until(up.ready, START)
    process.kill()
    process.wait()
    run = f"subprocess.run([{sys.executable!r}, '-m', 'webapp', 'up', '--with-parent', str(os.getpid())])"
    code = f"import os, subprocess; {run}"
    starter = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, env=up.environment, stdout=subprocess.DEVNULL)
    wait_until(lambda: up.ready() and _parts_of(up) >= PARTS, START)
    starter.kill()
    starter.wait()
    wait_until(lambda: not _processes_of(up), 6 * END)  # on a busy machine, they are still starting


def test_it_ends_also_if_what_started_it_is_gone_before_it_looks(up: Up) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    process = up.start(words=["--with-parent", str(gone.pid)])
    assert process.wait(START) == 0
    assert not _processes_of(up)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")
def test_every_part_may_open_as_many_files_as_the_system_allows(running: Up) -> None:
    wait_until(lambda: _parts_of(running) >= PARTS, START)
    highest = min(resource.getrlimit(resource.RLIMIT_NOFILE)[1], open_files.DEFAULT_LIMIT)
    soft = {_part(process): process.rlimit(psutil.RLIMIT_NOFILE)[0] for process in _processes_of(running)}
    assert {part: soft[part] for part in PARTS} == dict.fromkeys(PARTS, highest)


def test_a_thousand_connections_that_never_finish_a_request_keep_nobody_out(running: Up) -> None:
    open_files.raise_limit()
    if resource.getrlimit(resource.RLIMIT_NOFILE)[0] < 1500:
        pytest.skip("the system allows too few open files")
    with ExitStack() as stack:
        for number in range(1000):
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", running.port), timeout=10))
            connection.sendall(
                b"POST /jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n"[: 10 + number % 70]
            )
        assert httpx.get(f"{running.address}/healthz", timeout=20).status_code == 200
        assert httpx.get(f"{running.address}/", timeout=20).status_code == 200


@pytest.mark.parametrize("part", sorted(PARTS))
def test_a_part_that_dies_is_started_again(running: Up, part: str) -> None:
    (victim,) = [process for process in _processes_of(running) if _part(process) == part]
    victim.kill()
    wait_until(lambda: victim not in _processes_of(running) and _parts_of(running) >= PARTS, START)
    wait_until(running.ready, START)
    assert running.said().count("restarting in 1 s") >= 1


def test_a_part_that_dies_again_and_again_stops_everything(up: Up) -> None:
    process = up.start()

    def stopped() -> bool:
        for child in _processes_of(up):
            if _part(child) == "worker":
                _kill(child)
        return process.poll() is not None

    wait_until(stopped, 60)
    assert process.returncode == 1
    assert "The worker ended 5 times within 60 s" in up.said()
    assert not _processes_of(up)


@pytest.mark.parametrize("name", ["prints #1? 50%25 ü ", "a name that is too long for a socket " * 3])
def test_a_prompt_becomes_a_picture_in_folders_of_any_name(name: str) -> None:
    with _made(name) as up:
        up.start(STORAGE_URL=f"{up.folder}/media #2?%41", DATABASE_URL=f"sqlite:///{up.folder}/data/up #3?%42.sqlite")
        wait_until(up.ready, START)
        job = httpx.post(f"{up.address}/generate", json={"prompt": "a fox"}).json()

        def status() -> dict[str, Any]:
            return dict(httpx.get(f"{up.address}/status/{job['job_id']}").json())

        wait_until(lambda: status()["status"] == "completed", START)
        assert httpx.get(up.address + status()["result_url"]).status_code == 200
        assert [*(up.folder / "media #2?%41").glob(f"{job['job_id']}-*.png")]
        assert (up.folder / "data" / "up #3?%42.sqlite").exists()


def test_started_halted_it_makes_nothing_until_it_is_resumed_and_halts_once(up: Up) -> None:
    up.start(words=["--halted"])
    wait_until(up.ready, START)
    job = httpx.post(f"{up.address}/generate", json={"prompt": "a fox"}).json()["job_id"]

    def status() -> str:
        return str(httpx.get(f"{up.address}/status/{job}").json()["status"])

    assert up.told_by("queue").startswith(
        "halted: A user halted the queue. Resume it at /queue, or with `darkroom resume`."
    )
    _kill_part(up, "worker")
    wait_until(lambda: up.ready() and "worker" in _parts_of(up), START)
    assert "A user halted the queue" in httpx.get(up.address).text
    assert status() == "queued"
    assert up.run("resume").startswith("Resumed the queue. It was halted since 20")
    wait_until(lambda: status() == "completed")
    assert up.run("resume") == "The queue is not halted.\n"
    _kill_part(up, "worker")
    wait_until(lambda: up.ready() and "worker" in _parts_of(up), START)
    assert up.told_by("queue") == "ok"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can do this")
def test_on_a_full_disk_it_is_not_ready(running: Up) -> None:
    [web] = [process for process in _processes_of(running) if _part(process) == "web"]
    _, most = web.rlimit(psutil.RLIMIT_FSIZE)
    web.rlimit(psutil.RLIMIT_FSIZE, (0, most))
    wait_until(lambda: not running.ready())
    assert "The database is not responding" in running.told_by("database")
    assert "too large" in running.told_by("storage")
    web.rlimit(psutil.RLIMIT_FSIZE, (most, most))
    wait_until(running.ready)


def test_what_is_kept_is_for_this_user_alone(running: Up) -> None:
    modes: dict[Path, int] = {}
    for folder in (running.folder / "data", running.folder / "media"):
        for path in [folder, *folder.rglob("*")]:
            with suppress(FileNotFoundError):  # a temporary file may have gone since
                modes[path] = path.lstat().st_mode
    assert len(modes) > 5
    assert [str(path) for path, mode in modes.items() if mode & 0o077 and not S_ISSOCK(mode)] == []


def test_it_says_where_to_look_and_what_draws(running: Up) -> None:
    assert running.address in running.said()
    assert "the stand-in" in running.said()


def test_with_a_token_and_a_redis_it_runs_neither_stand_in_nor_valkey(up: Up) -> None:
    process = up.start(REPLICATE_API_TOKEN="r8_none", REDIS_URL="redis://127.0.0.1:1")
    wait_until(lambda: _parts_of(up) == {"up", "web", "worker"}, START)
    process.terminate()
    assert process.wait(END) == 0


def test_the_stand_in_alone_is_not_needed_with_a_token(up: Up) -> None:
    process = up.start(command="standin", REPLICATE_API_TOKEN="r8_none")
    assert process.wait(START) == 0
    assert up.said().count("\n") == 1
    assert "REPLICATE_API_TOKEN" in up.said()


def test_the_stand_in_alone_runs_where_it_is_what_the_token_is_for(up: Up) -> None:
    address = f"http://127.0.0.1:{up.environment['STANDIN_PORT']}/v1"
    up.start(command="standin", REPLICATE_API_TOKEN="r8_none", REPLICATE_API_URL=address)
    wait_until(lambda: _answers(f"{address}/models"), START)


def test_a_redis_that_answers_is_not_spoken_of(up: Up, redis: str) -> None:
    assert "Redis" not in _greeting(up, REDIS_URL=redis)


def test_a_redis_that_does_not_answer_is_named_and_what_that_means(up: Up) -> None:
    said = _greeting(up, REDIS_URL="redis://:secret@127.0.0.1:1")
    assert "  Redis      at redis://***@127.0.0.1:1 is not responding: jobs still run, live pages lag\n" in said
    assert "secret" not in said


def test_a_redis_that_says_nothing_holds_up_the_start_for_two_seconds_at_most(up: Up) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"redis://127.0.0.1:{mute.getsockname()[1]}"
        answers = ask_redis(settings.model_copy(update={"redis_url": url}))
        start = time.monotonic()
        assert answers() is False
        assert time.monotonic() - start < 2.5
        assert "is not responding" in _greeting(up, REDIS_URL=url)


def test_a_second_one_on_the_same_data_is_refused(running: Up) -> None:
    (first,) = [process for process in _processes_of(running) if _part(process) == "up"]
    assert f"another Darkroom (process {first.pid})" in running.refused()


def test_a_busy_port_is_named_before_anything_starts(up: Up) -> None:
    with socket.create_server(("127.0.0.1", up.port)):
        assert f"PORT={up.port}: " in up.refused()


def test_a_host_that_is_not_here_is_named(up: Up) -> None:
    assert "HOST=192.0.2.1: " in up.refused(HOST="192.0.2.1")


@pytest.mark.parametrize("setting", ["DATA_DIR", "STORAGE_URL", "DATABASE_URL"])
def test_a_folder_that_cannot_be_written_is_named(up: Up, setting: str, tmp_path: Path) -> None:
    """A file takes the place of the folder, because not even root can write into a file."""
    file = tmp_path / "file"
    file.touch()
    value = f"sqlite:///{file}/up.sqlite" if setting == "DATABASE_URL" else f"{file}/folder"
    assert f"{setting}: " in up.refused(**{setting: value})


def test_a_database_that_does_not_answer_is_named_without_its_password(up: Up) -> None:
    line = up.refused(DATABASE_URL="postgres://me:secret@127.0.0.1:1/darkroom")
    assert "DATABASE_URL: " in line
    assert "secret" not in line


def test_a_wrong_setting_is_named(up: Up) -> None:
    assert "MAX_ATTEMPTS=none: " in up.refused(MAX_ATTEMPTS="none")


@contextmanager
def _made(prefix: str = "darkroom-") -> Iterator[Up]:
    with TemporaryDirectory(prefix=prefix, dir="/tmp") as folder:
        up = Up(Path(folder))
        try:
            yield up
        finally:
            for child in _processes_of(up):
                _kill(child)
            for process in up.started:
                process.kill()
                process.wait()


def _answers(address: str) -> bool:
    try:
        return httpx.get(address, headers={"Authorization": "Bearer none"}).status_code == 200
    except httpx.TransportError:
        return False


def _greeting(up: Up, **settings: str) -> str:
    """Start `darkroom up`, and return what it prints until everything has been started."""
    process = up.start(None, **settings)
    wait_until(lambda: "Ctrl-C" in up.said(), START)
    process.terminate()
    process.wait(END)
    return up.said().partition("Ctrl-C")[0]


def _processes_of(up: Up) -> list[psutil.Process]:
    """Return the living processes with `up`'s DATA_DIR in their environment or, like Valkey, in their arguments."""
    data, found = up.environment["DATA_DIR"], []
    for number in psutil.pids():  # not process_iter, which caches the name that a process had before its exec
        with suppress(psutil.Error):
            process = psutil.Process(number)
            if process.environ().get("DATA_DIR") == data or data in " ".join(process.cmdline()):
                found.append(process)
    return found


def _parts_of(up: Up) -> set[str]:
    return {_part(process) for process in _processes_of(up)}


def _kill_part(up: Up, part: str) -> None:
    """Kill a part. Returns when it is gone."""
    for process in _processes_of(up):
        if _part(process) == part:
            _kill(process)
            process.wait(END)


def _kill(process: psutil.Process) -> None:
    """Kill a process, unless it has already ended because another one did."""
    with suppress(psutil.NoSuchProcess):
        process.kill()


def _part(process: psutil.Process) -> str:
    """Return up, web, worker, standin, or the name of another program."""
    try:
        return next(
            (word for word in process.cmdline() if word in ("up", "web", "worker", "standin")), str(process.name())
        )
    except psutil.Error:
        return ""
