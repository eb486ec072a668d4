"""The checks of what must hold after a round. Each reads the evidence and yields every violation."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Literal
from uuid import UUID

from tests.chaos.doubt import why_no_doubt
from tests.chaos.evidence import ENDED, SETTLED, Evidence, JobRow, Outage, Prediction, Submission, last_attempt

Kind = Literal["lost", "doubled", "wrong", "unnamed", "gave up", "money", "events", "other"]
KINDS: dict[Kind, str] = {
    "lost": "lost",
    "doubled": "doubled",
    "wrong": "wrong files",
    "unnamed": "unnamed files",
    "gave up": "gave up early",
    "money": "wrong sums",
    "events": "wrong events",
    "other": "other",
}
"""The kinds of violations -> their names in the table."""

CALLED_OFF = 60.0  # seconds: time for a search for the prediction, one takeover, and a few attempts to cancel it
FAR = 60.0  # seconds: with more time than this before its deadline, a job may not give up on a temporary error
PASSING = frozenset(
    {
        "download_failed", "download_incomplete", "download_timeout", "output_gone", "prediction_lost", "provider_away",
        "provider_error", "provider_timeout", "provider_unreachable", "rate_limited", "storage_unavailable",
    }
)  # fmt: skip
"""Codes of errors that pass within a round: no job may end with one of them as long as it has time."""


@dataclass(frozen=True)
class Violation:
    """A broken promise. kind: which one. job: the job that it concerns, if it concerns only one."""

    kind: Kind
    sentence: str
    job: UUID | None = None


def every_visitor_was_heard(evidence: Evidence) -> Iterator[Violation]:
    """Check that each visitor's job was accepted sooner or later: otherwise a round would prove little."""
    heard = sum(submission.job is not None for submission in evidence.submissions)
    if heard < evidence.visits:
        yield Violation("lost", f"{evidence.visits - heard} visitors were never told that their job is accepted")


def every_accepted_job_is_there(evidence: Evidence) -> Iterator[Violation]:
    """Check that every accepted job is in the database: a 202 is a promise."""
    prompts = {job.id: job.prompt for job in evidence.jobs}
    for submission in evidence.submissions:
        if submission.job and prompts.get(submission.job) != submission.prompt:
            yield Violation("lost", "was accepted, and is not in the database", submission.job)


def every_job_ended(evidence: Evidence) -> Iterator[Violation]:
    """Check that every job ended, including those whose response was lost."""
    for job in evidence.jobs:
        if job.status not in ENDED:
            yield Violation("lost", f"is still {job.status}", job.id)


def every_job_was_asked_for_once(evidence: Evidence) -> Iterator[Violation]:
    """Check that every job was requested, and that no request created two."""
    asked = {submission.prompt for submission in evidence.submissions}
    times = Counter(job.prompt for job in evidence.jobs)
    for job in evidence.jobs:
        if job.prompt not in asked or times[job.prompt] > 1:
            yield Violation("doubled", f"is one of {times[job.prompt]} jobs for {job.prompt!r}", job.id)


def every_end_is_explained(evidence: Evidence) -> Iterator[Violation]:
    """Check that each failure is explained by what the stand-in did, and each cancellation by a request for it.

    Other checks judge whether a job gave up on a temporary error, and whether an outcome was in doubt: see below.
    """
    asked = _by_prompt(evidence.submissions)
    for job in evidence.jobs:
        submission = asked.get(job.prompt)
        if submission is None:
            continue
        if job.status == "canceled" and not submission.cancels:
            yield Violation("other", "is canceled, and nobody asked for that", job.id)
        judged = _may_have_waited(job) or job.error_code == "submission_unknown"
        if job.status == "failed" and not judged and job.error_code not in submission.fate.codes:
            told = f"failed with {job.error_code}, which {submission.fate.name!r} does not explain"
            yield Violation("other", told, job.id)


