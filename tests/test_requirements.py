"""What is installed: the same for everybody, from wherever they get it."""

import re
from pathlib import Path

import pytest

from tasks.settings import ROOT

FILES = sorted(ROOT.glob("requirements*.txt"))


@pytest.fixture(autouse=True)
def empty() -> None:
    """Nothing here touches the tests' own database."""


def test_every_python_gets_the_version_that_was_tested() -> None:
    """The tests run on one Python, the image on another."""
    pinned = re.findall(r"^([\w.-]+)==", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    assert sorted(pinned) == sorted(set(pinned))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_no_registry_is_named(file: Path) -> None:
    assert "://" not in file.read_text()
