"""Whether spans are recorded: if a variable of OpenTelemetry's says where to send them, and its packages are there."""

import os
from importlib.util import find_spec

from tasks.settings import SettingsError  # this also adds what is in .env to the environment

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
PACKAGES = (
    "opentelemetry.sdk",
    "opentelemetry.exporter.otlp.proto.http",
    "opentelemetry.instrumentation.httpx",
    "opentelemetry.instrumentation.redis",
)


def check() -> None:
    """Raise SettingsError, with one line, when spans are to be sent somewhere and cannot be."""
    for name in _wanted():
        if not os.environ[name].startswith(("http://", "https://")):
            raise SettingsError(f"{name}={os.environ[name]}: must be a URL that starts with http:// or https://")
        if not _installed():
            raise SettingsError(f"{name}: sending traces needs more packages: pip install 'darkroom[otel]'")


def _wanted() -> list[str]:
    return [name for name in ENDPOINTS if os.environ.get(name)]


def _installed() -> bool:
    try:
        return all(find_spec(package) for package in PACKAGES)
    except ModuleNotFoundError:  # not even the package that it is in
        return False


ON = bool(_wanted()) and _installed()
