"""`darkroom run`, `status`, `watch`, `ls`, `cancel` and `estimate`, as a shell starts them."""

import fcntl
import json
import os
import pty
import re
import signal
import socket
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tasks.settings import ROOT
from tests.browser.conftest import Darkroom as Served
from tests.servers import free_port
from tests.tasks import samples
from tests.waiting import wait_until
from webapp.cli import client_arguments, client_commands, client_output
from webapp.client.shapes import Estimate

pytestmark = pytest.mark.once

SMALL = ["-p", "width=64", "-p", "height=64"]
SLOW = 600.0  # seconds, longer than any test
UNKNOWN = "019ab0c4-5d1e-7b36-9533-e50ac26d7632"
HEAVY = ("litestar", "piccolo", "taskiq", "uvicorn", "redis", "pydantic", "tasks.settings", "tasks.db")


@pytest.fixture(autouse=True)
def empty() -> None:
    """Leave the tests' own database untouched: no test here uses it."""


def new_prompt() -> str:
    """Return a prompt that no other job has."""
    return f"a fox {uuid4().hex}"


def environment(url: str, key: str = "") -> dict[str, str]:
    return os.environ | {"DARKROOM_URL": url, "DARKROOM_KEY": key, "COLUMNS": "100"}


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "webapp", *words]


def ran(served: Served | str, *words: str, key: str = "") -> tuple[int, str, str]:
    """Run a command. Returns its exit code, and what it printed on stdout and on stderr."""
    url = served if isinstance(served, str) else served.url
    done = subprocess.run(
        command(*words), cwd=ROOT, env=environment(url, key), capture_output=True, text=True, umask=0o027
    )
    return done.returncode, done.stdout, done.stderr


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def submitted(served: Served, prompt: str) -> str:
    """Submit a prompt, and return the id of its job."""
    return str(served.post(prompt))


def slow(served: Served, prompt: str) -> None:
    """Let the prediction of a prompt run for longer than any test."""
    served.script({"on": "create", "do": "run", "match": prompt, "seconds": SLOW})


# What was made.


def test_a_prompt_becomes_a_file_whose_path_is_all_that_is_printed(served: Served, tmp_path: Path) -> None:
    code, out, err = ran(served, "run", "A fox on a Sofa", *SMALL, "-o", str(tmp_path))
    [file] = tmp_path.iterdir()
    assert (code, out) == (0, f"{file}\n")
    assert file.name.startswith("a-fox-on-a-sofa-")
    assert file.stat().st_mode & 0o777 == 0o640  # as the shell has it: the file is not one that Darkroom keeps
    assert re.fullmatch(r"Job [0-9a-f-]{36}\n", err)  # and no bar: stderr is no terminal


def test_without_a_folder_the_addresses_are_printed(served: Served) -> None:
    code, out, _ = ran(served, "run", new_prompt(), "-m", "schnell", "-p", "num_outputs=2")
    addresses = out.splitlines()
    assert (code, len(addresses)) == (0, 2)
    assert [httpx.get(address).status_code for address in addresses] == [200, 200]


def test_a_file_is_uploaded_for_a_parameter(served: Served, tmp_path: Path) -> None:
    (tmp_path / "fox.png").write_bytes(samples.picture(64, 64))
    words = ["-m", "nano-banana", "-p", f"image_input[]=@{tmp_path}/fox.png", "--json"]
    code, out, _ = ran(served, "run", new_prompt(), *words)
    [job] = lines(out)
    assert code == 0
    assert [url[:7] for url in job["parameters"]["image_input"]] == ["/media/"]


def test_a_job_is_found_by_the_metadata_that_it_was_given(served: Served) -> None:
    order = uuid4().hex
    words = ["--metadata", f"order={order}", "--metadata", "team=red fox", "--json"]
    assert ran(served, "estimate", new_prompt(), *words)[0] == 0
    code, out, _ = ran(served, "run", new_prompt(), *SMALL, *words)
    [job] = lines(out)
    assert (code, job["metadata"]) == (0, {"order": order, "team": "red fox"})
    assert [each["job_id"] for each in lines(ran(served, "ls", f"meta.order:{order}", "--json")[1])] == [job["job_id"]]


# The exit codes.


