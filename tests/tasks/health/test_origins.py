"""Where the settings in force come from, and that no secret is among them."""

from pathlib import Path

from pydantic import SecretStr

from tasks.health.origins import InForce, Origin, in_force
from tasks.settings import Settings, settings

FILE = "PORT=8001\nTIMEZONE=Europe/Berlin\nTRASH_DAYS=7\nREPLICATE_API_TOKEN=r8_secret\n"


def found(name: str, folder: Path, environment: dict[str, str], now: Settings = settings) -> InForce:
    """Return a setting with the file above as .env."""
    file = folder / ".env"
    file.write_text(FILE)
    [setting] = [each for each in in_force(now, environment, file) if each.name == name]
    return setting


def test_a_value_is_from_the_file_the_environment_or_its_default(tmp_path: Path) -> None:
    environment = {"PORT": "8001", "timezone": "UTC", "LOG_LEVEL": "debug"}
    origins = {name: found(name, tmp_path, environment).origin for name in ("PORT", "TIMEZONE", "LOG_LEVEL", "HOST")}
    assert origins == {
        "PORT": Origin.FILE,
        "TIMEZONE": Origin.ENVIRONMENT,
        "LOG_LEVEL": Origin.ENVIRONMENT,
        "HOST": Origin.DEFAULT,
    }


def test_a_file_that_was_changed_since_the_start_is_noticed(tmp_path: Path) -> None:
    environment = {"PORT": "8001", "TIMEZONE": "UTC"}
    stale = {name for name in ("PORT", "TIMEZONE", "TRASH_DAYS", "HOST") if found(name, tmp_path, environment).stale}
    assert stale == {"TIMEZONE", "TRASH_DAYS"}


def test_every_setting_is_there_and_no_secret(tmp_path: Path) -> None:
    secrets = {
        "replicate_api_token": SecretStr("r8_secret"),
        "replicate_webhook_secret": SecretStr("whsec_secret"),
        "database_url": "postgres://me:secret@db:5432/darkroom?password=secret",
        "redis_url": "redis://:secret@cache:6379/0",
        "storage_url": "s3://key:secret@bucket/prints",
    }
    every = in_force(settings.model_copy(update=secrets), {}, tmp_path / "none")
    assert [each.name.lower() for each in every] == [*Settings.model_fields]
    assert not [each for each in every if "secret" in each.value]
    values = {each.name: each.value for each in every}
    assert values["REPLICATE_API_TOKEN"] == "set, not shown"
    assert values["DATABASE_URL"] == "postgres://***@db:5432/darkroom"
    assert values["PRICE_LOOKUP"] == "false"
