"""A worker and its only task: take the best available job and run whatever is left of it, to its end."""

import asyncio
import logging
from functools import partial
from uuid import UUID

from structlog.contextvars import bound_contextvars, unbind_contextvars

from tasks.backoff import DEFAULT_TIMINGS, Timings
from tasks.db.tables import Job, Output, Stage
from tasks.errors import DatabaseAway, Failure, reason
from tasks.files import outputs
from tasks.files.outputs import Importer
from tasks.files.storage import Storage
from tasks.jobs import lifecycle
from tasks.jobs.leases import Lease, Leases
from tasks.messaging.broker import generate_later
from tasks.models import registry
from tasks.models.price_pages import PricePages
from tasks.predictions import create, follow
from tasks.predictions.create import Provider
from tasks.predictions.polling import Poller
from tasks.predictions.store import store as store_files
from tasks.replicate import circuit
from tasks.replicate.circuit import Breaker
from tasks.replicate.client import Prediction, Replicate
from tasks.settings import settings
from tasks.tracing import spans
from tasks.worker import dispatch, run_span
from tasks.worker.retries import give_up, is_overdue, output_gone

log = logging.getLogger(__name__)


class Worker:
    """Runs jobs, up to `concurrency` at a time. A process has one. leases: those of the jobs under way.

    price_pages: where the prices of models are read; None reads none. draining: whether it claims no more jobs.
    """

    def __init__(
        self,
        replicate: Replicate,
        storage: Storage,
        importer: Importer,
        concurrency: int = settings.worker_concurrency,
        lease_seconds: float = settings.lease_seconds,
        timings: Timings = DEFAULT_TIMINGS,
        price_pages: PricePages | None = None,
    ) -> None:
        self.replicate, self.storage, self.concurrency, self.timings = replicate, storage, concurrency, timings
        self.leases = Leases(lease_seconds)
        self._provider = Provider(replicate, Breaker(replicate, timings=timings), storage, timings)
        self._poller, self._importer, self._price_pages = Poller(replicate), importer, price_pages
        self._under_way: set[asyncio.Task[None]] = set()
        self._stops = False
        self.draining = False

    async def generate(self) -> None:
        """Continue a job that its worker left, or claim the best waiting job, if any, and run it: the task itself."""
        this = asyncio.current_task()
        if self._stops or this is None:  # pass the hint to others
            return generate_later()
        if self.draining:
            return None  # another worker's rescuer sends another hint
        if this not in self._under_way and len(self._under_way) >= self.concurrency:
            return None  # the rescuer started some while Redis was away; it sends another hint when there is room
        self._under_way.add(this)
        try:
            job = await lifecycle.take_over(self.leases.seconds)
            if job is None and not self.storage.ours:  # no place for a result; its mark may reveal a restored backup
                return None
            job = job or await dispatch.next_job(self.replicate.rate_limit, self.leases.seconds, lambda: self.draining)
            if job is not None:
                await self._hold_and_carry(job)
            elif probe := await self._probe():
                await self._hold_and_carry(probe, probing=True)
        except asyncio.CancelledError:  # the worker stops
            log.debug("a hint is left to the next worker")
        except DatabaseAway as away:
            log.warning("could not claim a job: %s", away)
        finally:
            self._under_way.discard(this)

    def start(self, most: int) -> int:
        """Start up to `most` runs of the task without hints, no more than there is room for. Returns how many."""
        room = self.concurrency - len(self._under_way)
        carriers = [asyncio.create_task(self.generate()) for _ in range(min(most, room))]
        for carrier in carriers:
            self._under_way.add(carrier)
            carrier.add_done_callback(self._under_way.discard)
        return len(carriers)

    async def stop(self) -> None:
        """Stop running all jobs, and release them so that another worker continues them immediately."""
        self._stops = True
        held: dict[UUID, Lease] = {}
        while tasks := list(self._under_way):
            held.update(self.leases.held)
            awaiting = [lease.carrier for lease in held.values() if lease.awaits_answer]
            for task in tasks:
                if task not in awaiting:
                    task.cancel()
            await asyncio.wait(tasks, timeout=0.5)  # then cancel again: Python 3.11 may lose a cancellation
        await lifecycle.release(held)

    async def carry(self, lease: Lease, probing: bool = False) -> None:
        """Run a claimed job until it is completed, has failed, or is back in the queue.

        probing: whether the job is a probe of a halted queue, which resumes as soon as the prediction is created.
        """
        with run_span.begin(lease.job) as lease.span:
            await self._carry(lease, probing)

    async def _carry(self, lease: Lease, probing: bool) -> None:
        job, prediction = lease.job, None
        try:
            if job.attempt is None and lease.cancel_requested:
                await lifecycle.end_canceled(job)
                return
            if job.attempt is None and is_overdue(job):
                raise lifecycle.too_late()
            prediction = await create.prediction_of(lease, self._provider, probing)
            run_span.note(lease.span, job, prediction)
            if probing:
                await circuit.close()
            if self._price_pages is not None:
                self._price_pages.refresh_soon(job.model)
            with spans.span("follow"):
                prediction = await follow.to_the_end(lease, prediction, self._poller, self.timings)
            if prediction.status in ("canceled", "aborted") and lease.cancel_requested:
                await lifecycle.end_canceled(job, prediction)
                return
            if prediction.status in ("canceled", "aborted") and is_overdue(job):
                raise lifecycle.too_late()
            if prediction.status != "succeeded":
                raise reason(prediction.status, prediction.error)
            await lifecycle.report(job, Stage.DOWNLOADING, None)
            with spans.span("outputs"):
                kept = await lease.unless_called_off(self._brought_in(lease, prediction))
            await lifecycle.complete(job, kept, prediction)
        except Failure as failure:
            run_span.fail(lease, failure)
            await give_up(lease, failure, prediction, self.timings)
        except DatabaseAway:
            raise
        except Exception:
            log.exception("job %s: internal error", job.id)
            internal = Failure("internal_error", "Darkroom had an internal error.", passing=True)
            run_span.fail(lease, internal)
            await give_up(lease, internal, prediction, self.timings)

    async def _brought_in(self, lease: Lease, prediction: Prediction) -> list[Output]:
        """Store the outputs of a successful prediction in our storage, and return them. Raises Failure, and Lost."""
        if prediction.data_removed:
            raise output_gone()
        job = lease.job
        model = await registry.find(job.model, self.replicate)
        sources = outputs.find(prediction.output, model.output_schema if model else None)
        store = partial(store_files, lease, self.storage)
        return [await self._importer.keep(job.id, position, source, store) for position, source in enumerate(sources)]

    async def _hold_and_carry(self, job: Job, probing: bool = False) -> None:
        with bound_contextvars(job_id=str(job.id)):
            try:
                async with self.leases.hold(job) as lease:
                    await self.carry(lease, probing)
            except asyncio.CancelledError:  # the worker stops, or another worker has the job: the job has not failed
                log.info("job %s: left to the next worker", job.id)
            except DatabaseAway as away:  # the lease expires, and the next worker continues the prediction
                log.warning("job %s: %s", job.id, away)
            finally:
                unbind_contextvars("attempt_id")  # tasks/predictions/create.py has bound it

    async def _probe(self) -> Job | None:
        try:
            return await dispatch.probe(self._provider.breaker, self.leases.seconds)
        except Failure as failure:
            log.warning("The queue stays halted: %s", failure.message)
            return None
