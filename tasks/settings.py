"""Every setting of Darkroom: read once from the environment and .env, validated and frozen."""

import os
import re
from base64 import b64decode
from decimal import Decimal
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Literal
from urllib.parse import quote, unquote, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dotenv import load_dotenv
from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_core import ErrorDetails, Url
from pydantic_settings import BaseSettings, SettingsConfigDict

ROOT = Path(__file__).resolve().parent.parent
ENV_FILE = Path(os.environ.get("DARKROOM_ENV_FILE") or ROOT / ".env")  # tests use another one

PRICE_PAGES = "https://replicate.com"  # each model's page is below it
STORES = ("file://", "s3://", "gs://", "az://")
HOST_NAME = re.compile(r"[A-Za-z0-9._-]+|[0-9a-fA-F:]+")
MODEL_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*(:[0-9a-f]{64})?$"


class SettingsError(ValueError):
    """The error of an invalid setting. The message is one line that names the setting."""


class Settings(BaseSettings):
    """The settings, by their names in the environment. Relative paths start at the checkout.

    An empty DATABASE_URL is `darkroom.sqlite` in DATA_DIR. An empty STORAGE_URL is `media` in DATA_DIR or, with the
    default DATA_DIR, beside it.
    """

    model_config = SettingsConfigDict(
        env_file=ENV_FILE, env_ignore_empty=True, extra="ignore", frozen=True, validate_default=True
    )

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=1, le=65535)
    public_url: str = ""
    allowed_hosts: str = ""
    open_access: Literal["", "anyone"] = ""
    trusted_user_header: str = Field(default="", pattern=r"^[A-Za-z0-9-]*$")
    trusted_signup: bool = False
    data_dir: Path = Path("data")
    database_url: str = Field(default="", repr=False)  # may hold a password
    redis_url: str = Field(default="", repr=False)
    storage_url: str = ""
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
    submissions_per_minute: int = Field(default=6000, ge=1)
    trusted_proxies: str = ""
    webhook_allowed_hosts: str = ""
    max_uploads_mib: int = Field(default=10240, ge=1)
    max_uploads_mib_per_client: int = Field(default=4096, ge=1)
    worker_concurrency: int = Field(default=100, ge=1, le=5000)
    price_lookup: bool = False
    unpriced: Literal["ceiling", "refuse"] = "ceiling"
    ceiling_per_job: Decimal = Field(default=Decimal("1.00"), gt=0, le=1000)
    timezone: str = "UTC"
    creates_per_minute: int = Field(default=600, ge=1)
    max_attempts: int = Field(default=5, ge=1, le=20)
    prediction_timeout: int = Field(default=1800, ge=5, le=86400)
    finish_within: int = Field(default=86400, ge=5, le=30 * 86400)
    lease_seconds: int = Field(default=30, ge=3, le=3600)
    metrics_token: SecretStr = SecretStr("")
    trash_days: int = Field(default=30, ge=1, le=3650)
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["text", "json"] = "text"

    @field_validator("log_level", "log_format", mode="before")
    @classmethod
    def _lower(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value

    @field_validator("data_dir")
    @classmethod
    def _from_the_checkout(cls, value: Path) -> Path:
        return ROOT / value.expanduser()

    @field_validator("database_url")
    @classmethod
    def _known_database(cls, value: str, info: ValidationInfo) -> str:
        if not value:
            return f"sqlite:///{info.data['data_dir'] / 'darkroom.sqlite'}"
        if not value.startswith(("sqlite:///", "postgres://", "postgresql://")):
            raise ValueError("must start with sqlite:/// or postgres://")
        if value == "sqlite:///":
            raise ValueError("must name a file, such as sqlite:///data/darkroom.sqlite")
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
    def _known_storage(cls, value: str, info: ValidationInfo) -> str:
        if not value:
            folder = info.data["data_dir"]
            return str((ROOT if folder == ROOT / "data" else folder) / "media")
        if "://" in value and not value.startswith(STORES):
            raise ValueError(f"must be a folder, or start with one of {', '.join(STORES)}")
        return value

    @field_validator("ceiling_per_job")
    @classmethod
    def _micro_dollars(cls, value: Decimal) -> Decimal:
        if value * 10**6 % 1:
            raise ValueError("must have up to six decimal places")
        return value

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ValueError, ZoneInfoNotFoundError, OSError):
            raise ValueError("must be a time zone of the IANA database, such as Europe/Berlin") from None
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _addresses(cls, value: str) -> str:
        for address in _listed(value):
            try:
                ip_network(address)
            except ValueError:
                raise ValueError("must be IP addresses or networks, separated by commas") from None
        return value

    @field_validator("webhook_allowed_hosts")
    @classmethod
    def _names_or_networks(cls, value: str) -> str:
        for name in _listed(value):
            if not HOST_NAME.fullmatch(name) and _network(name) is None:
                raise ValueError("must be host names without a port, addresses or networks, separated by commas")
        return value

    @field_validator("replicate_webhook_secret")
    @classmethod
    def _whsec(cls, value: SecretStr) -> SecretStr:
        kind, _, key = value.get_secret_value().partition("_")
        try:
            if value.get_secret_value() and (kind != "whsec" or not b64decode(key, validate=True)):
                raise ValueError
        except ValueError:
            raise ValueError("must be whsec_ and a base64 key") from None
        return value

    @field_validator("public_url", "replicate_api_url", "standin_url")
    @classmethod
    def _web_address(cls, value: str) -> str:
        if value and not (value.startswith(("http://", "https://")) and _parsed(value)):
            raise ValueError("must be a URL that starts with http:// or https://")
        return value.rstrip("/")

    @field_validator("public_url")
    @classmethod
    def _host_of_its_own(cls, value: str) -> str:
        url = _parsed(value)
        if url is None:
            return value
        if url.username or url.password or (url.path, url.query, url.fragment) != ("/", None, None):
            raise ValueError("must be a host name without a path or password, such as https://darkroom.example.org")
        return str(url).rstrip("/")  # as browsers write it: in lower case and ASCII, without the default port

    @field_validator("allowed_hosts")
    @classmethod
    def _names(cls, value: str) -> str:
        for name in _listed(value):
            if not HOST_NAME.fullmatch(name):
                raise ValueError("must be host names without a port, separated by commas")
        return value

    @property
    def host_names(self) -> frozenset[str]:
        """The host names of this Darkroom, in lower case. The names of loopback are not added."""
        own = (self.host, urlsplit(self.public_url).hostname or "", *_listed(self.allowed_hosts))
        return frozenset(name.lower() for name in own if name)

    def is_proxy(self, address: str) -> bool:
        """Return whether an IP address is one of TRUSTED_PROXIES."""
        try:
            found = ip_address(address)
        except ValueError:
            return False
        return any(found in ip_network(network) for network in _listed(self.trusted_proxies))

    def allows_webhooks_to(self, host: str, address: str) -> bool:
        """Return whether WEBHOOK_ALLOWED_HOSTS has a host, in lower case, or the IP address that is meant by it."""
        found = ip_address(address)
        listed = [name.lower() for name in _listed(self.webhook_allowed_hosts)]
        return host in listed or any(found in network for name in listed if (network := _network(name)))

    @property
    def open_to_the_network(self) -> bool:
        """Whether HOST is reached from other machines."""
        try:
            return not ip_address(self.host).is_loopback
        except ValueError:
            return self.host != "localhost"

    @property
    def standin(self) -> bool:
        """Whether the stand-in draws the pictures, which is the case when no token is set."""
        return not self.replicate_api_token.get_secret_value()

    @property
    def needs_standin(self) -> bool:
        """Whether a stand-in on STANDIN_PORT may be used: no token is set, or REPLICATE_API_URL has that port."""
        return self.standin or urlsplit(self.replicate_api_url).port == self.standin_port

    @property
    def api_url(self) -> str:
        """The address of Replicate's API, or of the stand-in's, with its /v1 and without a trailing slash."""
        if self.replicate_api_url or not self.standin:
            return self.token_url
        return self.standin_url or f"http://127.0.0.1:{self.standin_port}/v1"

    @property
    def token_url(self) -> str:
        """The address of the API that a token is for: like api_url, but never the stand-in in place of a token."""
        return self.replicate_api_url or "https://api.replicate.com/v1"

    @property
    def zone(self) -> ZoneInfo:
        """The zone of TIMEZONE."""
        return ZoneInfo(self.timezone)

    @property
    def ceiling_micros(self) -> int:
        """CEILING_PER_JOB in micro-dollars."""
        return int(self.ceiling_per_job * 10**6)

    @property
    def price_pages(self) -> str | None:
        """The address that the pages of models with their prices are below, or None when they are not to be read."""
        if self.standin:
            return self.api_url.removesuffix("/v1")
        return PRICE_PAGES if self.price_lookup else None

    @property
    def webhooks(self) -> str | None:
        """The address for Replicate's webhooks, or None when Replicate cannot reach us: it accepts https only."""
        own = self.standin or self.replicate_api_url
        if self.public_url.startswith("https://") or (self.public_url and own):
            return f"{self.public_url}/webhooks/replicate"
        return None

    @property
    def queue_url(self) -> str:
        """The address of Redis: REDIS_URL, else the embedded server's socket."""
        return self.redis_url or f"unix://{quote(str(self.valkey_socket))}"

    @property
    def redis_place(self) -> str:
        """The address of Redis as users see it: without a password."""
        return without_secrets(self.queue_url)

    @property
    def valkey_socket(self) -> Path:
        """The embedded server's Unix socket, unless its path is too long for the system: see webapp/cli/up.py."""
        return self.data_dir / "valkey.sock"

    @property
    def sqlite_path(self) -> Path | None:
        """The SQLite file, or None when the database is PostgreSQL."""
        if not self.database_url.startswith("sqlite:///"):
            return None
        return ROOT / self.database_url.removeprefix("sqlite:///")

    @property
    def storage_folder(self) -> Path | None:
        """The folder of the finished files, or None when they are in a bucket."""
        return folder_of(self.storage_url)


