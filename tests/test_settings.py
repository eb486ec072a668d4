"""The settings, .env.example and docs/settings.md agree, and an invalid setting is refused in one line."""

import os
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import pytest
from pydantic import SecretStr
from redis.asyncio.connection import parse_url

from tasks.settings import ROOT, Settings, SettingsError, load

LINE = re.compile(r"^#([A-Z_]+)=(.*)$", re.MULTILINE)
ROW = re.compile(r"^\| `([A-Z_]+)` \| ([^|]*) \|", re.MULTILINE)

WRONG = {
    "PORT": ["http", "0", "70000", "80.5"],
    "STANDIN_PORT": ["-1"],
    "PUBLIC_URL": [
        "darkroom.example.org",
        "https://",
        "https://example.org:port",
        "https://exa mple.org",
        "https://[::1",
        "https://example.org/darkroom",
        "https://example.org/darkroom/",
        "https://example.org?darkroom",
        "https://example.org/#darkroom",
    ],
    "ALLOWED_HOSTS": ["*", "*.example.org", "https://example.org", "example.org:8000", "a b", "nas.lan, b/c"],
    "REPLICATE_API_URL": ["ftp://api.replicate.com", "https://api.replicate.com:v1"],
    "STANDIN_CONTROL": ["perhaps"],
    "STANDIN_URL": ["127.0.0.1:8010"],
    "DATABASE_URL": ["mysql://localhost/darkroom", "sqlite:///", "postgres://[::1/x"],
    "REDIS_URL": ["localhost:6379", "redis://localhost:none", "redis://localhost:70000"],
    "STORAGE_URL": ["ftp://files.example.org"],
    "DEFAULT_MODEL": ["sdxl", "a/b/c", "stability-ai/sdxl:latest"],
    "MAX_OUTPUT_MIB": ["0"],
    "EMBED_METADATA": ["perhaps"],
    "MAX_WAITING": ["0", "many"],
    "MAX_WAITING_PER_CLIENT": ["0"],
    "SUBMISSIONS_PER_MINUTE": ["0", "many"],
    "MAX_UPLOADS_MIB_PER_CLIENT": ["0"],
    "TRUSTED_PROXIES": ["proxy", "10.0.0.1, 10.0.0.0/33", "*"],
    "WEBHOOK_ALLOWED_HOSTS": ["*", "https://example.org", "receiver.lan:8080", "a b", "10.0.0.1, 10.0.0.0/33"],
    "TRUSTED_USER_HEADER": ["Remote User", "X-User:"],
    "TRUSTED_SIGNUP": ["perhaps"],
    "OPEN_ACCESS": ["everyone", "true"],
    "WORKER_CONCURRENCY": ["0", "many"],
    "PRICE_LOOKUP": ["perhaps"],
    "UNPRICED": ["free"],
    "CEILING_PER_JOB": ["0", "-1", "1001", "0.0000001", "much", "NaN"],
    "TIMEZONE": ["Middle-earth", "../etc/passwd", "/etc/localtime"],
    "CREATES_PER_MINUTE": ["0"],
    "MAX_ATTEMPTS": ["0", "21"],
    "PREDICTION_TIMEOUT": ["1"],
    "FINISH_WITHIN": ["0", "soon"],
    "LEASE_SECONDS": ["1"],
    "LOG_LEVEL": ["loud"],
    "LOG_FORMAT": ["xml"],
}


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in _defaults():
        monkeypatch.delenv(name, raising=False)


def test_env_example_shows_every_setting_with_its_default() -> None:
    assert dict(LINE.findall((ROOT / ".env.example").read_text())) == _defaults()


def test_the_docs_have_a_row_for_every_setting_with_its_default() -> None:
    table = (ROOT / "docs" / "settings.md").read_text()
    rows = {name: default.strip().strip("`") for name, default in ROW.findall(table)}
    defaults = _defaults()
    assert rows.keys() == defaults.keys()
    assert {name: rows[name] for name, default in defaults.items() if default} == {
        name: default for name, default in defaults.items() if default
    }


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in WRONG.items() for value in values])
def test_a_wrong_setting_is_named_in_one_line(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=rf"^{name}={re.escape(value)}: must ") as refusal:
        load()
    assert "\n" not in str(refusal.value)


def test_all_wrong_settings_are_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "http")
    monkeypatch.setenv("LOG_LEVEL", "loud")
    with pytest.raises(SettingsError, match=r"^PORT=http: .*; LOG_LEVEL=loud: "):
        load()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "mysql://me:secret@localhost/darkroom"),
        ("DATABASE_URL", "postgres://me:1/secret@localhost/darkroom"),
        ("DATABASE_URL", "postgres://me:1?secret@localhost/darkroom"),
        ("DATABASE_URL", "postgres://me:1#secret@localhost/darkroom"),
        ("REDIS_URL", "me:secret@localhost:6379"),
        ("REDIS_URL", "redis://:1/secret@localhost:6379"),
        ("PUBLIC_URL", "https://me:secret@darkroom.example.org"),
        ("PUBLIC_URL", "https://:secret@darkroom.example.org"),
    ],
)
def test_a_refused_address_does_not_give_its_password_away(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=f"^{name}=.*: must ") as refusal:
        load()
    assert "secret" not in str(refusal.value)


