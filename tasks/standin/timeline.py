"""The state of a prediction at a given time: a pure function of its record and the clock."""

from datetime import UTC, datetime
from typing import Any

from tasks.standin import outputs
from tasks.standin.logs import logs
from tasks.standin.predictions import SECOND, Record

KEPT_FOR = 3600 * SECOND  # inputs, outputs and logs of API predictions are deleted an hour after they end

TERMINAL = ("succeeded", "failed", "canceled", "aborted")


def view(record: Record, now: int, origin: str) -> dict[str, Any]:
    """Return the prediction as GET shows it at `now` (Unix nanoseconds), with URLs that start with `origin`."""
    status, end = outcome(record, now)
    started = record.started <= (now if end is None else end) and status != "aborted"
    gone = removed(record, now)
    shown: dict[str, Any] = {
        "id": record.id,
        "model": record.model,
        "version": record.version,
        "input": {} if gone else record.input,
        "logs": "" if gone else logs(record, min(now, now if end is None else end)),
        "output": outputs.output(record, origin) if status == "succeeded" and not gone else None,
        "data_removed": gone,
        "error": (record.error or None) if status == "failed" else None,
        "status": status,
        "created_at": timestamp(record.created, "milliseconds"),
        "source": "api",
        "urls": {
            "cancel": f"{origin}/v1/predictions/{record.id}/cancel",
            "get": f"{origin}/v1/predictions/{record.id}",
            "web": f"{origin}/p/{record.id}",
        },
    }
    if started:
        shown["started_at"] = timestamp(record.started)
    if end is not None:
        shown["completed_at"] = timestamp(end)
        shown["metrics"] = _metrics(record, end, started)
    if record.deadline is not None:
        shown["deadline"] = timestamp(record.deadline, "milliseconds")
    if record.webhook is not None:
        shown["webhook"] = record.webhook
    if record.events is not None:
        shown["webhook_events_filter"] = record.events
    return shown


def outcome(record: Record, now: int) -> tuple[str, int | None]:
    """Return the status at `now`, and the time when the prediction ended, or None if it has not."""
    stops = [(record.ended, "failed" if record.error is not None else "succeeded")]
    if record.canceled is not None:
        stops.append((record.canceled, "canceled"))
    if record.deadline is not None:
        stops.append((record.deadline, "aborted" if record.deadline < record.started else "canceled"))
    end, status = min(stops)
    if end <= now:
        return status, end
    return ("processing" if record.started <= now else "starting"), None


def removed(record: Record, now: int) -> bool:
    """Return whether the prediction's data has been deleted by `now`."""
    _, end = outcome(record, now)
    return end is not None and end + KEPT_FOR <= now


def timestamp(moment: int, precision: str = "nanoseconds") -> str:
    """Return the time as RFC 3339 in UTC, with no more digits than needed, as in Go: 2025-06-09T07:05:41.882143865Z."""
    seconds, rest = divmod(moment, SECOND)
    digits = f"{rest:09d}"[: 3 if precision == "milliseconds" else 9].rstrip("0")
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S") + (f".{digits}" if digits else "") + "Z"


def _metrics(record: Record, end: int, started: bool) -> dict[str, Any]:
    metrics: dict[str, Any] = {"total_time": (end - record.created) / SECOND}
    if started:
        metrics["predict_time"] = (end - record.started) / SECOND
    if end == record.ended and record.error is None:
        metrics |= outputs.metrics(record)
    return metrics
