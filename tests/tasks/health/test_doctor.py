"""`darkroom doctor` says of each thing that Darkroom needs whether it works, and why not."""

import shutil
from collections import namedtuple
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from tasks.db.database import now
from tasks.db.tables import Job
from tasks.errors import Failure
from tasks.health import doctor
from tasks.messaging import events
from tasks.replicate.client import Replicate
from tasks.settings import settings
from tests import factories

NAMES = ["token", "database", "redis", "storage", "clock", "prices", "disk", "people"]
Usage = namedtuple("Usage", "total used free")


async def findings(**changed: object) -> Mapping[str, tuple[str, str]]:
    """Return the state and the words of each finding, by its name."""
    found = {}
    for name, check in doctor.CHECKS.items():
        found[name] = await doctor._finding(check, settings.model_copy(update=changed))
    return found


async def test_everything_is_checked_and_said_in_a_line(standin: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def close() -> None:
        """Leave Redis open: other tests use it, too."""

    monkeypatch.setattr(events, "close", close)
    monkeypatch.setattr(doctor, "connected", _open_already)
    lines, works = await doctor.examine(settings)
    assert [line.split()[1] for line in lines] == NAMES
    assert works, lines


class _open_already:  # noqa: N801 (stands for a function)
    async def __aenter__(self) -> None:
        """Do nothing: the database is open."""

    async def __aexit__(self, *_: object) -> None:
        """Do nothing: it stays open."""


async def test_a_token_that_is_refused_is_named(standin: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refused(replicate: Replicate) -> None:
        raise Failure("provider_auth", "Replicate refused the token.")

    monkeypatch.setattr(Replicate, "account", refused)
    found = await findings(replicate_api_token=SecretStr("r8_wrong"))
    assert found["token"] == ("failed", "Replicate refused the token.")
    assert found["database"][0] == "ok"


async def test_a_clock_that_differs_from_the_others_is_named(standin: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "now", lambda: now() - timedelta(minutes=5))
    state, words = (await findings())["clock"]
    assert state == "failed"
    assert words.endswith(" s from Replicate")


async def test_models_without_a_price_are_named(standin: str) -> None:
    await factories.submitted(model=factories.FLUX)
    assert (await findings())["prices"] == ("ok", f"known of what was used in 30 days: {factories.FLUX}")
    await factories.submitted(model="nobody/knows")
    state, words = (await findings())["prices"]
    assert (state, words.partition(":")[0]) == ("warning", "not known of nobody/knows")
    await Job.update({Job.created_at: now() - timedelta(days=31)}, force=True)
    assert (await findings())["prices"] == ("ok", "known of what was used in 30 days: nothing")


async def test_a_disk_that_is_almost_full_is_named(
    standin: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: Usage(10**12, 10**12, 10**6))
    assert (await findings(data_dir=tmp_path))["disk"][0] == "warning"


async def test_an_open_house_on_the_network_is_named_and_a_team_is_counted(standin: str) -> None:
    assert (await findings())["people"] == ("ok", "none: everyone on this machine may use it")
    assert (await findings(host="0.0.0.0"))["people"][0] == "warning"
    await factories.person()
    assert (await findings(host="0.0.0.0"))["people"] == ("ok", "1, who sign in or have keys")