def test_a_job_that_failed_is_1(served: Served) -> None:
    prompt = new_prompt()
    served.script({"on": "create", "do": "fail_prediction", "match": prompt, "error": "NSFW content", "times": 0})
    code, out, err = ran(served, "run", prompt, *SMALL)
    assert (code, out) == (1, "")
    assert err.splitlines()[-1].startswith("The job failed: The model's safety filter rejected")


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["run", ""], "darkroom: prompt: The prompt is empty."),
        (["run", "x", "-p", "width=wide"], "darkroom: parameters/width: "),
        (["run", "x", "-p", "width"], "darkroom: -p width: it must be NAME=VALUE."),
        (["run", "x", "-p", "image=@/nowhere/fox.png"], "darkroom: [Errno 2] No such file or directory: "),
        (["run", "x", "-m", "nope"], "darkroom: No known model is named nope."),
        (["estimate", "x", "-m", "a/b/c"], "darkroom: model: "),
        (["status", UNKNOWN], "darkroom: There is no such job."),
        (["watch", UNKNOWN], "darkroom: There is no such job."),
        (["cancel", UNKNOWN], "darkroom: There is no such job."),
        (["ls", "rating:x"], "darkroom: q: "),
    ],
)
def test_what_is_refused_is_2_and_one_line(words: list[str], line: str, served: Served) -> None:
    code, out, err = ran(served, *words)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(line)


@pytest.mark.parametrize("words", [["status", "nope"], ["ls", "-n", "0"], ["run"], ["run", "x", "--priority", "vip"]])
def test_so_are_arguments_that_are_wrong(words: list[str], served: Served) -> None:
    code, out, err = ran(served, *words)
    assert (code, out) == (2, "")
    assert err.startswith("usage: darkroom")


def test_a_canceled_job_is_3(served: Served) -> None:
    prompt = new_prompt()
    slow(served, prompt)
    job = submitted(served, prompt)
    code, out, _ = ran(served, "cancel", job)
    assert (code, out) in [(0, "It is canceled.\n"), (0, "It is being canceled.\n")]
    code, out, err = ran(served, "watch", job)
    assert (code, out, err) == (3, "", "The job was canceled.\n")
    assert ran(served, "cancel", job) == (0, "It is canceled.\n", "")


def test_a_darkroom_that_does_not_respond_is_4() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    code, out, err = ran(url, "ls")
    assert (code, out, err.count("\n")) == (4, "", 1)
    assert err.startswith(f"darkroom: {url} cannot be reached: ")


def test_something_else_that_responds_is_4_too(served: Served) -> None:
    code, _, err = ran(served.standin, "ls")
    assert code == 4
    assert "does not respond as Darkroom does" in err


def test_an_address_that_is_none_is_2() -> None:
    assert ran("nope", "ls")[::2] == (
        2,
        "darkroom: 'nope' is not the address of a server, such as http://127.0.0.1:8000.\n",
    )


def test_a_budget_without_room_is_5_and_a_key_that_is_missing_2(inhabited: tuple[Served, dict[str, str]]) -> None:
    served, keys = inhabited
    words = ("run", new_prompt(), "-m", "black-forest-labs/flux-schnell")
    code, out, err = ran(served, *words, key=keys["poor"])
    assert (code, out, err.count("\n")) == (5, "", 1)
    code, out, err = ran(served, *words)
    assert (code, out) == (2, "")
    assert err.endswith("Set DARKROOM_KEY.\n")
    code, out, err = ran(served, *words, "--json", key=keys["both"])
    assert (code, lines(out)[0]["owner"]) == (0, "anna")


