"""What is in force and where it comes from: each setting with its value, without secrets, and its origin."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from dotenv import dotenv_values
from pydantic import SecretStr

from tasks.settings import ENV_FILE, Settings, without_secrets


class Origin(StrEnum):
    """Where a value comes from. The environment wins over .env."""

    ENVIRONMENT = "environment"
    FILE = ".env"
    DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class InForce:
    """A setting. value: in words, "" for none. stale: whether .env has another value now, which a restart may bring."""

    name: str
    value: str
    origin: Origin
    stale: bool


def in_force(
    settings: Settings, environment: Mapping[str, str] = os.environ, file: Path = ENV_FILE
) -> Sequence[InForce]:
    """Return all settings in their order.

    `load` copies .env into the environment, from where all parts of Darkroom get it. So a value that both have is taken
    to be from .env.
    """
    try:
        written = {name.upper(): value or "" for name, value in dotenv_values(file).items()}
    except (OSError, UnicodeDecodeError):
        written = {}
    given = {name.upper(): value for name, value in environment.items()}
    return [
        _setting(name.upper(), getattr(settings, name), given.get(name.upper(), ""), written.get(name.upper(), ""))
        for name in Settings.model_fields
    ]


def _setting(name: str, value: Any, given: str, written: str) -> InForce:
    origin = Origin.DEFAULT if not given else Origin.FILE if given == written else Origin.ENVIRONMENT
    return InForce(name, _words(value), origin, stale=bool(written) and given != written)


def _words(value: Any) -> str:
    if isinstance(value, SecretStr):
        return "set, not shown" if value.get_secret_value() else ""
    if isinstance(value, bool):
        return str(value).lower()
    text = str(value)
    return without_secrets(text) if "//" in text else text
