"""The requirements: every installation gets the same versions, from any registry."""

import re
import tomllib
from pathlib import Path

import pytest

from tasks.replicate.client import USER_AGENT
from tasks.settings import ROOT
from webapp.__main__ import main

FILES = sorted(ROOT.glob("requirements*.txt"))


@pytest.fixture(autouse=True)
def empty() -> None:
    """Leave the tests' own database untouched: no test here uses it."""


def test_every_python_gets_the_version_that_was_tested() -> None:
    """The tests run on one version of Python, the image on another."""
    pinned = re.findall(r"^([\w.-]+)==", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    assert sorted(pinned) == sorted(set(pinned))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_no_registry_is_named(file: Path) -> None:
    assert "://" not in file.read_text()


def test_the_version_is_the_one_of_pyproject_wherever_it_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    monkeypatch.setattr("sys.argv", ["darkroom", "--version"])
    with pytest.raises(SystemExit):
        main()
    assert capsys.readouterr().out == f"darkroom {version}\n"
    assert f"darkroom/{version}" == USER_AGENT
