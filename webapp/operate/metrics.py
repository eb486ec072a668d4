"""GET /metrics for Prometheus: the state of everything as the database has it, so that each web process says the same.

What a web process knows of itself (its requests, its open pages) is its own: scrape each of them.
"""

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from async_lru import alru_cache
from litestar import Response, route
from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import choose_encoder

from tasks.db.dialect import as_moment
from tasks.db.operation_tables import WorkerProcess
from tasks.db.tables import Job
from tasks.errors import DatabaseAway
from tasks.files.storage import Storage
from tasks.health import checks
from tasks.health.checks import Check
from tasks.jobs import budgets, workers
from tasks.models.names import bare
from tasks.operations import alerts, counters, queue_state, storage_use
from tasks.operations.alerts import AlertKind
from tasks.operations.counters import Counted
from tasks.operations.durations import BOUNDS, Durations, merged
from tasks.operations.running_totals import RunningTotals
from tasks.spend import limits
from webapp.http.errors import AnyRequest
from webapp.http.etag import NO_STORE
from webapp.http.methods import READ

CACHED_SECONDS = 3.0  # a worker that was killed is told within ten seconds: see workers.LATE_SECONDS
MAX_MODELS = 50  # by which metrics are told apart; the others are `other`
OTHER = "other"
PROVIDER = "replicate"
ACTIVE = (
    "SELECT model, status, count(*) AS jobs, min(CASE WHEN status = 'queued' THEN due_at END) AS oldest FROM job"
    " WHERE status IN ('queued', 'running') GROUP BY model, status"
)


@dataclass
class Metrics:
    """What Prometheus is told. storage: which is checked. totals: sums over all time."""

    storage: Storage
    totals: RunningTotals = field(default_factory=RunningTotals)

    def __post_init__(self) -> None:
        self.families = alru_cache(maxsize=1, ttl=CACHED_SECONDS)(self._families)

    async def _families(self) -> list[Metric]:
        """Return all metrics of the state of everything. Without the database, only what does not need it."""
        found = await checks.all_of(self.storage)
        families = [*_of_checks(found), *_of_space()]
        with suppress(DatabaseAway):  # darkroom_up says so
            families += [*await _of_queue(found), *await self._of_totals(), *await _of_counters(), *await _of_budgets()]
        return families

    async def _of_totals(self) -> list[Metric]:
        attempts, times, spent = await self.totals.read()
        used = Counter[str]()
        for (model, _), number in attempts.items():
            used[model] += number
        known = {model for model, _ in used.most_common(MAX_MODELS)}
        ended = _counter("attempts", "Attempts that ended.", ["model", "provider", "outcome", "code"])
        for (model, code), number in _grouped(attempts, known).items():
            ended.add_metric([model, PROVIDER, "failed" if code else "succeeded", code], number)
        costs = _counter("spend_micros", "Micro-dollars spent.", ["owner", "model", "basis"])
        sums = Counter[tuple[str, str, str]]()
        for (owner, model, basis), micros in spent.items():
            sums[owner, model if model in known else OTHER, basis] += micros
        for labels, micros in sums.items():
            costs.add_metric(labels, micros)
        return [ended, costs, *_histograms(times, known)]


@route("/metrics", http_method=READ)
async def metrics(request: AnyRequest) -> Response[bytes]:
    """Return the metrics, in the format that Prometheus asks for."""
    families = [*await request.app.state.metrics.families(), *_of_process(request)]
    encode, media_type = choose_encoder(request.headers.get("Accept", ""))
    collected = _Collected(families, request.app.state.requests.registry)
    # In a thread: each route and status has a score of lines, and to write them all takes tens of milliseconds.
    written = await asyncio.to_thread(encode, collected)
    return Response(written, media_type=media_type, headers=NO_STORE)


@dataclass(frozen=True)
class _Collected:
    """A registry whose collecting is done: what an encoder wants."""

    families: list[Metric]
    requests: CollectorRegistry

    def collect(self) -> Iterator[Metric]:
        yield from self.families
        yield from self.requests.collect()
        yield from REGISTRY.collect()  # of Python, and of the process


def _of_process(request: AnyRequest) -> list[Metric]:
    return [_gauge("live_pages", "Pages that this process keeps up to date.", request.app.state.hub.open_pages)]


def _of_checks(found: Mapping[str, Check]) -> list[Metric]:
    up = _gauge("up", "Whether a part that Darkroom needs works.", labels=["part"])
    took = _gauge("check_seconds", "How long the check of a part took.", labels=["part"])
    for part, check in found.items():
        up.add_metric([part], check.works)
        took.add_metric([part], check.seconds)
    return [up, took]


def _of_space() -> list[Metric]:
    space = storage_use.space()
    if space is None:
        return []
    return [
        _gauge("storage_free_bytes", "Free space on the disk of the files.", space.free),
        _gauge("storage_total_bytes", "The size of that disk.", space.total),
    ]