def nothing_is_given_up_too_early(evidence: Evidence) -> Iterator[Violation]:
    """Check that jobs wait for temporary errors to pass.

    A job may call an outcome unknown only where it could not be known.
    """
    asked = _by_prompt(evidence.submissions)
    for job in evidence.jobs:
        fate = asked[job.prompt].fate.name if job.prompt in asked else "?"
        if job.status == "failed" and _may_have_waited(job):
            told = f"failed with {job.error_code}, {job.spare:.0f} s before its deadline; its fate was {fate!r}"
            yield Violation("gave up", told, job.id)
        if job.status == "failed" and job.error_code == "submission_unknown":
            why = why_no_doubt(job, evidence)
            if why is not None:
                yield Violation("gave up", f"failed with submission_unknown: {why}; its fate was {fate!r}", job.id)


def nothing_is_paid_twice(evidence: Evidence) -> Iterator[Violation]:
    """Check that no job pays for two predictions.

    A second one may be created only after the earlier one has ended without a result, or when a user requested a retry.
    """
    asked = _by_prompt(evidence.submissions)
    for prompt, predictions in _grouped(evidence.predictions).items():
        retries = asked[prompt].retries if prompt in asked else []
        for earlier, later in combinations(predictions, 2):
            over = earlier.status in SETTLED and earlier.ended is not None and earlier.ended <= later.created
            asked_for = any(earlier.created <= moment * 1000 <= later.created for moment in retries)
            if not over and not asked_for:
                told = f"{earlier.id} was {earlier.status} when {later.id} was created for {prompt!r}"
                yield Violation("doubled", told, asked[prompt].job if prompt in asked else None)


def no_prediction_is_shared(evidence: Evidence) -> Iterator[Violation]:
    """Check that each prediction belongs to at most one attempt."""
    times = Counter(attempt.prediction for attempt in evidence.attempts if attempt.prediction is not None)
    for attempt in evidence.attempts:
        if attempt.prediction is not None and times[attempt.prediction] > 1:
            told = f"{attempt.prediction} belongs to {times[attempt.prediction]} attempts"
            yield Violation("doubled", told, attempt.job)


def no_result_is_forgotten(evidence: Evidence) -> Iterator[Violation]:
    """Check that no result is lost, and that no prediction runs on for a job that has ended.

    Each prediction that delivered belongs to an attempt, and its job has the result, unless the prediction ended before
    it could be canceled.
    """
    known = {attempt.prediction for attempt in evidence.attempts}
    jobs, asked = {job.prompt: job for job in evidence.jobs}, _by_prompt(evidence.submissions)
    for prediction in evidence.predictions:
        job, submission = jobs.get(prediction.prompt), asked.get(prediction.prompt)
        if prediction.status in SETTLED:
            continue
        if prediction.ended is None and (job is None or job.status in ENDED):
            told = f"{prediction.id} is still {prediction.status} for {prediction.prompt!r}, which has ended"
            yield Violation("lost", told, job.id if job else None)
        elif job is not None and job.status == "completed" and prediction.id in known:
            continue
        elif submission is not None and (called_off := _called_off(prediction, submission)) is not None:
            late = (prediction.ended or 0) / 1000 - called_off
            if late > _patience(called_off, evidence.outages):
                told = f"{prediction.id} ran to its end, {late:.0f} s after {prediction.prompt!r} was canceled"
                yield Violation("lost", told, job.id if job else None)
        elif prediction.id not in known or job is None or job.status == "failed":
            told = f"{prediction.id} {prediction.status} for {prediction.prompt!r}, and nobody has what it made"
            yield Violation("lost", told, job.id if job else None)


def every_file_is_what_was_drawn(evidence: Evidence) -> Iterator[Violation]:
    """Check that each file has the same bytes as served, as recorded in the database, and as drawn by the stand-in."""
    predictions = {prediction.id: prediction for prediction in evidence.predictions}
    outputs = defaultdict(list)
    for output in sorted(evidence.outputs, key=lambda output: output.position):
        outputs[output.job].append((output.sha256, evidence.served.get(output.key)))
    for job in evidence.jobs:
        if job.status != "completed":
            continue
        attempt = last_attempt(job, evidence.attempts)
        source = predictions.get(attempt.prediction or "") if attempt else None
        drawn = [evidence.drawn.get(url) for url in source.urls] if source else []
        if not drawn or None in drawn or outputs[job.id] != [(sha256, sha256) for sha256 in drawn]:
            told = (
                f"{len(outputs[job.id])} files of {source.id if source else 'no prediction'} differ from what was drawn"
            )
            yield Violation("wrong", told, job.id)


