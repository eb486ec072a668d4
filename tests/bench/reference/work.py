"""The reference's worker: Celery, prefork, a task for each job that creates its prediction, polls it and saves it."""

import time
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import httpx
from celery import Celery
from celery.signals import worker_process_init
from sqlmodel import Session

from tests.bench.reference.settings import settings
from tests.bench.reference.tables import Job, Status, engine, now

PROCESSES = 8
ENDED = ("succeeded", "failed", "canceled", "aborted")

celery = Celery("reference", broker=settings.broker_url)
celery.conf.update(
    task_ignore_result=True,  # the table holds the result of a job
    task_acks_late=True,  # a worker that dies loses nothing
    worker_prefetch_multiplier=1,  # because tasks are long
    worker_concurrency=PROCESSES,
    broker_pool_limit=40,  # as many as the web process has threads
    broker_connection_retry_on_startup=True,
)

replicate = httpx.Client(
    base_url=settings.replicate_api_url,
    headers={"Authorization": f"Bearer {settings.replicate_api_token}"},
    timeout=30,
)
files = httpx.Client(timeout=60)


@worker_process_init.connect
def _own_connections(**_: Any) -> None:
    """Discard the parent's connections, which a forked process must not use."""
    engine.dispose(close=False)


@celery.task(bind=True, autoretry_for=(httpx.HTTPError,), retry_backoff=True, max_retries=5)
def generate(_: Any, job_id: str) -> None:
    """Run a job to its end."""
    with Session(engine) as database:
        job = database.get_one(Job, UUID(job_id))
        job.status, job.started_at = Status.RUNNING, now()
        database.commit()
        version, given = job.model, {"prompt": job.prompt, **job.parameters}
    prediction = _ended(_create(version, given))
    result = _save(job_id, prediction) if prediction["status"] == "succeeded" else None
    with Session(engine) as database:
        job = database.get_one(Job, UUID(job_id))
        job.status = Status.COMPLETED if result else Status.FAILED
        job.result_url, job.error, job.finished_at = result, prediction["error"], now()
        database.commit()


def _create(version: str, given: dict[str, Any]) -> dict[str, Any]:
    answer = replicate.post("/predictions", json={"version": version, "input": given}).raise_for_status()
    return dict(answer.json())


def _ended(prediction: dict[str, Any]) -> dict[str, Any]:
    while prediction["status"] not in ENDED:
        time.sleep(settings.poll_seconds)
        prediction = replicate.get(f"/predictions/{prediction['id']}").raise_for_status().json()
    return prediction


def _save(job_id: str, prediction: dict[str, Any]) -> str:
    output = prediction["output"]
    url = output if isinstance(output, str) else output[0]
    name = f"{job_id}.{urlsplit(url).path.rpartition('.')[2]}"
    with files.stream("GET", url) as answer, (settings.media / name).open("wb") as file:
        answer.raise_for_status()
        for chunk in answer.iter_bytes():
            file.write(chunk)
    return f"/media/{name}"
