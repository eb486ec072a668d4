"""The reference: the stack that people would write instead (FastAPI, SQLModel, Celery and Redis), with the same API."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, FastAPI, HTTPException
from pydantic import BaseModel, BeforeValidator, Field
from sqlmodel import Session, SQLModel

from tests.bench.reference.settings import settings
from tests.bench.reference.tables import Job, engine, session
from tests.bench.reference.work import generate as generate_task


def _read(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value


class Order(BaseModel):
    """The body of POST /generate. parameters: an object, or a string that holds one."""

    prompt: str = Field(min_length=1, max_length=10_000)
    model: str = settings.default_model
    parameters: Annotated[dict[str, Any], BeforeValidator(_read)] = {}


class Accepted(BaseModel):
    """The response to POST /generate."""

    job_id: UUID
    status: str


class Shown(BaseModel):
    """The response to GET /status."""

    job_id: UUID
    status: str
    prompt: str
    model: str
    parameters: dict[str, Any]
    result_url: str | None
    error: str | None
    retry_count: int
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


@asynccontextmanager
async def _lifespan(_: FastAPI) -> AsyncIterator[None]:
    SQLModel.metadata.create_all(engine)
    yield
    engine.dispose()


app = FastAPI(lifespan=_lifespan)
Database = Annotated[Session, Depends(session)]


@app.post("/generate", status_code=202)
def generate(order: Order, database: Database) -> Accepted:
    """Create a job that makes a picture from a prompt."""
    job = Job(prompt=order.prompt, model=order.model, parameters=order.parameters)
    answer = Accepted(job_id=job.id, status=job.status)
    database.add(job)
    database.commit()  # before the worker receives the job
    generate_task.delay(str(answer.job_id))
    return answer


@app.get("/status/{job_id}", response_model_exclude_none=True)
def status(job_id: UUID, database: Database) -> Shown:
    """Return the state of a job."""
    job = database.get(Job, job_id)
    if job is None:
        raise HTTPException(404, "There is no such job.")
    return Shown(job_id=job.id, **job.model_dump(exclude={"id"}))


@app.get("/healthz")
async def healthz() -> dict[str, str]:
    """Report that the process is alive."""
    return {"status": "ok"}