def every_file_is_named(evidence: Evidence) -> Iterator[Violation]:
    """Check that storage holds the files that rows name, and nothing else once a worker had the time to remove it."""
    for key in sorted(evidence.stored - evidence.named):
        yield Violation("unnamed", f"{key} is in storage, and no row names it")
    for key in sorted(evidence.pending - (evidence.stored - evidence.named)):
        yield Violation("unnamed", f"{key} is noted as a file that no row names, and no worker takes the note back")
    for key in sorted(evidence.named - evidence.stored):
        yield Violation("wrong", f"{key} is not in storage, and a row names it")


def no_halt_is_the_accounts(evidence: Evidence) -> Iterator[Violation]:
    """Check that the queue was halted only because Replicate did not answer: the account is in order all the time."""
    for code in sorted(evidence.halts - {"provider_away"}):
        yield Violation("other", f"the queue was halted with {code}, and the account was well")


def no_lease_is_left(evidence: Evidence) -> Iterator[Violation]:
    """Check that no job that has ended is leased."""
    for job in evidence.jobs:
        if job.leased and job.status in ENDED:
            yield Violation("other", f"is {job.status}, and somebody holds its lease", job.id)


def no_attempt_is_open(evidence: Evidence) -> Iterator[Violation]:
    """Check that no job that has ended has an open attempt."""
    ended = {job.id: job.status for job in evidence.jobs if job.status in ENDED}
    for attempt in evidence.attempts:
        if attempt.open and attempt.job in ended:
            yield Violation("other", f"is {ended[attempt.job]}, and its attempt {attempt.number} is open", attempt.job)


def nothing_lies_about(evidence: Evidence) -> Iterator[Violation]:
    """Check that there is no partial file, no late process, and no response that reports an error of our own."""
    for thing in (*evidence.litter, *evidence.stragglers, *evidence.answers):
        yield Violation("other", thing)


def the_money_adds_up(evidence: Evidence) -> Iterator[Violation]:
    """Check that each prediction cost what the stand-in charged, and that budgets agree with the ledger and the holds.

    Money is held only for jobs of which nobody knows whether a prediction runs for them.
    """
    jobs, known = {job.prompt: job for job in evidence.jobs}, {attempt.prediction for attempt in evidence.attempts}
    for prediction in evidence.predictions:
        job, cost = jobs.get(prediction.prompt), evidence.costs.get(prediction.id, 0)
        doubtful = job is not None and job.id in evidence.held and prediction.id not in known
        if cost != prediction.charged and not doubtful:
            told = f"{prediction.id} ({prediction.status}) cost {cost}, and {prediction.charged} was charged"
            yield Violation("money", told, job.id if job else None)
    for budget in evidence.budgets:
        if (budget.spent, budget.held) != (budget.settled, budget.holds):
            yield Violation("money", f"{budget} does not agree with the ledger and the holds")
    for job in evidence.jobs:
        if job.id in evidence.held and job.error_code != "submission_unknown":
            yield Violation("money", f"is {job.status}, and money is held for it", job.id)


def every_end_is_told(evidence: Evidence) -> Iterator[Violation]:
    """Check that each ended job is told as it ended, and that everything that was to be told arrived at least once.

    What was on its way to a receiver that is gone need not arrive.
    """
    told = {(heard.job, heard.type) for heard in evidence.heard if heard.accepted and heard.receiver == "steady"}
    arrived = {(heard.receiver, heard.id) for heard in evidence.heard if heard.accepted}
    for job in evidence.jobs:
        if job.status in ENDED and (job.id, f"job.{job.status}") not in told:
            yield Violation("events", f"is {job.status}, and nobody was told", job.id)
    for event in evidence.events:
        if event.receiver not in evidence.disabled and (event.receiver, event.id) not in arrived:
            yield Violation("events", f"{event.type} ({event.id}) is {event.state}, and did not arrive", event.job)