def _listed(names: str) -> list[str]:
    return [name.strip() for name in names.split(",") if name.strip()]


def _network(name: str) -> IPv4Network | IPv6Network | None:
    try:
        return ip_network(name)
    except ValueError:
        return None


def _parsed(address: str) -> Url | None:
    try:
        return Url(address)
    except ValidationError:
        return None


def _with_readable_password(url: str) -> str:
    """Return the URL. Raises ValueError when a character of its password would end its host."""
    try:
        parts = urlsplit(url)
    except ValueError:
        raise ValueError("must be a URL") from None
    if "#" in url or ("@" in (parts.path or parts.query) and "@" not in parts.netloc):
        raise ValueError(
            "must encode special characters in the password: %23 for #, %2F for /, %3F for ? and %25 for %"
        )
    return url


def folder_of(storage_url: str) -> Path | None:
    """Return the folder that a STORAGE_URL names, or None when it names none. Unquotes a URL, but not a path."""
    if storage_url.startswith("file://"):
        storage_url = unquote(storage_url.removeprefix("file://"))
    elif "://" in storage_url:
        return None
    return ROOT / Path(storage_url).expanduser()


def load() -> Settings:
    """Read the settings. Raises SettingsError with one line that names every invalid setting.

    The other variables in .env are added to the environment unless it already has them, because libraries look there
    (obstore for AWS_ACCESS_KEY_ID, for example). So .env does the same with `make run` as with docker compose.
    """
    try:
        load_dotenv(ENV_FILE)
        return Settings()
    except ValidationError as error:
        raise SettingsError("; ".join(_line(fault) for fault in error.errors())) from None
    except OSError as error:
        raise SettingsError(f"{ENV_FILE}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{ENV_FILE}: is not UTF-8 text") from None


def without_secrets(address: str) -> str:
    """Return an address as users may see it: without its password and its query."""
    return re.sub(r"//.*@", "//***@", address.partition("?")[0])


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
