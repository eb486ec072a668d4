"""Every setting of Darkroom: read once from the environment and .env, checked, frozen."""

import os
import re
from base64 import b64decode
from ipaddress import ip_network
from pathlib import Path
from typing import Literal
from urllib.parse import quote, unquote, urlsplit

from dotenv import load_dotenv
from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_core import ErrorDetails, Url
from pydantic_settings import BaseSettings, SettingsConfigDict

ROOT = Path(__file__).resolve().parent.parent
ENV_FILE = Path(os.environ.get("DARKROOM_ENV_FILE") or ROOT / ".env")  # tests name another one

STORES = ("file://", "s3://", "gs://", "az://")
HOST_NAME = re.compile(r"[A-Za-z0-9._-]+|[0-9a-fA-F:]+")
MODEL_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*(:[0-9a-f]{64})?$"


class SettingsError(ValueError):
    """A setting is nonsense. The message is one line that names it."""


class Settings(BaseSettings):
    """The settings, by the names they have in the environment. Relative paths start at the checkout."""

    model_config = SettingsConfigDict(
        env_file=ENV_FILE, env_ignore_empty=True, extra="ignore", frozen=True, validate_default=True
    )

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=1, le=65535)
    public_url: str = ""
    allowed_hosts: str = ""
    data_dir: Path = Path("data")
    database_url: str = Field(default="sqlite:///data/darkroom.sqlite", repr=False)  # may hold a password
    redis_url: str = Field(default="", repr=False)
    storage_url: str = "media"
    replicate_api_token: SecretStr = SecretStr("")
    replicate_api_url: str = ""
    replicate_webhook_secret: SecretStr = SecretStr("")
    standin_port: int = Field(default=8010, ge=1, le=65535)
    standin_url: str = ""
    standin_control: bool = False
    default_model: str = Field(default="stability-ai/sdxl", pattern=MODEL_NAME)
    output_hosts: str = "replicate.delivery"
    max_output_mib: int = Field(default=512, ge=1)
    embed_metadata: bool = True
    max_upload_mib: int = Field(default=100, ge=1)
    max_waiting: int = Field(default=100_000, ge=1)
    max_waiting_per_client: int = Field(default=20_000, ge=1)
    trusted_proxies: str = ""
    max_uploads_mib: int = Field(default=10240, ge=1)
    worker_concurrency: int = Field(default=100, ge=1, le=5000)
    creates_per_minute: int = Field(default=600, ge=1)
    max_attempts: int = Field(default=5, ge=1, le=20)
    prediction_timeout: int = Field(default=1800, ge=5, le=86400)
    finish_within: int = Field(default=86400, ge=5, le=30 * 86400)
    lease_seconds: int = Field(default=30, ge=3, le=3600)
    trash_days: int = Field(default=30, ge=1, le=3650)
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @field_validator("log_level", mode="before")
    @classmethod
    def _lower(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value

    @field_validator("data_dir")
    @classmethod
    def _from_the_checkout(cls, value: Path) -> Path:
        return ROOT / value.expanduser()

    @field_validator("database_url")
    @classmethod
    def _known_database(cls, value: str) -> str:
        if not value.startswith(("sqlite:///", "postgres://", "postgresql://")):
            raise ValueError("must start with sqlite:/// or postgres://")
        if value == "sqlite:///":
            raise ValueError("must name a file, as sqlite:///data/darkroom.sqlite does")
        return value if value.startswith("sqlite") else _with_readable_password(value)

    @field_validator("redis_url")
    @classmethod
    def _known_redis(cls, value: str) -> str:
        if value and not value.startswith(("redis://", "rediss://", "unix://")):
            raise ValueError("must start with redis://, rediss:// or unix://")
        try:
            _ = urlsplit(value).port
        except ValueError:
            raise ValueError("must have a port from 0 to 65535") from None
        return _with_readable_password(value)

    @field_validator("storage_url")
    @classmethod
    def _known_storage(cls, value: str) -> str:
        if "://" in value and not value.startswith(STORES):
            raise ValueError(f"must be a folder, or start with one of {', '.join(STORES)}")
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _addresses(cls, value: str) -> str:
        for address in _listed(value):
            try:
                ip_network(address)
            except ValueError:
                raise ValueError("must be addresses or networks, with commas between") from None
        return value

    @field_validator("replicate_webhook_secret")
    @classmethod
    def _whsec(cls, value: SecretStr) -> SecretStr:
        kind, _, key = value.get_secret_value().partition("_")
        try:
            if value.get_secret_value() and (kind != "whsec" or not b64decode(key, validate=True)):
                raise ValueError
        except ValueError:
            raise ValueError("must be whsec_ and a key in base64") from None
        return value

    @field_validator("public_url", "replicate_api_url", "standin_url")
    @classmethod
    def _web_address(cls, value: str) -> str:
        if value and not (value.startswith(("http://", "https://")) and _parsed(value)):
            raise ValueError("must be a web address that starts with http:// or https://")
        return value.rstrip("/")

    @field_validator("public_url")
    @classmethod
    def _host_of_its_own(cls, value: str) -> str:
        url = _parsed(value)
        if url is None:
            return value
        if url.username or url.password or (url.path, url.query, url.fragment) != ("/", None, None):
            raise ValueError("must be a host name of its own: https://darkroom.example.org, and nothing after that")
        return str(url).rstrip("/")  # as browsers write it: in lower case and ASCII, without the port that is usual

    @field_validator("allowed_hosts")
    @classmethod
    def _names(cls, value: str) -> str:
        for name in _listed(value):
            if not HOST_NAME.fullmatch(name):
                raise ValueError("must be names of servers with commas between, without a port")
        return value

    @property
    def host_names(self) -> frozenset[str]:
        """The names that this Darkroom is known by, in lower case. Those of loopback are not among them."""
        own = (self.host, urlsplit(self.public_url).hostname or "", *_listed(self.allowed_hosts))
        return frozenset(name.lower() for name in own if name)

    @property
    def standin(self) -> bool:
        """Whether pictures are drawn by the stand-in: so it is where no token is set."""
        return not self.replicate_api_token.get_secret_value()

    @property
    def needs_standin(self) -> bool:
        """Whether a stand-in on STANDIN_PORT may be asked: so it is without a token, or as REPLICATE_API_URL."""
        return self.standin or urlsplit(self.replicate_api_url).port == self.standin_port

    @property
    def api_url(self) -> str:
        """Where Replicate's API is, or the stand-in's, with its /v1 and without a slash at the end."""
        if self.replicate_api_url:
            return self.replicate_api_url
        if not self.standin:
            return "https://api.replicate.com/v1"
        return self.standin_url or f"http://127.0.0.1:{self.standin_port}/v1"

    @property
    def webhooks(self) -> str | None:
        """Where Replicate's webhooks come in, or None where it cannot reach us: it takes https only."""
        own = self.standin or self.replicate_api_url
        if self.public_url.startswith("https://") or (self.public_url and own):
            return f"{self.public_url}/webhooks/replicate"
        return None

    @property
    def queue_url(self) -> str:
        """Where Redis is: REDIS_URL, else the embedded server's socket."""
        return self.redis_url or f"unix://{quote(str(self.valkey_socket))}"

    @property
    def redis_place(self) -> str:
        """Where Redis is, as people are told: without a password."""
        return re.sub(r"//.*@", "//***@", self.queue_url.partition("?")[0])

    @property
    def valkey_socket(self) -> Path:
        """The embedded server's Unix socket, unless its name is too long for the system: see webapp/up.py."""
        return self.data_dir / "valkey.sock"

    @property
    def sqlite_path(self) -> Path | None:
        """The SQLite file, or None where the database is PostgreSQL."""
        if not self.database_url.startswith("sqlite:///"):
            return None
        return ROOT / self.database_url.removeprefix("sqlite:///")

    @property
    def storage_folder(self) -> Path | None:
        """The folder of the finished files, or None where they are in a bucket."""
        return folder_of(self.storage_url)


def _listed(names: str) -> list[str]:
    return [name.strip() for name in names.split(",") if name.strip()]


def _parsed(address: str) -> Url | None:
    try:
        return Url(address)
    except ValidationError:
        return None


def _with_readable_password(url: str) -> str:
    """The URL. Raises ValueError where a sign of its password would end its host."""
    try:
        parts = urlsplit(url)
    except ValueError:
        raise ValueError("must be an address") from None
    if "#" in url or ("@" in (parts.path or parts.query) and "@" not in parts.netloc):
        raise ValueError("must be written with %23 for #, %2F for /, %3F for ? and %25 for % in a password")
    return url


def folder_of(storage_url: str) -> Path | None:
    """The folder that a STORAGE_URL names, or None where it names none. A path is taken as it is, a URL unquoted."""
    if storage_url.startswith("file://"):
        storage_url = unquote(storage_url.removeprefix("file://"))
    elif "://" in storage_url:
        return None
    return ROOT / Path(storage_url).expanduser()


def load() -> Settings:
    """Read the settings. Raises SettingsError with one line that names every setting that is nonsense.

    What .env says besides is put into the environment, where it is not yet: that is where libraries look (obstore for
    AWS_ACCESS_KEY_ID, say), and so .env does the same with `make run` as with docker compose.
    """
    try:
        load_dotenv(ENV_FILE)
        return Settings()
    except ValidationError as error:
        raise SettingsError("; ".join(_line(fault) for fault in error.errors())) from None
    except OSError as error:
        raise SettingsError(f"{ENV_FILE}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{ENV_FILE}: is not text in UTF-8") from None


def _line(fault: ErrorDetails) -> str:
    name = str(fault["loc"][0]).upper()
    value = re.sub(r"^(.*?//)?.*@", r"\1***@", str(fault["input"]))  # an address may hold a password
    if name.endswith("_SECRET"):
        value = "***"
    message = fault["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
    if fault["type"] == "int_parsing":
        message = "must be a whole number"
    if fault["type"] == "string_pattern_mismatch":
        message = "must be owner/name or owner/name:version"
    return f"{name}={value.encode('unicode_escape').decode()}: {message}"


settings = load()
