"""The values of `-p name=value`."""

import re
from pathlib import Path
from typing import Any

import pytest

from webapp.cli.parameter_values import metadata, parsed

pytestmark = pytest.mark.once


@pytest.fixture(autouse=True)
def empty() -> None:
    """Leave the tests' own database untouched: no test here uses it."""


def upload(path: Path) -> str:
    return f"/media/{path.name}"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a=512", 512),
        ("a=0.5", 0.5),
        ("a=true", True),
        ("a=null", None),
        ("a=[1, 2]", [1, 2]),
        ('a="512"', "512"),
        ("a=16:9", "16:9"),
        ("a=", ""),
        ("a=b=c", "b=c"),
        ("a=NaN", "NaN"),
        ("a=@there/fox.png", "/media/fox.png"),
        ('a="@fox"', "@fox"),
        ("a[]=@fox.png", ["/media/fox.png"]),
    ],
)
def test_a_value_is_json_or_a_file_or_text(text: str, value: Any) -> None:
    assert parsed([text], upload) == {"a": value}


def test_a_list_is_given_item_by_item() -> None:
    assert parsed(["a[]=1", "b=2", "a[]=@x.png"], upload) == {"a": [1, "/media/x.png"], "b": 2}


@pytest.mark.parametrize("given", [["a=1", "a=2"], ["a=1", "a[]=2"], ["a[]=1", "a=2"], ["a"], ["=1"], ["[]=1"], [""]])
def test_one_that_is_given_twice_or_has_no_name_is_refused(given: list[str]) -> None:
    with pytest.raises(ValueError, match=r"^-p "):
        parsed(given, upload)


def test_nothing_is_uploaded_before_all_are_read() -> None:
    sent: list[Path] = []

    def noted(path: Path) -> str:
        sent.append(path)
        return ""

    with pytest.raises(ValueError, match="NAME=VALUE"):
        parsed(["a=@fox.png", "b"], noted)
    assert sent == []


def test_metadata_is_text() -> None:
    assert metadata(["order=17", "who=@anna", "note=a=b", "none="]) == {
        "order": "17", "who": "@anna", "note": "a=b", "none": "",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("given", "words"),
    [(["order"], "--metadata order: it must be NAME=VALUE."), (["=17"], "--metadata =17: it must be NAME=VALUE."),
     (["order=1", "order=2"], "--metadata order is given more than once.")],
)  # fmt: skip
def test_metadata_that_is_not_clear_is_refused(given: list[str], words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        metadata(given)
