"""Decides whether a job may report that the outcome of its request to create a prediction is unknown."""

from tasks.standin.faults import Met
from tests.chaos.evidence import AttemptRow, Evidence, JobRow, last_attempt

CERTAIN = (401, 402, 403, 404, 413, 422, 429)
"""Statuses that prove that nothing was created."""
DOUBTFUL = ("reset", "html502", "hang", "drop_answer", "hang_answer", "truncate", "stall")
UNDER_WAY = 3.0  # seconds that a request to create a prediction may take on a busy machine
BEFORE = 0.5  # seconds by which a blow or a fault may seem to precede the attempt that it struck
IN_FLIGHT = 3.0  # seconds after the first create that an outage hit; no attempt may begin later


def why_no_doubt(job: JobRow, evidence: Evidence) -> str | None:
    """Return why the outcome of the last attempt was, or could have been, known. Returns None when it could not."""
    attempt = last_attempt(job, evidence.attempts)
    if attempt is None:
        return "nothing was ever sent"
    start = attempt.created_at.timestamp() - BEFORE
    for prediction in evidence.predictions:
        if prediction.prompt == job.prompt and prediction.created >= start * 1000:
            return f"{prediction.id} was created, and could have been found"
    doubts = [met for met in evidence.met if met.at >= start and job.prompt in met.subject and _leaves_doubt(met)]
    if _was_struck(attempt, doubts, evidence) or any(met.rule.match for met in doubts):
        return None
    if not doubts:
        return "no answer to its create left a doubt"
    late = min(attempt.created_at.timestamp() - _first_met(met, evidence) for met in doubts)
    return f"it was begun {late:.0f} s into an outage" if late > IN_FLIGHT else None


def _leaves_doubt(met: Met) -> bool:
    said_so = met.rule.do in ("status", "deny") and met.rule.status not in CERTAIN
    return met.on == "create" and (said_so or met.rule.do in DOUBTFUL)


def _was_struck(attempt: AttemptRow, doubts: list[Met], evidence: Evidence) -> bool:
    """Return whether the worker, the database or the stand-in was struck while the request was under way.

    This is the time between the record that it would be sent and its answer. A stop by SIGTERM is not such a blow: a
    worker that stops has the time to receive the answer.
    """
    start = attempt.created_at.timestamp()
    end = start + UNDER_WAY + sum(met.rule.seconds for met in doubts)
    return any(start - BEFORE <= blow <= end for blow in evidence.blows)


def _first_met(met: Met, evidence: Evidence) -> float:
    """Return when the outage that a create met had hit its first create."""
    began = max(outage.start for outage in evidence.outages if outage.on == "any" and outage.start <= met.at + BEFORE)
    others = [other.at for other in evidence.met if (other.on, other.rule.on) == ("create", "any")]
    return min(moment for moment in others if moment >= began - BEFORE)
