"""`darkroom doctor` and the page /settings: checks everything that Darkroom needs, and says each in a line."""

import asyncio
import shutil
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from email.utils import parsedate_to_datetime

import httpx

from tasks.accounts import people
from tasks.db.database import connected, now
from tasks.db.dialect import as_moment, from_now
from tasks.db.tables import Job, Library
from tasks.errors import DatabaseAway, Failure
from tasks.files import library_mark
from tasks.files.storage import Storage
from tasks.health import checks
from tasks.messaging import events
from tasks.models import prices
from tasks.models.names import bare
from tasks.replicate.client import Replicate
from tasks.settings import Settings

CHECK_TIMEOUT = 15.0  # seconds for each check
MAX_SKEW = timedelta(seconds=30)  # between clocks: predictions whose answer was lost are looked for by Replicate's
MIN_FREE_BYTES = 2 * 2**30
USED_WITHIN = timedelta(days=30)  # the models whose prices are checked were used in this time

Check = Callable[[Settings], Awaitable[str]]


class Warned(Exception):
    """The finding of a check about what works, and should be looked at."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check has found. state: ok, warning or failed."""

    name: str
    state: str
    words: str


async def examine(settings: Settings) -> tuple[list[str], bool]:
    """Run all checks. Returns a line for each, and whether everything works.

    Without the database, that is the only finding: the others need it.
    """
    try:
        async with connected():
            found = await findings(settings)
    except DatabaseAway as away:
        found = [Finding("database", "failed", str(away))]
    finally:
        await events.close()
    lines = [f"{each.state:<9}{each.name:<10}{each.words}" for each in found]
    return lines, all(each.state != "failed" for each in found)


async def findings(settings: Settings) -> Sequence[Finding]:
    """Run all checks at once, with the database open."""
    found = await asyncio.gather(*(_finding(check, settings) for check in CHECKS.values()))
    return [Finding(name, *each) for name, each in zip(CHECKS, found, strict=True)]


async def _finding(check: Check, settings: Settings) -> tuple[str, str]:
    try:
        async with asyncio.timeout(CHECK_TIMEOUT):
            return "ok", await check(settings)
    except Warned as warned:
        return "warning", str(warned)
    except TimeoutError:
        return "failed", f"no answer within {CHECK_TIMEOUT:.0f} s"
    except Failure as failure:
        return "failed", failure.message
    except Exception as error:  # whatever the driver raises: the failure is the finding
        return "failed", f"{type(error).__name__}: {error}".splitlines()[0]


async def _token(settings: Settings) -> str:
    if settings.standin:
        return "none: the stand-in makes the pictures"
    replicate = Replicate()
    try:
        await replicate.account()
    finally:
        await replicate.aclose()
    return f"accepted by {settings.api_url}"


async def _database(settings: Settings) -> str:
    """Write: a read succeeds even on a full disk or a replica."""
    if not await checks.is_written():
        raise Warned("nothing is in it yet: the web server or a worker begins the library")
    return f"SQLite, {settings.sqlite_path}" if settings.sqlite_path else "PostgreSQL"


async def _redis(settings: Settings) -> str:
    if not settings.redis_url and not settings.valkey_socket.exists():
        return "none needed now: `darkroom up` runs its own"
    await events.redis().ping()
    return settings.redis_place


async def _storage(settings: Settings) -> str:
    if reason := await library_mark.check(Storage.open(settings.storage_url), CHECK_TIMEOUT):
        raise RuntimeError(reason)
    return str(settings.storage_folder or settings.storage_url)


async def _clock(settings: Settings) -> str:
    """Compare this machine's clock with the database's, and with the date in an answer of Replicate's API."""
    [row] = await Library.raw("SELECT {} AS moment", from_now())
    compared = {"the database": as_moment(row["moment"]) - now()}
    try:
        async with httpx.AsyncClient(timeout=5) as client:
            date = (await client.get(f"{settings.api_url}/account")).headers.get("Date", "")
        compared["Replicate"] = parsedate_to_datetime(date) - now()
    except (httpx.HTTPError, ValueError):
        pass  # another check says that it is away
    if apart := [f"{abs(skew).total_seconds():.0f} s from {whose}" for whose, skew in compared.items() if _far(skew)]:
        raise RuntimeError(f"this machine's is {', '.join(apart)}")
    return f"as that of {' and '.join(compared)}"


def _far(skew: timedelta) -> bool:
    return abs(skew) > MAX_SKEW


async def _prices(settings: Settings) -> str:
    recent = Job.created_at >= now() - USED_WITHIN
    rows = await Job.select(Job.model).distinct().where(recent)
    used = sorted({bare(row["model"]) for row in rows})
    unknown = [name for name in used if await prices.current(name) is None]
    if unknown:
        raise Warned(f"not known of {', '.join(unknown)}: set them on /prices, or PRICE_LOOKUP=true")
    return f"known of what was used in {USED_WITHIN.days} days: {', '.join(used) or 'nothing'}"


async def _disk(settings: Settings) -> str:
    folders = (settings.data_dir, settings.storage_folder)
    free = {folder: shutil.disk_usage(folder).free for folder in folders if folder is not None and folder.exists()}
    words = ", ".join(f"{count / 10**9:.1f} GB free in {folder}" for folder, count in free.items())
    if any(count < MIN_FREE_BYTES for count in free.values()):
        raise Warned(words)
    return words


async def _people(settings: Settings) -> str:
    everyone = [person for person in await people.everyone() if person.disabled_at is None]
    if everyone:
        return f"{len(everyone)}, who sign in or have keys"
    if settings.open_to_the_network:
        raise Warned(f"none, and {settings.host} is open to the network: everyone who reaches it may use it")
    return "none: everyone on this machine may use it"


CHECKS: Mapping[str, Check] = {
    "token": _token,
    "database": _database,
    "redis": _redis,
    "storage": _storage,
    "clock": _clock,
    "prices": _prices,
    "disk": _disk,
    "people": _people,
}