def no_event_is_made_up(evidence: Evidence) -> Iterator[Violation]:
    """Check that whatever arrived was signed, was to be told, and says what happened."""
    known = {(event.receiver, event.id, event.type, event.job) for event in evidence.events}
    for heard in evidence.heard:
        if not heard.signed:
            yield Violation(
                "events", f"{heard.id} arrived at the {heard.receiver} receiver, and is not signed", heard.job
            )
        if (heard.receiver, heard.id, heard.type, heard.job) not in known:
            yield Violation("events", f"{heard.type} ({heard.id}) arrived, and never happened", heard.job)


def events_arrive_in_order(evidence: Evidence) -> Iterator[Violation]:
    """Check that no event arrived at a receiver before the earlier ones of its job had been accepted there."""
    places = {event.id: event.place for event in evidence.events}
    accepted: defaultdict[tuple[str, UUID], int] = defaultdict(int)
    for heard in evidence.heard:
        place, line = places.get(heard.id, 0), (heard.receiver, heard.job)
        if place > accepted[line] + 1:
            yield Violation("events", f"{heard.type} ({heard.id}) arrived too early", heard.job)
        if heard.accepted:
            accepted[line] = max(accepted[line], place)


def who_is_gone_is_left_alone(evidence: Evidence) -> Iterator[Violation]:
    """Check that a receiver that says it is gone is disabled, and no other."""
    if evidence.disabled != {"leaving": "gone"}:
        yield Violation("events", f"the receivers that are disabled: {evidence.disabled}")


CHECKS: tuple[Callable[[Evidence], Iterator[Violation]], ...] = (
    every_visitor_was_heard,
    every_accepted_job_is_there,
    every_job_ended,
    every_job_was_asked_for_once,
    every_end_is_explained,
    nothing_is_given_up_too_early,
    nothing_is_paid_twice,
    no_prediction_is_shared,
    no_result_is_forgotten,
    every_file_is_what_was_drawn,
    every_file_is_named,
    no_halt_is_the_accounts,
    no_lease_is_left,
    no_attempt_is_open,
    the_money_adds_up,
    every_end_is_told,
    no_event_is_made_up,
    events_arrive_in_order,
    who_is_gone_is_left_alone,
    nothing_lies_about,
)


def violations(evidence: Evidence) -> list[Violation]:
    """Return all violations."""
    return [violation for check in CHECKS for violation in check(evidence)]


def _may_have_waited(job: JobRow) -> bool:
    return job.error_code in PASSING and job.spare > FAR


def _called_off(prediction: Prediction, submission: Submission) -> float | None:
    """Return the time at which a prediction existed and its cancellation had been requested.

    Returns None when no cancellation was requested, or when a retry since then requested another prediction.
    """
    created = prediction.created / 1000
    meant = [
        cancel for cancel in submission.cancels if not any(cancel <= moment <= created for moment in submission.retries)
    ]
    return max(*meant, created) if meant else None


def _patience(moment: float, outages: list[Outage]) -> float:
    """Return within how many seconds of a moment a prediction must be canceled.

    This includes the time to find it, and is extended by outages in between.
    """
    until = moment + CALLED_OFF
    for outage in sorted(outages, key=lambda outage: outage.start):
        if outage.on != "file" and moment < outage.end and outage.start < until:
            until += outage.end - max(outage.start, moment)
    return until - moment


def _by_prompt(submissions: list[Submission]) -> dict[str, Submission]:
    return {submission.prompt: submission for submission in submissions}


def _grouped(predictions: list[Prediction]) -> dict[str, list[Prediction]]:
    groups = defaultdict(list)
    for prediction in sorted(predictions, key=lambda prediction: prediction.created):
        groups[prediction.prompt].append(prediction)
    return groups
