"""Examples of what programs send and get, by their names in the OpenAPI document."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from tasks.db.tables import Stage, Status
from tasks.db.webhook_tables import DeliveryState
from tasks.jobs.budgets import Period, Scope
from tasks.jobs.quotes import QuoteBasis
from webapp.schemas.batches import Axis, Batch, Counts, SubmittedBatch
from webapp.schemas.jobs import FinishedJob, FinishedJobs, Job, JobPage, Outcome, Output, Queue, SubmittedJob
from webapp.schemas.library import Made, Upload
from webapp.schemas.members import Kind, Priority
from webapp.schemas.money import BudgetState, Estimate, Price, Spend, Spent, SpentBy, SpentOnDay
from webapp.schemas.problems import Readiness
from webapp.schemas.webhooks import Delivery, DeliveryPage, SigningSecret

JOB_ID, BATCH_ID = UUID("019ab0c4-5d1e-7b36-9533-e50ac26d7632"), UUID("019ab0c4-5d1e-7b36-9533-e50ac26d7640")
CREATED = datetime(2026, 11, 22, 20, 15, 1, 42000, tzinfo=UTC)
PROMPT, SDXL, SIZE = "A futuristic city at sunset", "stability-ai/sdxl", {"width": 512, "height": 512}
SHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def _job(status: Status, **members: Any) -> Job:
    given: dict[str, Any] = {
        "job_id": JOB_ID, "prompt": PROMPT, "model": SDXL, "parameters": SIZE, "priority": Priority.NORMAL,
        "created_at": CREATED, "retry_count": 0,
    }  # fmt: skip
    return Job(status=status, **given | members)


def _after(seconds: float) -> datetime:
    return CREATED + timedelta(seconds=seconds)


ESTIMATES = {
    "four pictures": Estimate(
        1, QuoteBasis.METRICS, "0.012", "0.012",
        Price(
            "$3.00 per thousand output images", "https://replicate.com/black-forest-labs/flux-schnell",
            date(2026, 10, 1),
        ),
    ),
    "no known price": Estimate(1, QuoteBasis.UNKNOWN),
}  # fmt: skip
SPENT: dict[str, Any] = {"runs": 4, "usd": "0.012", "micros": 12_000}
SPEND = {
    "month": Spend(
        month="2026-11", total=Spent(**SPENT), today=Spent(**SPENT), days=[SpentOnDay(day=CREATED.date(), **SPENT)],
        models=[SpentBy(name="black-forest-labs/flux-schnell", **SPENT)], people=[SpentBy(name="anna", **SPENT)],
        keys=[SpentBy(name="anna/ci", **SPENT)],
        budgets=[
            BudgetState(
                scope=Scope.PERSON, name="anna", period=Period.MONTH, limit="5.00", spent="0.012", held="0.00",
                left="4.988", resets_at=datetime(2026, 12, 1, tzinfo=UTC),
            )
        ],
    )
}  # fmt: skip

DEADLINE = _after(86400)
WAITING = _job(Status.QUEUED, place=3, estimated_start=_after(8), deadline_at=DEADLINE)
RETRYING = _job(
    Status.QUEUED, retry_at=_after(8), last_error="The model is temporarily unavailable.",
    last_error_code="provider_busy", deadline_at=DEADLINE, retry_count=1,
)  # fmt: skip
RUNNING = _job(Status.RUNNING, stage=Stage.PROCESSING, progress=0.42, deadline_at=DEADLINE, started_at=_after(0.5))
COMPLETED = _job(
    Status.COMPLETED,
    result_url=f"/media/{JOB_ID}.png",
    outputs=[
        Output(
            position=0, url=f"/media/{JOB_ID}.png", kind=Kind.IMAGE, media_type="image/png", bytes=425946, width=512,
            height=512, sha256=SHA256, preview_url=f"/media/{JOB_ID}-0.preview.webp",
        )
    ],
    started_at=_after(0.5),
    finished_at=_after(3.7),
)  # fmt: skip
FAILED = _job(
    Status.FAILED, error="API timeout while calling Replicate.", error_code="provider_timeout",
    finished_at=_after(403), retry_count=4,
)  # fmt: skip
JOBS = {"queued": WAITING, "retrying": RETRYING, "running": RUNNING, "completed": COMPLETED, "failed": FAILED}
IN_FRONT = {"in_front": _job(Status.QUEUED, place=1, deadline_at=DEADLINE)}
QUEUED_AGAIN = {"queued": WAITING}
DEQUEUED = {"dequeued": _job(Status.CANCELED, finished_at=_after(1), cancel="dequeued")}
REQUESTED = {
    "requested": _job(
        Status.RUNNING, stage=Stage.PROCESSING, deadline_at=DEADLINE, started_at=_after(0.5), cancel="requested"
    )
}
SUBMITTED = {"queued": SubmittedJob(JOB_ID, Status.QUEUED)}
JOB_PAGE = {"page": JobPage([FAILED], "/jobs.json?q=city&cursor=bgGasMRdHns2lTPlDsJtdjI&limit=1")}
QUEUE = {"queue": Queue(running=1, waiting=3, estimated_last_start=_after(8), jobs=[RUNNING, WAITING])}
PAUSES: dict[str, dict[str, Any]] = {
    "model": {"model": "minimax/hailuo-02", "reason": "Too expensive this week", "until": "2030-01-01T08:00:00Z"},
    "queue": {},
}
RESUMES: dict[str, dict[str, Any]] = {"model": {"model": "minimax/hailuo-02"}, "queue": {}}
FINISHED = {"finished": FinishedJobs(_after(15), [FinishedJob(JOB_ID, PROMPT)])}

REQUESTS: dict[str, dict[str, Any]] = {
    "parameters_as_text": {"prompt": PROMPT, "parameters": '{"width":512,"height":512}'},
    "model": {
        "prompt": "A lighthouse in a storm, oil on canvas", "model": "black-forest-labs/flux-schnell",
        "parameters": {"aspect_ratio": "3:2", "num_outputs": 2},
    },
    "urgent": {"prompt": PROMPT, "priority": "high", "finish_within": 300},
    "webhook": {"prompt": PROMPT, "webhook": "https://example.org/hook"},
}  # fmt: skip
BATCH_REQUESTS: dict[str, dict[str, Any]] = {
    "prompts": {"prompt": "{red|blue} fox in {snow|sand}", "seeds": 3},
    "models": {
        "prompt": "A lighthouse in a storm", "models": [SDXL, "black-forest-labs/flux-schnell"], "seeds": [7, 8],
    },
}  # fmt: skip
SUBMITTED_BATCH = {"queued": SubmittedBatch(BATCH_ID, [*SUBMITTED.values()])}
BATCH = {
    "batch": Batch(
        BATCH_ID,
        "{red|blue} city",
        [Axis("prompt", ["red", "blue"])],
        CREATED,
        Counts(queued=1, running=0, completed=0, failed=0, canceled=0, deleted=1),
        [_job(Status.QUEUED, place=1, prompt="blue city", batch=BATCH_ID)],
    )
}
CHANGE: dict[str, dict[str, Any]] = {
    "change": {"favorite": True, "rating": 4, "tags": ["sea", "for print"]},
    "one_output": {"outputs": [{"position": 2, "favorite": True}, {"position": 3, "trashed": True}]},
}
SELECTION = {"tag": {"action": "tag", "tag": "sea", "all": "1", "q": "harbor fav:yes"}}
OUTCOME = {"outcome": Outcome(37, 0, "/undo/019ab0c4-6a02-7c11-8d0e-1f2f4c7b9a55")}
UPLOAD = {"upload": Upload(
    url=f"/media/upload-{JOB_ID}.png", kind=Kind.IMAGE, media_type="image/png", bytes=48211, width=640, height=400,
    sha256=SHA256,
)}  # fmt: skip
IMPRINT = {"imprint": Made("/?prompt=A+futuristic+city&model=stability-ai%2Fsdxl&p.width=512&p.seed=7")}
FAILED_DELIVERY = Delivery(
    id=UUID("019ab0c4-7c11-7d02-8a10-0d7e5b1c2f33"), type="job.completed", job_id=JOB_ID,
    to="https://example.org/hook?…", state=DeliveryState.FAILED, created_at=CREATED, tries=8,
    outcome="server_error", status=503,
)  # fmt: skip
DELIVERY_PAGE = {"failed": DeliveryPage([FAILED_DELIVERY])}
DELIVERY = {"failed": FAILED_DELIVERY}
SIGNING_SECRET = {"secret": SigningSecret("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD")}
NOT_READY = {"not_ready": Readiness(
    "not ready",
    {
        "database": "ok", "redis": "ok", "storage": "ok", "worker": "RuntimeError: no worker seen in the last 30 s",
        "queue": "halted: The Replicate account has no credit. (since 2026-11-22 20:15:01 UTC)",
    },
)}  # fmt: skip
