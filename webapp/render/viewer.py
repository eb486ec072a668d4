"""Who the page that is rendered is for: what it offers depends on it."""

from contextvars import ContextVar

from tasks.accounts.actors import STRANGER, Actor

viewer: ContextVar[Actor] = ContextVar("viewer", default=STRANGER)
