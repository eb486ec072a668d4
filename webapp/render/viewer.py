"""Who the page that is rendered is for: what its menu offers depends on it, and nothing else."""

from contextvars import ContextVar

from tasks.accounts.actors import STRANGER, Actor

viewer: ContextVar[Actor] = ContextVar("viewer", default=STRANGER)
