"""/metrics: Prometheus reads it, and it says what is there."""

import re
from collections.abc import Mapping
from datetime import timedelta
from uuid import uuid4

import httpx
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr

from tasks.accounts.actors import Role
from tasks.accounts.audit import By
from tasks.db.database import now
from tasks.db.operation_tables import Activity
from tasks.errors import Failure
from tasks.jobs import pauses
from tasks.jobs.pauses import Terms
from tasks.jobs.workers import Presence
from tasks.operations import activity, counters, running_totals, storage_use
from tasks.operations.alerts import AlertKind
from tasks.operations.counters import Counted
from tasks.operations.running_totals import RunningTotals
from tasks.replicate import circuit
from tasks.settings import ROOT, settings
from tasks.spend import limits
from tests import factories
from webapp.http import authentication
from webapp.operate.metrics import MAX_MODELS, OTHER

Samples = Mapping[tuple[str, frozenset[tuple[str, str]]], float]


async def scraped(web: httpx.AsyncClient, headers: dict[str, str] | None = None) -> Samples:
    """Return name and labels -> value, of fresh metrics."""
    app = web._transport.app  # type: ignore[attr-defined]
    while not hasattr(app, "state"):
        app = app.app
    app.state.metrics.families.cache_clear()
    answer = await web.get("/metrics", headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/plain")
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def value(samples: Samples, name: str, **labels: str) -> float | None:
    return samples.get((f"darkroom_{name}", frozenset(labels.items())))


async def test_it_says_what_waits_runs_and_was_done(web: httpx.AsyncClient) -> None:
    await Presence(4).show(0)
    await factories.attempted()
    await factories.submitted()
    await activity.count()
    await counters.add(Counted.RESPONSES, {"200": 3, "429": 1})
    found = await scraped(web)
    model = "stability-ai/sdxl"
    assert value(found, "jobs", status="queued", model=model) == 1
    assert value(found, "workers", state="alive") == 1
    assert value(found, "worker_slots") == 4
    done = {"model": model, "provider": "replicate", "outcome": "succeeded", "code": ""}
    assert value(found, "attempts_total", **done) == 1
    assert value(found, "run_seconds_count", model=model) == 1
    assert value(found, "provider_responses_total", provider="replicate", code="429") == 1
    assert value(found, "up", part="database") == 1
    assert value(found, "halted", provider="replicate", code="") == 0


async def test_a_halt_is_told_with_its_code(web: httpx.AsyncClient) -> None:
    await circuit.trip(Failure("provider_away", "Replicate is not responding."))
    found = await scraped(web)
    assert value(found, "halted", provider="replicate", code="provider_away") == 1
    assert value(found, "alert", kind="halted") == 1
    assert value(found, "alert", kind="no_workers") == 1


async def test_who_shows_the_token_or_a_key_reads_it_and_nobody_else(
    web: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = settings.model_copy(update={"metrics_token": SecretStr("for prometheus")})
    monkeypatch.setattr(authentication, "settings", given)
    admin = await factories.person(role=Role.ADMIN)
    assert await scraped(web, {"Authorization": "Bearer for prometheus"})
    assert await scraped(web, await factories.key_of(admin, "operate:read"))
    for refused in ({}, {"Authorization": "Bearer for"}, {"Authorization": "Bearer "}):
        assert (await web.get("/metrics", headers=refused)).status_code == 401
    elsewhere = await web.get("/jobs.json", headers={"Authorization": "Bearer for prometheus"})
    assert elsewhere.status_code == 401


async def test_many_models_are_told_apart_up_to_a_limit(web: httpx.AsyncClient) -> None:
    moment = now().replace(second=0, microsecond=0)
    await Activity.insert(
        *(
            Activity(span=60, starts_at=moment, model=f"owner/m{number}", code="", attempts=number + 1, waited="0.0 0",
                     ran="0.0 0", stored="0.0 0")
            for number in range(MAX_MODELS + 2)
        )
    )  # fmt: skip
    found = await scraped(web)
    named = [dict(labels)["model"] for name, labels in found if name == "darkroom_attempts_total"]
    assert len(named) == MAX_MODELS + 1
    done = {"model": OTHER, "provider": "replicate", "outcome": "succeeded", "code": ""}
    assert value(found, "attempts_total", **done) == 1 + 2


async def test_sums_only_grow_and_are_those_of_all_time(database: None) -> None:
    totals = RunningTotals()
    long_ago = now() - 2 * running_totals.SETTLED
    for starts_at in (long_ago, now() - timedelta(minutes=1)):
        await Activity.insert(
            Activity(span=60, starts_at=starts_at, model="a/b", code="", attempts=2, waited="1.0 1", ran="1.0 1",
                     stored="1.0 1")
        )  # fmt: skip
    for _ in range(2):
        attempts, times, _ = await totals.read()
        assert attempts == {("a/b", ""): 4}
        assert times["a/b"][0].seconds == 2.0
    await Activity.insert(
        Activity(
            span=60, starts_at=now(), model="a/b", code="", attempts=1, waited="1.0 1", ran="1.0 1", stored="1.0 1"
        )
    )
    assert (await totals.read())[0] == {("a/b", ""): 5}
    assert (await RunningTotals().read())[0] == {("a/b", ""): 5}


async def test_requests_are_counted_by_their_routes_and_status(web: httpx.AsyncClient) -> None:
    async def counted(path: str, status: str, method: str = "GET") -> float:
        found = await scraped(web)
        return value(found, "http_requests_total", method=method, path=path, status_code=status) or 0.0

    ok, gone = await counted("/queue", "200"), await counted("/status/{job_id}", "404")
    made, timed = await counted("/generate", "422", "POST"), await scraped(web)
    await web.get("/queue")
    await web.get(f"/status/{uuid4()}")
    await web.post("/generate", json={})
    assert await counted("/queue", "200") == ok + 1
    assert await counted("/status/{job_id}", "404") == gone + 1
    assert await counted("/generate", "422", "POST") == made + 1
    seconds = {"method": "GET", "path": "/queue"}
    before = value(timed, "http_request_duration_seconds_count", **seconds) or 0.0
    assert value(await scraped(web), "http_request_duration_seconds_count", **seconds) == before + 1


async def test_the_rules_for_alerts_and_the_docs_name_metrics_that_there_are(web: httpx.AsyncClient) -> None:
    await factories.attempted()
    await factories.submitted()
    await pauses.pause(Terms("owner/name"), "anna")
    for what, label in ((Counted.RESPONSES, "200"), (Counted.DELIVERIES, "success")):
        await counters.add(what, {label: 1})
    await limits.put("all", "5/month", By())
    await activity.count()
    await storage_use.measure()
    there = {name for name, _ in await scraped(web)} | {"darkroom_create_tokens", "darkroom_spend_micros_total"}
    folder = ROOT / "docs" / "operating"
    rules = yaml.safe_load((folder / "alerts.yml").read_text())["groups"][0]["rules"]
    named = {name for rule in rules for name in re.findall(r"darkroom_\w+", rule["expr"])}
    assert named
    assert named <= there
    kinds = {kind for rule in rules for kind in re.findall(r'kind="(\w+)"', rule["expr"])}
    assert kinds <= set(AlertKind)
    docs = (folder / "operate.md").read_text()
    assert [rule["alert"] for rule in rules] == re.findall(r"^\| `(Darkroom\w+)`", docs, re.MULTILINE)
    listed = set(re.findall(r"`(darkroom_\w+)", docs)) - {"darkroom_http_"}
    assert {name for name in listed if not any(each.startswith(name) for each in there)} == set()
