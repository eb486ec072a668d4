"""Saves a file under the readable name that Darkroom gives it, and never over another."""

import re
from itertools import count
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote

from webapp.client.connection import Connection

NAME = re.compile(r"filename\*=UTF-8''([^;]+)|filename=\"([^\"]+)\"")  # RFC 6266


def save(connection: Connection, path: str, folder: Path) -> Path:
    """Download a file into a folder, which is made if needed. Returns its path: `fox.png`, or else `fox (2).png`.

    Raises as every call does, and OSError. A download that fails leaves no file.
    """
    return connection.repeated(lambda: _saved(connection, path, folder))


def _saved(connection: Connection, path: str, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    with connection.opened("GET", path, params={"download": ""}) as response:
        name = _name(response.headers.get("Content-Disposition", "")) or Path(path).name
        file, target = _created(folder, name)
        try:
            with file:
                for piece in response.iter_bytes():
                    file.write(piece)
        except BaseException:
            target.unlink()
            raise
    return target


def _name(disposition: str) -> str:
    """Return the name of a file, without a folder. Returns an empty one where there is none."""
    names = {bool(wide): unquote(wide) or plain for wide, plain in NAME.findall(disposition)}
    name = names.get(True) or names.get(False) or ""
    name = "".join(sign for sign in name.replace("\\", "/").rpartition("/")[2] if sign.isprintable())
    return name.lstrip(".")


def _created(folder: Path, name: str) -> tuple[BinaryIO, Path]:
    """Create a new file. Returns it, open for writing, with its path."""
    plain = Path(name)
    for number in count(1):
        target = folder / (name if number == 1 else f"{plain.stem} ({number}){plain.suffix}")
        try:
            return target.open("xb"), target
        except FileExistsError:
            continue
    raise AssertionError("there are endless numbers")
