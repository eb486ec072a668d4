"""Any order of verbs, from any number of workers, keeps the invariants of the state machine.

Hypothesis generates the orders. A model of the database, which is a dictionary, says what must be true.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from math import inf
from typing import Any, ClassVar, TypeVar
from uuid import UUID

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
)
from hypothesis.stateful import run_state_machine_as_test as run
from obstore.store import MemoryStore

from tasks.curation import trash
from tasks.db.database import DB
from tasks.db.tables import TABLES, Attempt, Job, Library, Output, PendingFile, Priority, Stage, Status
from tasks.files import pending_files
from tasks.files.storage import Storage
from tasks.jobs import attempts, lifecycle
from tasks.jobs.insert import Terms
from tasks.jobs.leases import Lease, Lost
from tasks.messaging import events
from tasks.predictions import store
from tasks.replicate import circuit
from tasks.replicate.client import Prediction
from tests.tasks.states import FINAL, PASSING, an_output, passes

T = TypeVar("T")
Row = dict[str, Any]

LONG = 3600.0  # seconds: a lease, or a wait, that ends only when a rule says so
MOST = 4  # jobs
WHICH = st.integers(0, MOST - 1)
WORKERS = st.integers(1, 3)
WAITS = st.sampled_from([0.0, LONG])


@dataclass
class Expected:
    """What must be true of a job. due: its wait is over. lapsed: its lease is over."""

    priority: int
    turn: int
    status: Status = Status.QUEUED
    token: UUID | None = None
    attempt: UUID | None = None
    retries: int = 0
    unwanted: bool = False
    due: bool = True
    lapsed: bool = False
    deleted: bool = False
    outputs: int = 0

    @property
    def waits(self) -> bool:
        return self.status == Status.QUEUED and self.attempt is None and self.due

    @property
    def is_left(self) -> bool:
        back = self.status == Status.QUEUED and self.due
        return self.attempt is not None and (back or (self.status == Status.RUNNING and self.lapsed))


@dataclass
class Begun:
    """What must be true of an attempt."""

    job: UUID
    number: int
    prediction: str | None = None
    ended: bool = False


class Everybody(RuleBasedStateMachine):
    """Visitors, workers (including those whose lease expired long ago), webhooks, and time."""

    loop: ClassVar[asyncio.AbstractEventLoop]  # the tests' own, to which the database connections belong

    claims = Bundle[Job]("claims")

    def __init__(self) -> None:
        super().__init__()
        self.jobs: dict[UUID, Expected] = {}
        self.attempts: dict[UUID, Begun] = {}
        self.late: set[UUID] = set()  # jobs whose deadline has passed
        self.kept_files = MemoryStore()
        self.storage = Storage(self.kept_files)
        self.owed: dict[str, UUID] = {}  # files in storage that no output names -> token of the claim that stored them
        self.removed: set[str] = set()
        self.carried: dict[UUID, Attempt] = {}  # token of a claim -> the attempt that its worker began or found
        self.do(_empty())
        for client in "aab":
            self.submit(client, Priority.NORMAL)

    def do(self, verb: Coroutine[Any, Any, T]) -> T:
        """Run a verb in the tests' event loop: Hypothesis runs in its own thread."""
        return asyncio.run_coroutine_threadsafe(verb, self.loop).result(timeout=30)

    # What visitors do.

    @precondition(lambda self: len(self.jobs) < MOST)  # few, so that all rules act on the same jobs
    @rule(client=st.sampled_from("ab"), priority=st.sampled_from(Priority))
    def submit(self, client: str, priority: Priority) -> None:
        job = self.do(lifecycle.submit("p", "m/m", {}, Terms(client, priority)))
        self.jobs[job.id] = Expected(priority, job.turn)

    @rule(which=WHICH, what=st.sampled_from(["retry", "delete"]))
    def bring_back_or_delete(self, which: int, what: str) -> None:
        job_id, job = self.pick(which)
        if what == "retry":
            answer = self.do(lifecycle.retry(job_id))
            assert (answer is not None) == (job.status in (Status.FAILED, Status.CANCELED) and not job.deleted)
            if answer is not None:
                self.jobs[job_id] = Expected(job.priority, answer.turn)
                self.late.discard(job_id)
        else:
            answer = self.do(lifecycle.delete(job_id))
            assert (answer is not None) == (job.status in lifecycle.ENDED and not job.deleted)
            if answer is not None:
                assert len(self.do(trash.files_of([job_id]))) == job.outputs
                job.deleted = True
                self.attempts = {key: attempt for key, attempt in self.attempts.items() if attempt.job != job_id}

    @rule(which=WHICH)
    def cancel(self, which: int) -> None:
        job_id, job = self.pick(which)
        answer = self.do(lifecycle.cancel(job_id))
        assert (answer is None) == (job.status in lifecycle.ENDED)
        if answer is not None:
            job.unwanted = job.due = True
            self.unless_canceled(job)

    # What workers do.

    @initialize(target=claims)
    def claim_at_first(self) -> MultipleResults[Job]:
        return self.claimed(2, begin=True)

    @precondition(lambda self: any(job.status == Status.QUEUED for job in self.jobs.values()))
    @rule(target=claims, workers=WORKERS, begin=st.booleans())
    def claim(self, workers: int, begin: bool) -> MultipleResults[Job]:
        return self.claimed(workers, begin)

    @precondition(lambda self: any(job.waits for job in self.jobs.values()))
    @rule(target=claims)
    def probe_while_halted(self) -> MultipleResults[Job]:
        self.do(circuit.trip(PASSING))
        assert self.do(lifecycle.claim(LONG)) is None
        probe = self.do(lifecycle.claim_probe(LONG, None))
        self.do(circuit.close())
        assert probe is not None
        return self.hold([probe])

    @precondition(lambda self: any(job.status not in lifecycle.ENDED for job in self.jobs.values()))
    @rule(target=claims, workers=WORKERS)
    def take_over(self, workers: int) -> MultipleResults[Job]:
        left = {job_id for job_id, job in self.jobs.items() if job.is_left}
        won = self.at_once(workers, lambda: lifecycle.take_over(LONG), len(left))
        assert {job.id for job in won} <= left
        return self.hold(won)

    @rule(claim=claims)
    def begin(self, claim: Job) -> None:
        job = self.jobs[claim.id]
        if attempt := self.write(
            claim, attempts.begin(claim, "m/m:1", {}), may=job.attempt is None and not job.unwanted
        ):
            earlier = [other.number for other in self.attempts.values() if other.job == claim.id]
            self.attempts[attempt.id] = Begun(claim.id, max(earlier, default=0) + 1)
            job.attempt, self.carried[claim.lease_token] = attempt.id, attempt

    @rule(claim=claims, what=st.sampled_from(["report", "note", "record", "adopt", "webhook"]))
    def tell(self, claim: Job, what: str) -> None:
        attempt = self.carried.get(claim.lease_token)
        if what == "report":
            self.write(claim, lifecycle.report(claim, Stage.PROCESSING, 0.5))
        elif attempt and what == "note":
            self.write(claim, attempts.note(claim, attempt, PASSING))
        elif attempt and what == "record":
            if self.write(claim, attempts.record_prediction(claim, attempt, f"of {attempt.id}")):
                self.attempts[attempt.id].prediction = f"of {attempt.id}"
        elif attempt and what == "adopt":
            self.adopt(claim, attempt)
        elif attempt and what == "webhook":
            self.webhook(attempt)

    @rule(claim=claims)
    def store(self, claim: Job) -> None:
        if names := self.write(claim, _stored(claim, self.storage)):
            self.owed |= dict.fromkeys(names.values(), claim.lease_token)

    @rule()
    def sweep(self) -> None:
        self.do(pending_files.sweep(self.storage))
        live = {job.token for job in self.jobs.values()}
        self.removed |= {name for name, token in self.owed.items() if token not in live}
        self.owed = {name: token for name, token in self.owed.items() if token in live}

    def adopt(self, claim: Job, attempt: Attempt) -> None:
        """Adopt a prediction. All searches find the same one."""
        free = all(other.prediction != "found" for other in self.attempts.values())
        if adopted := self.write(claim, attempts.adopt(claim, attempt, "found")):
            known = self.attempts[attempt.id]
            if known.prediction is None and free:
                known.prediction = "found"
            assert (adopted.id, adopted.prediction_id) == (attempt.id, known.prediction)

    def webhook(self, attempt: Attempt) -> None:
        its, known = f"of {attempt.id}", self.attempts.get(attempt.id)
        answer = self.do(attempts.claim_prediction(attempt.id, its))
        if known is None or known.ended or known.prediction not in (None, its):
            assert answer is None
        else:
            assert answer == known.job
            known.prediction = its

    @rule(
        claim=claims,
        how=st.sampled_from(["complete", "fail", "end_canceled", "postpone", "unclaim"]),
        wait=WAITS,
        informed=st.booleans(),
    )
    def end(self, claim: Job, how: str, wait: float, informed: bool) -> None:
        known, may = self.what_it_knows(claim, informed and how != "unclaim")
        if how == "complete":
            if informed:
                self.store(claim)
            own = [name for name, token in self.owed.items() if token == claim.lease_token]
            output = an_output(f"{claim.id}.png")
            output.stored_key = own[-1] if own else output.key
            if self.write(claim, lifecycle.complete(claim, [output])):
                self.ended(claim.id, Status.COMPLETED)
                self.jobs[claim.id].outputs = 1
                self.owed.pop(output.stored_key, None)
        elif how == "fail":
            if self.write(claim, lifecycle.fail(claim, FINAL, known), may):
                self.ended(claim.id, Status.FAILED)
        elif how == "end_canceled":
            if self.write(claim, lifecycle.end_canceled(claim, known), may):
                self.ended(claim.id, Status.CANCELED)
        elif how == "postpone":
            if self.write(claim, lifecycle.postpone(claim, PASSING, wait, known), may):
                self.ended(claim.id, Status.QUEUED)
                self.wait(claim.id, wait, counts=True)
        elif self.write(claim, lifecycle.unclaim(claim, PASSING), may):
            self.ended(claim.id, Status.QUEUED)
            self.wait(claim.id, 0.0, counts=False)

    def what_it_knows(self, claim: Job, informed: bool) -> tuple[Prediction | None, bool]:
        """Return the prediction that a worker knows, and whether it may end the attempt.

        It may not end an attempt whose prediction it does not know.
        """
        attempt = self.jobs[claim.id].attempt
        told = self.attempts[attempt].prediction if attempt else None
        return (Prediction(told, "failed") if told and informed else None), informed or told is None

    @rule(claim=claims, wait=WAITS, counts=st.booleans())
    def resume_later(self, claim: Job, wait: float, counts: bool) -> None:
        if self.write(claim, lifecycle.resume_later(claim, PASSING, wait, counts)):
            self.wait(claim.id, wait, counts)

    @rule(some=st.lists(claims, min_size=1, max_size=3))
    def renew(self, some: list[Job]) -> None:
        held = {claim.lease_token: self.jobs[claim.id] for claim in some if self.holds(claim)}
        answer = self.do(lifecycle.renew([claim.lease_token for claim in some], LONG))
        assert answer == {token: job.unwanted for token, job in held.items()}
        for job in held.values():
            job.lapsed = False

    @rule(claim=claims, stops=st.booleans())
    def leave(self, claim: Job, stops: bool) -> None:
        job = self.jobs[claim.id]
        if not stops and self.holds(claim):
            self.do(passes(claim.id, Job.lease_until))
            job.lapsed = True
        elif stops:
            self.do(lifecycle.release([claim.lease_token]))
            if self.holds(claim) and job.attempt is None:
                self.goes_back(claim.id)
            elif self.holds(claim):
                job.lapsed, job.token = True, self.token_of(claim.id)
                assert job.token != claim.lease_token

    @precondition(lambda self: any(job.lapsed for job in self.jobs.values()))
    @rule()
    def requeue(self) -> None:
        left = {
            job_id for job_id, job in self.jobs.items()
            if job.status == Status.RUNNING and job.lapsed and job.attempt is None
        }  # fmt: skip
        assert {job.id for job in self.do(lifecycle.requeue())} == left
        for job_id in left:
            self.goes_back(job_id)

    @rule(which=WHICH)
    def expire(self, which: int) -> None:
        job_id, _ = self.pick(which)
        self.do(passes(job_id, Job.deadline_at))
        self.late.add(job_id)
        waiting = {key for key, job in self.jobs.items() if job.status == Status.QUEUED and job.attempt is None}
        assert {job.id for job in self.do(lifecycle.expire())} == waiting & self.late
        for key in waiting & self.late:
            self.jobs[key].status = Status.FAILED

    @precondition(lambda self: any(not job.due for job in self.jobs.values()))
    @rule()
    def waits_are_over(self) -> None:
        for job_id, job in self.jobs.items():
            self.do(passes(job_id, Job.due_at))
            job.due = True

    # What is always true.

    @invariant()
    def all_is_as_expected(self) -> None:
        self.seen = self.do(_everything())
        self.jobs_are_as_expected({row["id"]: row for row in self.seen[0]})
        self.attempts_are_as_expected(self.seen[1])
        outputs = Counter(row["job"] for row in self.seen[2])
        assert outputs == {job_id: job.outputs for job_id, job in self.jobs.items() if job.outputs}
        self.files_are_as_expected({row["stored_key"] for row in self.seen[2]}, self.seen[3])

    def files_are_as_expected(self, named: set[str], noted: list[Row]) -> None:
        assert {row["key"]: row["claim"] for row in noted if row["removed_at"] is None} == self.owed
        assert {row["key"] for row in noted if row["removed_at"] is not None} == self.removed
        there = {meta["path"] for batch in self.kept_files.list() for meta in batch}
        assert there - named == self.owed.keys()
        assert not named & (self.owed.keys() | self.removed)

    def jobs_are_as_expected(self, rows: dict[UUID, Row]) -> None:
        assert set(rows) == set(self.jobs)
        for job_id, job in self.jobs.items():
            row = rows[job_id]
            assert (row["status"], row["lease_token"], row["attempt"]) == (job.status, job.token, job.attempt)
            assert (row["retry_count"], row["cancel_requested"]) == (job.retries, job.unwanted)
            assert (row["deleted_at"] is not None) == job.deleted == (row["prompt"] == "")
            assert (row["finished_at"] is not None) == (row["status"] in lifecycle.ENDED)
            assert (row["lease_until"] is not None) == (row["status"] == Status.RUNNING) == (job.token is not None)
            assert row["stage"] is None or row["status"] == Status.RUNNING
            assert row["status"] not in lifecycle.ENDED or row["attempt"] is None

    def attempts_are_as_expected(self, rows: list[Row]) -> None:
        assert self.attempts == {
            row["id"]: Begun(row["job"], row["number"], row["prediction_id"], row["finished_at"] is not None)
            for row in rows
        }
        for job_id, job in self.jobs.items():
            own = [attempt for attempt in self.attempts.values() if attempt.job == job_id]
            assert sorted(attempt.number for attempt in own) == list(range(1, len(own) + 1))
            under_way = [row["id"] for row in rows if row["job"] == job_id and row["finished_at"] is None]
            assert under_way == ([job.attempt] if job.attempt else [])

    # How the model is updated.

    def pick(self, which: int) -> tuple[UUID, Expected]:
        return list(self.jobs.items())[which % len(self.jobs)]

    def holds(self, claim: Job) -> bool:
        return self.jobs[claim.id].token == claim.lease_token

    def write(self, claim: Job, verb: Coroutine[Any, Any, T], may: bool = True) -> T | None:
        """Let a worker write. This succeeds if the worker holds the lease, and otherwise changes nothing at all."""
        answer = self.do(verb)
        assert bool(answer) == (self.holds(claim) and may)
        assert answer or self.do(_everything()) == self.seen
        return answer

    def claimed(self, workers: int, begin: bool) -> MultipleResults[Job]:
        waiting = {job_id: job for job_id, job in self.jobs.items() if job.waits}
        first = min(waiting, key=lambda job_id: (-waiting[job_id].priority, waiting[job_id].turn, job_id), default=None)
        won = self.at_once(workers, lambda: lifecycle.claim(LONG), len(waiting))
        assert {first} - {None} <= {job.id for job in won} <= set(waiting)
        claims = self.hold(won)
        for claim in won if begin else ():
            self.begin(claim)
        return claims

    def at_once(self, workers: int, verb: Callable[[], Coroutine[Any, Any, Job | None]], there: int) -> list[Job]:
        """Let workers take as many jobs as there are: always the same ones, because Hypothesis replays orders."""

        async def together() -> list[Job]:
            return [job for job in await asyncio.gather(*(verb() for _ in range(workers))) if job is not None]

        won = self.do(together())
        while len(won) < min(workers, there):  # on PostgreSQL two may meet at one row, and one of them gets nothing
            another = self.do(verb())
            assert another is not None
            won.append(another)
        assert len(won) == min(workers, there)
        assert len({job.id for job in won}) == len(won)
        return sorted(won, key=lambda job: job.id)

    def hold(self, won: list[Job]) -> MultipleResults[Job]:
        for claim in won:
            job = self.jobs[claim.id]
            assert claim.lease_token not in (None, job.token)
            assert (claim.attempt, claim.cancel_requested) == (job.attempt, job.unwanted)
            job.status, job.token, job.lapsed = Status.RUNNING, claim.lease_token, False
            if attempt := self.do(attempts.under_way(claim)):
                self.carried[claim.lease_token] = attempt
        return multiple(*won)

    def ended(self, job_id: UUID, status: Status) -> None:
        job = self.jobs[job_id]
        if job.attempt is not None:
            self.attempts[job.attempt].ended = True
        job.status, job.token, job.attempt, job.lapsed = status, None, None, False

    def wait(self, job_id: UUID, seconds: float, counts: bool) -> None:
        job = self.jobs[job_id]
        job.status, job.token, job.turn, job.due, job.lapsed = Status.QUEUED, None, 0, not seconds, False
        job.retries += counts
        self.unless_canceled(job)

    def goes_back(self, job_id: UUID) -> None:
        self.wait(job_id, 0.0, counts=False)

    def unless_canceled(self, job: Expected) -> None:
        if job.unwanted and job.status == Status.QUEUED and job.attempt is None:
            job.status = Status.CANCELED

    def token_of(self, job_id: UUID) -> UUID:
        [row] = self.do(Job.select(Job.lease_token).where(Job.id == job_id).run())
        token: UUID = row["lease_token"]
        return token


