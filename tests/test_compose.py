"""docker-compose.yml as Compose reads it: .env is used, and no service waits for a stand-in that is not needed."""

import re
from collections.abc import Mapping
from typing import Any

import pytest
import yaml

from tasks.settings import ROOT, Settings

OWN = {"HOST", "PORT", "DATA_DIR", "STANDIN_PORT"}
"""The settings with fixed values inside the containers, whatever .env says."""
DARKROOM = ("migrate", "web", "worker", "standin")
PASSWORD = "p@s/s:w#o%r$d ${x} 'ü\""
VARIABLE = re.compile(r"\$(?:\$|(\w+)|\{(\w+)(?::-)?)")


@pytest.fixture(autouse=True)
def empty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the tests' own database untouched, and remove their settings from the environment."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


def services(**dotenv: str) -> dict[str, Any]:
    """Return the services, given the lines of .env."""
    return dict(resolved(yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"], dotenv))


def resolved(node: Any, variables: Mapping[str, str]) -> Any:
    if isinstance(node, dict):
        return {name: resolved(value, variables) for name, value in node.items()}
    if isinstance(node, list):
        return [resolved(value, variables) for value in node]
    return interpolated(node, variables) if isinstance(node, str) else node


def interpolated(text: str, variables: Mapping[str, str]) -> str:
    """Expand the Compose Specification's $$, $NAME, ${NAME} and ${NAME:-default}. A default may contain others."""
    found = VARIABLE.search(text)
    if found is None:
        return text
    default, rest = "", text[found.end() :]
    if found[2]:
        inner, depth = "", 1
        while depth:
            assert rest, f"a brace is not closed in {text}"
            depth += {"{": 1, "}": -1}.get(rest[0], 0)
            inner, rest = inner + rest[0], rest[1:]
        default = inner[:-1]
    name = found[1] or found[2]
    value = (variables.get(name) or interpolated(default, variables)) if name else "$"
    return text[: found.start()] + value + interpolated(rest, variables)


def settings(**environment: str) -> Settings:
    values: dict[str, Any] = {name.lower(): value for name, value in environment.items()}
    return Settings(**values)


@pytest.mark.parametrize("service", DARKROOM)
def test_without_a_dot_env_the_services_of_here_are_used(service: str) -> None:
    environment = services()[service]["environment"]
    found = settings(**environment)
    assert found.database_url == "postgres://darkroom@postgres:5432/darkroom"
    assert found.redis_url == "redis://valkey:6379/0"
    assert found.storage_url == "/app/media"
    assert (found.standin, found.api_url) == (True, "http://standin:8010/v1")
    assert environment["PGPASSWORD"] == services()["postgres"]["environment"]["POSTGRES_PASSWORD"] == "darkroom"


@pytest.mark.parametrize("service", DARKROOM)
def test_a_password_may_hold_any_sign(service: str) -> None:
    found = services(POSTGRES_PASSWORD=PASSWORD)
    assert found[service]["environment"]["PGPASSWORD"] == PASSWORD
    assert found["postgres"]["environment"]["POSTGRES_PASSWORD"] == PASSWORD
    assert settings(**found[service]["environment"]).database_url == "postgres://darkroom@postgres:5432/darkroom"


@pytest.mark.parametrize("service", DARKROOM)
def test_what_dot_env_says_of_a_setting_is_used(service: str) -> None:
    names = {name.upper() for name in Settings.model_fields}
    said = {name: f"{name} of .env" for name in [*names, "PGPASSWORD"]}
    environment = services(**said)[service]["environment"]  # settings that it does not name come from .env unchanged
    assert {name for name in names & environment.keys() if environment[name] != said[name]} == OWN
    assert environment["PGPASSWORD"] == said["PGPASSWORD"]
    assert services()[service]["env_file"] == [{"path": ".env", "required": False}]


def test_with_a_token_the_stand_in_ends_and_nothing_minds() -> None:
    found = services(REPLICATE_API_TOKEN="r8_token")
    assert not settings(**found["standin"]["environment"]).needs_standin
    assert found["standin"]["command"] == ["sh", "-c", "darkroom standin && exec sleep infinity"]
    assert "$REPLICATE_API_TOKEN" in found["standin"]["healthcheck"]["test"][1]
    assert [name for name, service in found.items() if "standin" in service.get("depends_on", {})] == []


def test_no_service_may_do_more_than_it_has_to() -> None:
    for name, service in services().items():
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert service.get("read_only", False) is (name != "postgres")
        assert ("cap_add" in service) is (name in ("postgres", "valkey"))


def test_what_is_written_for_a_while_is_written_to_a_disk() -> None:
    for name in DARKROOM:
        service = services()[name]
        assert f"data:{service['environment']['TMPDIR']}" in service["volumes"]


def test_what_is_waited_for_is_there_and_can_become_so() -> None:
    found = services()
    for service in found.values():
        for name, wait in service.get("depends_on", {}).items():
            if wait["condition"] == "service_healthy":
                assert "test" in found[name]["healthcheck"]
            else:
                assert (wait["condition"], found[name]["restart"]) == ("service_completed_successfully", "no")


def test_interpolation_reads_as_compose_does() -> None:
    variables = {"A": "a", "EMPTY": "", "DOLLARS": "$A ${A}"}
    for text, value in {
        "$A-${A}": "a-a",
        "${EMPTY:-b}/${ABSENT:-${A}}/${ABSENT:-${EMPTY:-c}}d": "b/a/cd",
        "$$A ${DOLLARS}": "$A $A ${A}",
    }.items():
        assert interpolated(text, variables) == value