def test_a_folder_that_cannot_be_written_is_1_and_the_job_is_named(served: Served, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    code, out, err = ran(served, "run", new_prompt(), *SMALL, "-o", f"{tmp_path}/file/folder")
    assert (code, out) == (1, "")
    assert err.splitlines()[1].startswith("darkroom: [Errno 20] Not a directory: ")


def test_the_commands_and_exit_codes_are_those_of_the_docs() -> None:
    docs = (ROOT / "docs" / "shell.md").read_text()
    assert re.findall(r"^\| `darkroom (\w+) ", docs, re.MULTILINE) == list(client_arguments.HELP)
    table = re.findall(r"^\| (\d+) \|", docs, re.MULTILINE)
    known = [getattr(client_commands, name) for name in ("DONE", "FAILED", "REFUSED", "CANCELED", "AWAY", "NO_ROOM")]
    assert [int(code) for code in table] == [*known, client_commands.INTERRUPTED]


# What programs read.


def test_with_json_nothing_else_is_on_stdout(served: Served, tmp_path: Path) -> None:
    prompt = new_prompt()
    code, out, err = ran(served, "run", prompt, *SMALL, "--json", "-o", str(tmp_path))
    [job] = lines(out)
    assert (code, job["status"], job["prompt"], err) == (0, "completed", prompt, f"Job {job['job_id']}\n")
    assert job.pop("saved") == [str(path) for path in tmp_path.iterdir()]
    assert job == served.status(job["job_id"])
    assert [
        lines(ran(served, *words, "--json")[1]) for words in (["status", job["job_id"]], ["ls", f'"{prompt}"'])
    ] == [
        [job],
        [job],
    ]
    assert lines(ran(served, "cancel", job["job_id"], "--json")[1]) == [job | {"cancel": "too_late"}]


def test_a_watched_job_is_a_line_for_each_change(served: Served, tmp_path: Path) -> None:
    job = submitted(served, new_prompt())
    code, out, err = ran(served, "watch", job, "--json", "-o", str(tmp_path))
    states = lines(out)
    assert (code, err) == (0, "")
    assert {state["job_id"] for state in states} == {job}
    assert [state["status"] for state in states].count("completed") == 1
    assert states[-1]["status"] == "completed"
    assert [state.get("saved") for state in states if "saved" in state] == [[str(path) for path in tmp_path.iterdir()]]


def test_a_detached_job_is_an_id(served: Served) -> None:
    code, out, err = ran(served, "run", new_prompt(), *SMALL, "-d")
    assert (code, err) == (0, "")
    [status] = lines(ran(served, "status", out.strip(), "--json")[1])
    code, out, err = ran(served, "run", new_prompt(), *SMALL, "--detach", "--json")
    assert (status["job_id"] == out, code, err, list(lines(out)[0])) == (False, 0, "", ["job_id"])


def test_a_cost_is_estimated(served: Served) -> None:
    words = ["estimate", "a fox", "-m", "flux-schnell", "-p", "num_outputs=4"]
    assert ran(served, *words)[:2] == (0, "$0.012 ($3.00 per thousand output images)\n")
    assert lines(ran(served, *words, "--json")[1])[0]["low"] == "0.012"


@pytest.mark.parametrize(
    ("estimate", "line"),
    [
        (Estimate(jobs=1, basis="unknown"), "unknown: the price of the model is not known"),
        (Estimate(jobs=1, basis="median", low="0.01", high="0.02"), "$0.01 to $0.02"),
        (Estimate(jobs=1, basis="metrics", low="0.01", high="0.01"), "$0.01"),
    ],
)
def test_an_estimate_is_an_amount_or_a_range_or_unknown(estimate: Estimate, line: str) -> None:
    assert client_output.amount(estimate) == line


# What people read.


def test_jobs_are_listed_newest_first_and_no_prompt_steers_the_terminal(served: Served) -> None:
    prompt = new_prompt()
    first, second = (submitted(served, f"{prompt}\x1b[31m\n{word}") for word in ("one", "two"))
    code, out, err = ran(served, "ls", f'"{prompt}"')
    head, *rows = out.splitlines()
    assert (code, err, head.split()) == (0, "", ["job", "status", "model", "created", "prompt"])
    assert [row[:36] for row in rows] == [second, first]
    assert rows[0].endswith(f"{prompt}\\x1b[31m\\ntwo")
    assert len(ran(served, "ls", f'"{prompt}"', "-n", "1")[1].splitlines()) == 2


def test_a_job_is_described(served: Served) -> None:
    prompt = new_prompt()
    job = lines(ran(served, "run", prompt, "-m", "flux-schnell", "--json")[1])[0]
    out = ran(served, "status", job["job_id"])[1]
    rows = dict(line.split(None, 1) for line in out.splitlines())
    assert rows.pop("created").startswith("20")
    assert rows == {
        "job": job["job_id"], "status": "completed", "model": "black-forest-labs/flux-schnell", "prompt": prompt,
        "cost": "$0.003", "output": f"{served.url}{job['result_url']}",
    }  # fmt: skip


def test_a_reader_that_closes_early_is_no_error(served: Served) -> None:
    submitted(served, new_prompt())
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(command("ls"), cwd=ROOT, env=environment(served.url), stdout=write, stderr=subprocess.PIPE)
    os.close(write)
    assert (done.returncode, done.stderr) == (1, b"")


def test_neither_the_web_framework_nor_the_database_is_loaded(served: Served) -> None:
    code = "import sys; from webapp.__main__ import main; main(); print(sorted(sys.modules), file=sys.stderr)"
    process = [sys.executable, "-c", code, "ls", "-n", "1"]
    done = subprocess.run(process, cwd=ROOT, env=environment(served.url), capture_output=True, text=True, check=True)
    assert "webapp.client.darkroom" in done.stderr
    assert [name for name in HEAVY if f"'{name}'" in done.stderr] == []


# On a terminal.


class Terminal:
    """A command on a terminal of its own. shown: all that it has written there."""

    def __init__(self, served: Served, *words: str) -> None:
        self._end, other = pty.openpty()
        self.shown = ""
        self.process = subprocess.Popen(
            command(*words), cwd=ROOT, env=environment(served.url), stdin=other, stdout=other, stderr=other,
            start_new_session=True, preexec_fn=_begin_on_terminal,
        )  # fmt: skip
        os.close(other)

    def type(self, text: str) -> None:
        os.write(self._end, text.encode())

    def shows(self, text: str) -> bool:
        """Return whether the text is on the terminal. Waits for something new otherwise."""
        if text not in self.shown:
            try:
                self.shown += os.read(self._end, 65536).decode()
            except OSError:  # the command has ended
                return True
        return text in self.shown

    def ended(self) -> int:
        """Return the exit code, when the command has ended."""
        wait_until(lambda: self.shows("no command writes this"))
        return self.process.wait(30)

    def close(self) -> None:
        os.close(self._end)
        self.process.kill()
        self.process.wait()


def _begin_on_terminal() -> None:
    """Make the terminal the command's own, and let Ctrl-C reach it: whoever runs the tests may ignore it."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGINT, signal.default_int_handler)


@contextmanager
def on_terminal(served: Served, *words: str) -> Iterator[Terminal]:
    terminal = Terminal(served, *words)
    try:
        yield terminal
    finally:
        terminal.close()


CTRL_C = "\x03"


@pytest.mark.parametrize(("answer", "ends"), [("y\n", True), ("\n", False), ("n\n", False), (CTRL_C, False)])
def test_ctrl_c_asks_whether_to_cancel(answer: str, ends: bool, served: Served) -> None:
    prompt = new_prompt()
    slow(served, prompt)
    with on_terminal(served, "run", prompt, *SMALL) as terminal:
        wait_until(lambda: terminal.shows("running: "))
        terminal.type(CTRL_C)
        wait_until(lambda: terminal.shows("Cancel the job? [y/N] "))
        terminal.type(answer)
        assert terminal.ended() == 130
    [job] = lines(ran(served, "ls", f'"{prompt}"', "--json")[1])
    if ends:
        assert "It is being canceled." in terminal.shown
        assert ran(served, "watch", job["job_id"])[0] == 3
    else:
        assert f"The job goes on: darkroom watch {job['job_id']}" in terminal.shown
        assert job["status"] == "running"
        ran(served, "cancel", job["job_id"])


def test_off_a_terminal_ctrl_c_leaves_the_job_running_and_says_its_id(served: Served) -> None:
    prompt = new_prompt()
    slow(served, prompt)
    job = submitted(served, prompt)
    wait_until(lambda: served.status(job)["status"] == "running")  # type: ignore[arg-type]  # an id as text will do
    process = subprocess.Popen(
        command("watch", job, "--json"), cwd=ROOT, env=environment(served.url), text=True, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    assert process.stdout is not None
    assert json.loads(process.stdout.readline())["status"] == "running"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (130, f"The job goes on: darkroom watch {job}\n")
    assert all(state["status"] == "running" for state in lines(out))
    assert served.status(job)["status"] == "running"  # type: ignore[arg-type]
    ran(served, "cancel", job)


def test_ctrl_c_before_there_is_a_job_says_that_there_may_be_one() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        process = subprocess.Popen(
            command("run", "a fox"), cwd=ROOT, env=environment(url), text=True, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )  # fmt: skip
        connection, _ = silent.accept()
        with connection:
            connection.recv(1)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (130, "")
    assert err == "\nIt may have been submitted: `darkroom ls` lists the newest jobs.\n"


def test_a_bar_shows_the_progress_and_is_gone_in_the_end(served: Served) -> None:
    with on_terminal(served, "run", new_prompt(), *SMALL) as terminal:
        assert terminal.ended() == 0
    assert re.search(r"\[[#-]{24}\].* running: ", terminal.shown)
    last = terminal.shown.splitlines()[-1].rpartition("\r")[2]
    assert last.startswith("http://127.0.0.1:")


def test_a_long_prompt_is_cut_where_the_line_of_a_terminal_ends(served: Served) -> None:
    prompt = new_prompt()
    submitted(served, f"{prompt} {'x' * 200}")
    with on_terminal(served, "ls", f'"{prompt}"') as terminal:
        assert terminal.ended() == 0
    assert [line[-3:] for line in terminal.shown.splitlines() if prompt[:10] in line] == ["..."]
