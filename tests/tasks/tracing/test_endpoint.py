"""Tracing is on where an endpoint is set and the packages are there; else it costs nothing, or nothing starts."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tasks.settings import ROOT
from tests.servers import free_port

pytestmark = pytest.mark.once

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
LOADED = """
import sys
import webapp.app, tasks.worker.process
names = ("tasks.tracing.recorder", "opentelemetry.exporter", "opentelemetry.instrumentation")
print([module for module in sys.modules if module.startswith(names)])
"""


@pytest.fixture(autouse=True)
def empty() -> None:
    """Leave the tests' own database untouched: no test here uses it."""


def started(folder: Path, part: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Start a part of Darkroom that cannot run, and return how it ended."""
    own = {
        "DATA_DIR": str(folder), "STORAGE_URL": str(folder / "media"), "PORT": str(free_port()),
        "DATABASE_URL": f"sqlite:///{folder}/traced.sqlite",
    }  # fmt: skip
    command = [sys.executable, "-m", "webapp", part]
    return subprocess.run(command, cwd=ROOT, env=os.environ | own | more, capture_output=True, text=True, timeout=60)


def test_without_an_endpoint_nothing_of_opentelemetry_is_loaded_for_it() -> None:
    said = subprocess.run([sys.executable, "-c", LOADED], cwd=ROOT, capture_output=True, text=True)
    assert (said.stdout.strip(), said.stderr) == ("[]", "")


@pytest.mark.parametrize("part", ["up", "web", "worker"])
def test_where_packages_are_missing_nothing_starts_and_a_line_says_which(part: str, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['opentelemetry.exporter'] = None\n")
    ended = started(tmp_path, part, PYTHONPATH=str(tmp_path), **{ENDPOINT: "http://127.0.0.1:4318"})
    assert ended.returncode == 2
    assert ended.stderr == f"darkroom: {ENDPOINT}: sending traces needs more packages: pip install 'darkroom[otel]'\n"


def test_an_endpoint_that_is_no_url_is_refused_also_if_it_is_in_the_env_file(tmp_path: Path) -> None:
    (tmp_path / "env").write_text(f"{ENDPOINT}=collector:4318\n")
    ended = started(tmp_path, "worker", DARKROOM_ENV_FILE=str(tmp_path / "env"))
    assert ended.returncode == 2
    assert ended.stderr == f"darkroom: {ENDPOINT}=collector:4318: must be a URL that starts with http:// or https://\n"
