"""A file gets the name that the server gives it, and stays in the folder that the caller gives."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.webapp.client.conftest import answering
from webapp.client.connection import Connection
from webapp.client.downloads import save
from webapp.client.exceptions import Unreachable

pytestmark = pytest.mark.once


def saved(folder: Path, disposition: str | None) -> str:
    headers = {} if disposition is None else {"Content-Disposition": disposition}
    connection = Connection("http://there", None, answering(httpx.Response(200, headers=headers, content=b"a fox")))
    path = save(connection, "/media/019a.png", folder)
    assert path.read_bytes() == b"a fox"
    assert path.parent == folder
    return path.name


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        ('attachment; filename="a-fox.png"', "a-fox.png"),
        ("attachment; filename=\"fuchs.png\"; filename*=UTF-8''f%C3%BCchse.png", "füchse.png"),
        ('attachment; filename="../../fox.png"', "fox.png"),
        ("attachment; filename*=UTF-8''..%2F..%5Cfox%0A.png", "fox.png"),
        ('attachment; filename="..."', "019a.png"),
        ('attachment; filename=".bashrc"', "bashrc"),
        ('attachment; filename="/"', "019a.png"),
        ("attachment", "019a.png"),
        (None, "019a.png"),
    ],
)
def test_a_name_is_one_in_the_folder(disposition: str | None, name: str, tmp_path: Path) -> None:
    assert saved(tmp_path, disposition) == name


def test_a_file_without_an_ending_is_numbered_too(tmp_path: Path) -> None:
    names = [saved(tmp_path, 'attachment; filename="fox"') for _ in range(2)]
    assert names == ["fox", "fox (2)"]


def test_a_download_that_fails_in_the_end_leaves_no_file(tmp_path: Path) -> None:
    def body() -> Iterator[bytes]:
        yield b"a f"
        raise httpx.ReadError("The connection was cut.")

    transport = answering(lambda _: httpx.Response(200, content=body()))
    connection = Connection("http://there", None, transport, sleep=lambda _: None)
    with pytest.raises(Unreachable):
        save(connection, "/media/019a.png", tmp_path)
    assert list(tmp_path.iterdir()) == []
