"""The log of a command: on stderr, each message on one line."""

import logging

from tasks.settings import Settings


def begin(settings: Settings) -> None:
    """Log our own messages from LOG_LEVEL on, and those of libraries from the next higher level than DEBUG and INFO."""
    ours = settings.log_level.upper()
    theirs = {"DEBUG": "INFO", "INFO": "WARNING"}.get(ours, ours)
    handler = logging.StreamHandler()
    handler.setFormatter(InALine("%(asctime)s %(levelname)s %(name)s: %(message)s", "%H:%M:%S"))
    logging.basicConfig(handlers=[handler], level=theirs)
    logging.getLogger("uvicorn").setLevel(theirs)
    logging.getLogger("uvicorn.error").addFilter(_is_news)
    for name in ("tasks", "webapp"):
        logging.getLogger(name).setLevel(ours)


class InALine(logging.Formatter):
    """A formatter that keeps each message on one line: a line break in a client's URL or header could forge another.

    Only a traceback that is part of a message (extra={"has_traceback": True}) keeps its lines.
    """

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  (logging's name)
        """Return the message on one line."""
        line = super().formatMessage(record)
        kept = "\n" if getattr(record, "has_traceback", False) else ""
        return "".join(sign if sign.isprintable() or sign in kept else repr(sign)[1:-1] for sign in line)


def _is_news(record: logging.LogRecord) -> bool:
    """Return whether uvicorn's message is not about an incomplete body: http/streams.py has logged the reason."""
    return record.msg != "ASGI callable returned without completing response."