def test_a_public_url_with_a_path_is_told_that_it_needs_a_host_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PUBLIC_URL", "https://example.org/darkroom")
    with pytest.raises(SettingsError, match="a host name without a path"):
        load()


@pytest.mark.parametrize(
    ("value", "address"),
    [
        ("https://darkroom.example.org/", "https://darkroom.example.org"),
        ("https://Darkroom.Example.org:443", "https://darkroom.example.org"),
        ("http://darkroom.example.org:8080", "http://darkroom.example.org:8080"),
        ("https://dünkel.example.org", "https://xn--dnkel-kva.example.org"),
        ("http://[::1]:8000", "http://[::1]:8000"),
    ],
)
def test_the_public_url_is_kept_as_browsers_say_it(value: str, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PUBLIC_URL", value)
    assert load().public_url == address


@pytest.mark.parametrize(
    "value",
    [
        "postgres://me:p%40%2F%3A%23@localhost/x",
        "postgres://me:p@ss@localhost/x",
        "postgres://one:5432,other:5432/x",
        "postgres:///x?host=/tmp&user=me@here",
    ],
)
def test_an_address_of_a_database_may_hold_any_password(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", value)
    assert load().database_url == value


def test_an_empty_setting_means_its_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "")
    assert load().port == 8000


def test_without_a_token_the_stand_in_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load().api_url == "http://127.0.0.1:8010/v1"
    monkeypatch.setenv("STANDIN_URL", "http://standin:8010/v1/")
    assert load().api_url == "http://standin:8010/v1"
    monkeypatch.setenv("REPLICATE_API_TOKEN", "r8_token")
    assert load().api_url == "https://api.replicate.com/v1"
    monkeypatch.setenv("REPLICATE_API_URL", "https://replicate.example.org/v1")
    assert load().api_url == "https://replicate.example.org/v1"


def test_settings_are_read_from_the_env_file_and_the_environment_goes_first(tmp_path: Path) -> None:
    file = tmp_path / "env"
    file.write_text("PORT=9001\nLOG_LEVEL=debug\n")
    code = "from tasks.settings import settings; print(settings.port, settings.log_level)"
    environment = {**os.environ, "DARKROOM_ENV_FILE": str(file), "PORT": "9002"}
    environment.pop("LOG_LEVEL", None)
    said = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert said.stdout.split() == ["9002", "debug"]


def test_what_may_hold_a_password_is_not_shown() -> None:
    shown = repr(
        Settings(
            database_url="postgres://me:opensesame@host/name",
            redis_url="redis://:opensesame@host",
            replicate_api_token=SecretStr("opensesame"),
        )
    )
    assert "opensesame" not in shown


@pytest.mark.parametrize("folder", ["/srv/a b", "/srv/#1", "/srv/why?", "/srv/50%", "/srv/%20", "/srv/ü"])
def test_folders_may_have_any_name(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATA_DIR", folder)
    monkeypatch.setenv("STORAGE_URL", f"{folder}/media")
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{folder}/x.sqlite")
    settings = load()
    assert parse_url(settings.queue_url)["path"] == f"{folder}/valkey.sock"
    assert settings.storage_folder == Path(folder, "media")
    assert settings.sqlite_path == Path(folder, "x.sqlite")
    monkeypatch.setenv("STORAGE_URL", f"file://{quote(folder)}/media")
    assert load().storage_folder == Path(folder, "media")


def test_data_dir_moves_everything_that_is_not_placed_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load()
    assert settings.sqlite_path == ROOT / "data" / "darkroom.sqlite"
    assert settings.storage_folder == ROOT / "media"
    monkeypatch.setenv("DATA_DIR", "/srv/dark room")
    settings = load()
    assert settings.sqlite_path == Path("/srv/dark room/darkroom.sqlite")
    assert settings.storage_folder == Path("/srv/dark room/media")
    monkeypatch.setenv("DATABASE_URL", "sqlite:///elsewhere/x.sqlite")
    monkeypatch.setenv("STORAGE_URL", "s3://bucket")
    settings = load()
    assert settings.sqlite_path == ROOT / "elsewhere" / "x.sqlite"
    assert settings.storage_folder is None


def _defaults() -> dict[str, str]:
    """Return every setting's default, as it is written in the environment."""
    return {name.upper(): _written(field.get_default()) for name, field in Settings.model_fields.items()}


def _written(default: object) -> str:
    if isinstance(default, bool):
        return str(default).lower()
    return "" if "SecretStr" in type(default).__name__ else str(default)


@pytest.mark.parametrize("secret", ["hunter2", "whsec_", "whsec_$$$"])
def test_a_wrong_secret_is_named_but_not_shown(secret: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REPLICATE_WEBHOOK_SECRET", secret)
    with pytest.raises(SettingsError, match=r"^REPLICATE_WEBHOOK_SECRET=\*\*\*: must be whsec_ and a base64 key$"):
        load()


def test_darkroom_is_known_by_its_host_its_public_url_and_what_is_allowed() -> None:
    known = Settings(host="Pictures.lan", public_url="https://Darkroom.Example.org", allowed_hosts="NAS, fd00::5 ,")
    assert known.host_names == {"pictures.lan", "darkroom.example.org", "nas", "fd00::5"}
