"""The span of a run of a job, which begins a trace: a worker creates, or continues, an attempt.

The request for the job may have been hours ago, so its trace is only linked to. The attributes are those of
OpenTelemetry's conventions for generative AI, and never the prompt.
"""

from tasks.db.tables import Job
from tasks.errors import Failure
from tasks.jobs.leases import Lease
from tasks.replicate.client import Prediction
from tasks.tracing import spans
from tasks.tracing.spans import Span

OPERATION = "generate_content"


def begin(job: Job) -> Span:
    """Return the span of a run that begins now."""
    said = {
        "gen_ai.operation.name": OPERATION,
        "gen_ai.provider.name": "replicate",
        "gen_ai.request.model": job.model,
        "darkroom.job.id": str(job.id),
        "darkroom.owner": str(job.owner) if job.owner else None,
    }
    return spans.trace(f"{OPERATION} {job.model}", said, job.traceparent)


def note(span: Span, job: Job, prediction: Prediction) -> None:
    """Note which prediction it is, and the seed that was sent with it."""
    span.note({"gen_ai.request.seed": job.seed, "gen_ai.response.id": prediction.id})


def fail(lease: Lease, failure: Failure) -> None:
    """Mark the span as failed, unless a user wanted the job canceled."""
    if not lease.cancel_requested:
        lease.span.fail(failure.code)
