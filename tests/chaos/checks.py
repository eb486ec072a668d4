"""What must hold after a round: each check reads the evidence and names every violation."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Literal
from uuid import UUID

from tests.chaos.evidence import ENDED, SETTLED, AttemptRow, Evidence, JobRow, Prediction, Submission

Kind = Literal["lost", "doubled", "wrong", "other"]

UNDER_WAY = 3.0  # seconds that a request to create a prediction may be under way on a busy machine


@dataclass(frozen=True)
class Violation:
    """A promise that was not kept. kind: which one. job: whose, where it is one job's."""

    kind: Kind
    sentence: str
    job: UUID | None = None


def every_visitor_was_heard(evidence: Evidence) -> Iterator[Violation]:
    """Sooner or later each one's job is accepted: without that, a round would prove little."""
    heard = sum(submission.job is not None for submission in evidence.submissions)
    if heard < evidence.visits:
        yield Violation("lost", f"{evidence.visits - heard} visitors were never told that their job is accepted")


def every_accepted_job_is_there(evidence: Evidence) -> Iterator[Violation]:
    """A 202 was a promise."""
    prompts = {job.id: job.prompt for job in evidence.jobs}
    for submission in evidence.submissions:
        if submission.job and prompts.get(submission.job) != submission.prompt:
            yield Violation("lost", "was accepted, and is not in the database", submission.job)


def every_job_ended(evidence: Evidence) -> Iterator[Violation]:
    """Also those whose answer was lost."""
    for job in evidence.jobs:
        if job.status not in ENDED:
            yield Violation("lost", f"is still {job.status}", job.id)


def every_job_was_asked_for_once(evidence: Evidence) -> Iterator[Violation]:
    """No job comes from nothing, and none twice."""
    asked = {submission.prompt for submission in evidence.submissions}
    times = Counter(job.prompt for job in evidence.jobs)
    for job in evidence.jobs:
        if job.prompt not in asked or times[job.prompt] > 1:
            yield Violation("doubled", f"is one of {times[job.prompt]} jobs for {job.prompt!r}", job.id)


def every_end_is_explained(evidence: Evidence) -> Iterator[Violation]:
    """A failure by what the stand-in did or a blow, a cancellation by somebody who asked for it."""
    asked = _by_prompt(evidence.submissions)
    for job in evidence.jobs:
        submission = asked.get(job.prompt)
        if submission is None:
            continue
        if job.status == "canceled" and not submission.canceled:
            yield Violation("other", "is canceled, and nobody asked for that", job.id)
        if job.status == "failed" and not _explained(job, submission, evidence):
            told = f"failed with {job.error_code}, which {submission.fate.name!r} does not explain"
            yield Violation("other", told, job.id)


def nothing_is_paid_twice(evidence: Evidence) -> Iterator[Violation]:
    """No second prediction while an earlier one could still deliver, or had, unless a person asked for another."""
    asked = _by_prompt(evidence.submissions)
    for prompt, predictions in _grouped(evidence.predictions).items():
        retries = asked[prompt].retries if prompt in asked else []
        for earlier, later in combinations(predictions, 2):
            over = earlier.status in SETTLED and earlier.ended is not None and earlier.ended <= later.created
            asked_for = any(earlier.created <= moment * 1000 <= later.created for moment in retries)
            if not over and not asked_for:
                told = f"{earlier.id} was {earlier.status} when {later.id} was created for {prompt!r}"
                yield Violation("doubled", told, asked[prompt].job if prompt in asked else None)


def no_result_is_forgotten(evidence: Evidence) -> Iterator[Violation]:
    """Each prediction that delivered is some attempt's own, and its job has it, unless it was canceled."""
    known = {attempt.prediction for attempt in evidence.attempts}
    jobs = {job.prompt: job for job in evidence.jobs}
    called_off = {submission.prompt for submission in evidence.submissions if submission.canceled}
    for prediction in evidence.predictions:
        job = jobs.get(prediction.prompt)
        if prediction.status in SETTLED or prediction.prompt in called_off:
            continue
        if prediction.id not in known or job is None or job.status == "failed":
            told = f"{prediction.id} {prediction.status} for {prediction.prompt!r}, and nobody has what it made"
            yield Violation("lost", told, job.id if job else None)


