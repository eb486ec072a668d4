"""The log of a command: one line or one JSON object for each message, with the ids that are bound, without secrets."""

import io
import json
import logging
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from structlog.contextvars import bound_contextvars

from tests.processes import ROOT, environment
from tests.servers import free_port
from webapp.cli import logs

pytestmark = pytest.mark.once

KEY = "dk_0123456789abcdefghijklmnopqrstuvABCDEF"
TIME = re.compile(r"^\d\d:\d\d:\d\d ")


@pytest.fixture(autouse=True)
def empty() -> None:
    """Leave the tests' own database untouched: no test here uses it."""


def written(message: str, *arguments: object, log_format: str = "text", error: Exception | None = None) -> str:
    """Return what is written of an error."""
    log, stream = logging.Logger("a"), io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logs.formatter(log_format))
    log.addHandler(handler)
    log.error(message, *arguments, exc_info=error)
    return stream.getvalue()


def as_text(message: str, *arguments: object, error: Exception | None = None) -> str:
    """Return what is written of an error as text, without the time."""
    line = written(message, *arguments, error=error)
    assert TIME.match(line), line
    return TIME.sub("", line)


def as_json(message: str, *arguments: object, error: Exception | None = None) -> dict[str, Any]:
    line = written(message, *arguments, log_format="json", error=error)
    assert len(line.splitlines()) == 1
    return dict(json.loads(line))


def raised(error: Exception) -> Exception:
    """Return an error with a traceback."""
    try:
        raise error
    except Exception as caught:
        return caught


@pytest.mark.parametrize("sign", ["\n", "\r\n", "\x1b[31m", "\x00", "\x85", "\u2028", "\x9b"])
def test_what_a_stranger_sends_forges_no_line_of_the_log(sign: str) -> None:
    message = f"/jobs/{sign}ERROR webapp: forged"
    line = as_text("%s %s failed", "GET", message)
    assert line.startswith("ERROR a: GET /jobs/\\")
    assert len(line.splitlines()) == 1
    assert line[:-1].isprintable()
    assert as_json("%s", message)["event"] == message


@pytest.mark.parametrize("sign", ["\n", "\r", "\x1b[31m", "\u2028"])
def test_what_an_error_quotes_forges_no_line_of_the_log(sign: str) -> None:
    lines = as_text("it failed", error=raised(OSError(f"why{sign}12:00:00 ERROR webapp: forged"))).splitlines()
    assert (lines[0], lines[1]) == ("ERROR a: it failed", "Traceback (most recent call last):")
    assert lines[-1].startswith("OSError: why\\")
    assert all(line.isprintable() for line in lines)


def test_words_of_every_language_stay_as_they_are_and_a_traceback_keeps_its_lines() -> None:
    assert as_text("ein Fuchs im Schnee, größer 狐") == "ERROR a: ein Fuchs im Schnee, größer 狐\n"
    lines = as_text("it failed", error=raised(OSError("why"))).splitlines()
    assert lines[1] == "Traceback (most recent call last):"
    assert (lines[3].strip(), lines[-1]) == ("raise error", "OSError: why")


def test_the_ids_that_are_bound_end_the_line() -> None:
    with bound_contextvars(job_id="7", attempt_id="8"):
        assert as_text("it failed") == "ERROR a: it failed attempt_id=8 job_id=7\n"
    with bound_contextvars(request_id="9"):
        first, *below = as_text("it failed", error=raised(OSError("why"))).splitlines()
        assert first == "ERROR a: it failed request_id=9"
        assert below[-1] == "OSError: why"
    assert as_text("it failed") == "ERROR a: it failed\n"


def test_json_has_the_time_in_utc_the_level_the_logger_the_message_and_the_ids() -> None:
    with bound_contextvars(request_id="9"):
        told = as_json("größer: %d", 7)
    at = datetime.fromisoformat(told.pop("timestamp"))
    assert at.utcoffset() == timedelta(0)
    assert abs(datetime.now(UTC) - at) < timedelta(minutes=1)
    assert told == {"level": "error", "logger": "a", "event": "größer: 7", "request_id": "9"}
    assert re.search(r'"timestamp": "[^"]+Z"', written("it failed", log_format="json"))


def test_json_has_a_traceback_in_one_member() -> None:
    told = as_json("it failed", error=raised(OSError("why")))
    assert told["event"] == "it failed"
    assert told["exception"].splitlines()[0] == "Traceback (most recent call last):"
    assert told["exception"].splitlines()[-1] == "OSError: why"


@pytest.mark.parametrize("log_format", ["text", "json"])
@pytest.mark.parametrize(
    ("message", "secret"),
    [
        (f"GET /jobs/{KEY} failed", KEY),
        ("no address: postgres://me:opensesame@db.lan/x", "opensesame"),
        ("no address: redis://:opensesame@redis.lan:6379", "opensesame"),
        ("GET /welcome/A-long_token1234 failed", "A-long_token1234"),
        ("Illegal header value b'Bearer opensesame\\n'", "opensesame"),
        ("Illegal header value b'Basic b3BlbnNlc2FtZQ=='", "b3BlbnNlc2FtZQ"),
        ("the token r8_0123456789abcdefghijklmnopqrstuvwxyz is refused", "r8_0123456789"),
        ("signed with whsec_ZGFya3Jvb20=", "ZGFya3Jvb20="),
    ],
)
def test_secrets_are_left_out_of_messages_and_of_tracebacks(message: str, secret: str, log_format: str) -> None:
    for line in (
        written("%s", message, log_format=log_format),
        written("no", log_format=log_format, error=raised(OSError(message))),
    ):
        assert secret not in line
        assert "***" in line


def test_addresses_without_a_password_and_ids_stay_as_they_are() -> None:
    message = "GET http://me.lan:8000/status/019ab0c4-5d1e-7b36-9533-e50ac26d7632?to=a@b.lan failed"
    assert as_text("%s", message) == f"ERROR a: {message}\n"


@pytest.mark.parametrize(
    ("part", "words"), [("web", "The web server could not start"), ("worker", "ended by an error")]
)
def test_a_part_that_cannot_start_tells_why_in_the_format_of_the_log(part: str, words: str, tmp_path: Path) -> None:
    database = tmp_path / "foreign.sqlite"
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("CREATE TABLE person (a)")
    settings = environment(
        tmp_path, f"sqlite:///{database}", f"unix://{tmp_path}/none.sock", "http://127.0.0.1:1",
        PORT=str(free_port()), LOG_FORMAT="json", LOG_LEVEL="info",
    )  # fmt: skip
    command = [sys.executable, "-m", "webapp", part]
    ended = subprocess.run(command, cwd=ROOT, env=settings, capture_output=True, text=True, timeout=60)
    assert ended.returncode != 0
    [told] = [line for line in map(json.loads, ended.stderr.splitlines()) if line["event"].startswith(words)]
    assert "sqlite3.OperationalError: table" in told["exception"]
    assert ended.stdout == ""
