"""The reference's only table, and its engine: pooled on PostgreSQL, in WAL mode on SQLite."""

from collections.abc import Iterator
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import JSON, Column, DateTime, event
from sqlmodel import Field, Session, SQLModel, create_engine

from tests.bench.reference.settings import settings

SQLITE = settings.database_url.startswith("sqlite")


class Status(StrEnum):
    """The state of a job."""

    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"


def now() -> datetime:
    """Return the current time, in UTC."""
    return datetime.now(UTC)


class Job(SQLModel, table=True):  # type: ignore[call-arg]
    """A job: one prompt to make a picture from."""

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    status: str = Status.QUEUED
    prompt: str
    model: str
    parameters: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    result_url: str | None = None
    error: str | None = None
    retry_count: int = 0
    created_at: datetime = Field(default_factory=now, sa_type=DateTime(timezone=True))
    started_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))
    finished_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))


engine = create_engine(
    settings.database_url,
    pool_size=40,  # as many as FastAPI has threads for `def` endpoints
    max_overflow=0,
    connect_args={"check_same_thread": False, "timeout": 15} if SQLITE else {},
)

if SQLITE:

    @event.listens_for(engine, "connect")
    def _pragmas(connection: Any, _: Any) -> None:
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL"):
            connection.execute(f"PRAGMA {pragma}")


def session() -> Iterator[Session]:
    """Yield a session for one request."""
    with Session(engine) as opened:
        yield opened