def every_file_is_what_was_drawn(evidence: Evidence) -> Iterator[Violation]:
    """As served, as the database sums it up, and as the stand-in drew it: the same bytes, all of them."""
    predictions = {prediction.id: prediction for prediction in evidence.predictions}
    outputs = defaultdict(list)
    for output in sorted(evidence.outputs, key=lambda output: output.position):
        outputs[output.job].append((output.sha256, evidence.served.get(output.key)))
    for job in evidence.jobs:
        if job.status != "completed":
            continue
        source = predictions.get(_last(job, evidence.attempts) or "")
        drawn = [evidence.drawn.get(url) for url in source.urls] if source else []
        if not drawn or None in drawn or outputs[job.id] != [(sha256, sha256) for sha256 in drawn]:
            told = (
                f"{len(outputs[job.id])} files of {source.id if source else 'no prediction'} differ from what was drawn"
            )
            yield Violation("wrong", told, job.id)


def no_lease_is_left(evidence: Evidence) -> Iterator[Violation]:
    """Nobody holds a job that has ended."""
    for job in evidence.jobs:
        if job.leased and job.status in ENDED:
            yield Violation("other", f"is {job.status}, and somebody holds its lease", job.id)


def no_attempt_is_open(evidence: Evidence) -> Iterator[Violation]:
    """A job that has ended tries nothing any more."""
    ended = {job.id: job.status for job in evidence.jobs if job.status in ENDED}
    for attempt in evidence.attempts:
        if attempt.open and attempt.job in ended:
            yield Violation("other", f"is {ended[attempt.job]}, and its attempt {attempt.number} is open", attempt.job)


def nothing_lies_about(evidence: Evidence) -> Iterator[Violation]:
    """No half file, no process that should have ended, and no answer that tells of a fault of our own."""
    for thing in (*evidence.litter, *evidence.stragglers, *evidence.answers):
        yield Violation("other", thing)


CHECKS: tuple[Callable[[Evidence], Iterator[Violation]], ...] = (
    every_visitor_was_heard,
    every_accepted_job_is_there,
    every_job_ended,
    every_job_was_asked_for_once,
    every_end_is_explained,
    nothing_is_paid_twice,
    no_result_is_forgotten,
    every_file_is_what_was_drawn,
    no_lease_is_left,
    no_attempt_is_open,
    nothing_lies_about,
)


def violations(evidence: Evidence) -> list[Violation]:
    """Everything that is wrong."""
    return [violation for check in CHECKS for violation in check(evidence)]


def _explained(job: JobRow, submission: Submission, evidence: Evidence) -> bool:
    if job.error_code in submission.fate.codes:
        return True
    # Its worker, or the database, was struck between the note that a prediction would be created and its creation.
    # To be stopped by SIGTERM is no such blow: a worker that stops has the time to hear the answer.
    start = max((attempt.created_at.timestamp() for attempt in evidence.attempts if attempt.job == job.id), default=0.0)
    end = start + UNDER_WAY + sum(rule.seconds for rule in submission.fate.rules if rule.do.startswith("hang"))
    struck = any(start - 0.5 <= blow <= end for blow in evidence.blows)
    return job.error_code == "submission_unknown" and struck


def _by_prompt(submissions: list[Submission]) -> dict[str, Submission]:
    return {submission.prompt: submission for submission in submissions}


def _grouped(predictions: list[Prediction]) -> dict[str, list[Prediction]]:
    groups = defaultdict(list)
    for prediction in sorted(predictions, key=lambda prediction: prediction.created):
        groups[prediction.prompt].append(prediction)
    return groups


def _last(job: JobRow, attempts: list[AttemptRow]) -> str | None:
    own = sorted((attempt for attempt in attempts if attempt.job == job.id), key=lambda attempt: attempt.number)
    return own[-1].prediction if own else None