async def _of_queue(found: Mapping[str, Check]) -> list[Metric]:
    queue, everyone = await queue_state.current(), await workers.everyone()
    jobs = _gauge("jobs", "Jobs that wait or run.", labels=["status", "model"])
    oldest = _gauge("oldest_waiting_seconds", "For how long the job waits that is due longest.", labels=["model"])
    rows = await Job.raw(ACTIVE)
    of_models = Counter[str]()
    for row in rows:
        of_models[bare(row["model"])] += row["jobs"]
    known = {model for model, _ in of_models.most_common(MAX_MODELS)}
    counts, waits = Counter[tuple[str, str]](), dict[str, float]()
    for row in rows:
        model = bare(row["model"]) if bare(row["model"]) in known else OTHER
        counts[row["status"], model] += row["jobs"]
        if row["oldest"]:
            waits[model] = max(waits.get(model, 0.0), queue_state.seconds_since(as_moment(row["oldest"])))
    for labels, number in counts.items():
        jobs.add_metric(labels, number)
    for model, seconds in waits.items():
        oldest.add_metric([model], seconds)
    halted = _gauge("halted", "Whether no predictions are created.", labels=["provider", "code"])
    halted.add_metric([PROVIDER, queue.halt.code if queue.halt else ""], queue.halt is not None)
    paused = _gauge("model_paused", "Models that are paused.", labels=["model"])
    for pause in queue.pauses[:MAX_MODELS]:
        paused.add_metric([pause.model], 1)
    states = _gauge("workers", "Workers.", labels=["state"])
    for state in ("alive", "draining", "late"):
        states.add_metric([state], sum(_state_of(worker) == state for worker in everyone))
    slots = sum(worker.slots for worker in everyone if _state_of(worker) == "alive")
    alerted = _gauge("alert", "What an operator should know at once.", labels=["kind"])
    now_on = Counter(
        each.kind
        for each in [*alerts.of_checks(found), *await alerts.without_checks(queue, everyone, storage_use.space())]
    )
    for kind in AlertKind:
        alerted.add_metric([kind], now_on[kind])
    tokens = (
        [_gauge("create_tokens", "Predictions that may be created at once.", queue.tokens)]
        if queue.tokens is not None
        else []
    )
    room = _gauge("worker_slots", "Jobs that the workers can run at once.", slots)
    return [jobs, oldest, halted, paused, states, room, alerted, *tokens, *await _of_storage()]


def _state_of(worker: WorkerProcess) -> str:
    return "late" if workers.is_late(worker) else ("draining" if worker.draining else "alive")


async def _of_storage() -> list[Metric]:
    held = _gauge("storage_bytes", "Bytes of the files of a kind, without previews.", labels=["kind"])
    for kind, use in (await storage_use.latest())[1].items():
        held.add_metric([kind], use.bytes)
    return [held]


async def _of_counters() -> list[Metric]:
    responses = _counter("provider_responses", "Responses of the provider.", ["provider", "code"])
    for status, number in (await counters.totals(Counted.RESPONSES)).items():
        responses.add_metric([PROVIDER, status if status != "0" else "none"], number)
    deliveries = _counter("webhook_deliveries", "Tries to deliver a webhook.", ["class"])
    for outcome, number in (await counters.totals(Counted.DELIVERIES)).items():
        deliveries.add_metric([outcome], number)
    lost = _counter("leases_lost", "Leases that another worker took.", [])
    lost.add_metric([], (await counters.totals(Counted.LEASES_LOST)).get("", 0))
    return [responses, deliveries, lost]


async def _of_budgets() -> list[Metric]:
    left = _gauge("budget_left_micros", "Micro-dollars left of a budget.", labels=["owner", "period"])
    for budget in await budgets.current():
        left.add_metric([limits.label(budget), budget.period], budgets.left(budget))
    return [left]


def _histograms(times: Mapping[str, tuple[Durations, Durations, Durations]], known: set[str]) -> list[Metric]:
    families: list[Metric] = []
    names = {"wait": "waited in the queue", "run": "ran at the provider", "store": "were downloaded and stored"}
    for place, (name, words) in enumerate(names.items()):
        family = HistogramMetricFamily(f"darkroom_{name}_seconds", f"How long jobs {words}.", labels=["model"])
        gathered: dict[str, list[Durations]] = {}
        for model, counted in times.items():
            gathered.setdefault(model if model in known else OTHER, []).append(counted[place])
        for model, them in gathered.items():
            total = merged(them)
            family.add_metric([model], _buckets(total), total.seconds)
        families.append(family)
    return families


def _buckets(counted: Durations) -> list[tuple[str, float]]:
    """Return the upper bounds with how many durations did not pass them, as Prometheus counts."""
    so_far, buckets = 0, []
    for bound, count in zip((*map(str, BOUNDS), "+Inf"), counted.counts, strict=True):
        so_far += count
        buckets.append((bound, float(so_far)))
    return buckets


def _grouped(attempts: Mapping[tuple[str, str], int], known: set[str]) -> Mapping[tuple[str, str], int]:
    grouped = Counter[tuple[str, str]]()
    for (model, code), number in attempts.items():
        grouped[model if model in known else OTHER, code] += number
    return grouped


def _gauge(name: str, words: str, value: float | None = None, labels: Iterable[str] | None = None) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"darkroom_{name}", words, value=value, labels=None if labels is None else list(labels))


def _counter(name: str, words: str, labels: Iterable[str]) -> CounterMetricFamily:
    return CounterMetricFamily(f"darkroom_{name}", words, labels=list(labels))
