"""The values of `-p name=value`: JSON where it is JSON, a file where it begins with @, and text otherwise.

Those of `--metadata name=value` are text.
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec


def parsed(given: Iterable[str], upload: Callable[[Path], str]) -> dict[str, Any]:
    """Return parameters by their names. upload: stores a file, and returns its address.

    `name[]=value` adds to a list. Raises ValueError, with a line for people, and what `upload` raises.
    """
    pairs = [_pair(text, "-p") for text in given]
    parameters: dict[str, Any] = {}
    for name, text in pairs:
        item = name.endswith("[]")
        name = name.removesuffix("[]")
        if name in parameters and not (item and isinstance(parameters[name], list)):
            raise ValueError(f"-p {name} is given more than once.")
        value = _value(text, upload)
        parameters[name] = [*parameters.get(name, ()), value] if item else value
    return parameters


def metadata(given: Iterable[str]) -> dict[str, str]:
    """Return metadata by their names. Raises ValueError, with a line for people."""
    pairs: dict[str, str] = {}
    for text in given:
        name, value = _pair(text, "--metadata")
        if name in pairs:
            raise ValueError(f"--metadata {name} is given more than once.")
        pairs[name] = value
    return pairs


def _pair(text: str, option: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name.removesuffix("[]") or not equals:
        raise ValueError(f"{option} {text}: it must be NAME=VALUE.")
    return name, value


def _value(text: str, upload: Callable[[Path], str]) -> Any:
    if text.startswith("@"):
        return upload(Path(text[1:]).expanduser())
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text
