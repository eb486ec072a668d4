"""The log of a command: on stderr, each message as a line of text or as a JSON object, without secrets."""

import logging
import re
import sys
from functools import partial
from types import TracebackType

from structlog.contextvars import merge_contextvars
from structlog.processors import ExceptionRenderer, JSONRenderer, TimeStamper
from structlog.stdlib import ProcessorFormatter, add_log_level, add_logger_name
from structlog.typing import EventDict, Processor

from tasks.settings import Settings
from webapp.cli import tracebacks

SECRETS = re.compile(
    r"(?<=//)[^/\s@]+(?=@)"  # the name and the password in an address
    r"|(?<=/welcome/)[\w-]+"  # what lets a person set a password
    r"|(?<=Bearer )[^\s'\"]+|(?<=Basic )[^\s'\"]+"
    r"|(?<![A-Za-z0-9])(?:dk_[A-Za-z0-9]{20,}|r8_[A-Za-z0-9]{20,}|whsec_[A-Za-z0-9+/=_-]+)"
)
"""What is left out of every message, whoever wrote it there: an error of a library may quote a header or an address."""

log = logging.getLogger("webapp")


def begin(settings: Settings) -> None:
    """Log our own messages from LOG_LEVEL on, and those of libraries from the next higher level than DEBUG and INFO."""
    ours = settings.log_level.upper()
    theirs = {"DEBUG": "INFO", "INFO": "WARNING"}.get(ours, ours)
    handler = logging.StreamHandler()
    handler.setFormatter(formatter(settings.log_format, whole=settings.log_level == "debug"))
    logging.basicConfig(handlers=[handler], level=theirs)
    logging.getLogger("uvicorn").setLevel(theirs)
    logging.getLogger("uvicorn.error").addFilter(_of_uvicorn)
    for name in ("tasks", "webapp"):
        logging.getLogger(name).setLevel(ours)
    logging.captureWarnings(True)
    sys.excepthook = _log_the_end


def formatter(log_format: str, whole: bool = False) -> logging.Formatter:
    """Return what writes a message in a LOG_FORMAT, with the ids that are bound where it is logged.

    whole: whether tracebacks have the messages of all errors, see webapp/cli/tracebacks.py.
    """
    as_json = log_format == "json"
    stamp = TimeStamper("iso", utc=True) if as_json else TimeStamper("%H:%M:%S", utc=False)
    render: Processor = JSONRenderer() if as_json else _as_text
    return ProcessorFormatter(
        foreign_pre_chain=[stamp, add_log_level, add_logger_name, merge_contextvars],
        processors=[
            ProcessorFormatter.remove_processors_meta,
            ExceptionRenderer(partial(tracebacks.formatted, whole=whole)),
            _without_secrets,
            render,
        ],
    )


def _without_secrets(_: object, __: str, event: EventDict) -> EventDict:
    return {name: SECRETS.sub("***", str(value)).rstrip() for name, value in event.items()}  # uvicorn ends its lines


def _as_text(_: object, __: str, event: EventDict) -> str:
    """Return a message on one line, and the lines of its traceback below."""
    time, level, logger, message = (event.pop(name) for name in ("timestamp", "level", "logger", "event"))
    traceback = event.pop("exception", None)
    ids = "".join(f" {name}={event[name]}" for name in sorted(event))
    lines = [f"{time} {level.upper()} {logger}: {message}{ids}", *(traceback.split("\n") if traceback else ())]
    return "\n".join(map(_in_a_line, lines))


def _in_a_line(text: str) -> str:
    """Return a text on one line: a line break in a client's URL or header could forge another message."""
    return text if text.isprintable() else "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in text)


def _of_uvicorn(record: logging.LogRecord) -> bool:
    """Return whether a message of uvicorn is news: of an incomplete body, http/streams.py has logged the reason.

    Litestar hands uvicorn an error of the start as the text of its traceback. It is logged as what it is.
    """
    if "Traceback (most recent call last):" in str(record.msg):
        record.msg, record.exc_info = "The web server could not start, or not stop in order.", sys.exc_info()
    return record.msg != "ASGI callable returned without completing response."


def _log_the_end(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    """Log the error that ends this process. Python itself would print all of its text, and not in LOG_FORMAT."""
    log.critical("ended by an error", exc_info=(kind, error, traceback))
