"""The requirements: every installation gets the same versions, from any registry."""

import re
from pathlib import Path

import pytest

from tasks.settings import ROOT

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