async def _empty() -> None:
    for table in reversed(TABLES):
        if table is not Library:  # its mark is in storage
            await table.delete(force=True)


async def _everything() -> list[list[Row]]:
    tables = [await table.select().order_by(table.id) for table in (Job, Attempt, Output)]
    return [*tables, await PendingFile.select().order_by(PendingFile.key)]


async def _stored(claim: Job, storage: Storage) -> dict[str, str] | None:
    """Store a file, like a worker whose own clock is far behind."""
    carrier = asyncio.current_task()
    assert carrier is not None
    try:
        return await store.store(Lease(claim, carrier, inf), storage, {f"{claim.id}.png": b"picture"})
    except Lost:
        return None


@pytest.mark.timeout(400)  # shrinking a failing order takes a while
async def test_any_order_of_verbs_from_any_number_of_workers_keeps_the_invariants(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(events, "publish", lambda *_: None)
    for module in (lifecycle, circuit):  # thousands of hints, which other tests' workers would read
        monkeypatch.setattr(module, "generate_later", lambda *_: None)
    monkeypatch.setattr(circuit.log, "disabled", True)
    Everybody.loop = asyncio.get_running_loop()
    chosen = settings(
        max_examples=25 if DB.engine_type == "postgres" else 40,
        stateful_step_count=40,
        derandomize=True,
        database=None,
        deadline=None,
        print_blob=True,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    await asyncio.to_thread(run, Everybody, settings=chosen)
