"""What the commands that talk to a running Darkroom print: results on stdout, everything else on stderr."""

import shutil
import sys
from collections.abc import Iterable
from typing import Any

import msgspec

from webapp.cli.progress_bar import words
from webapp.cli.table import printable, table
from webapp.client.exceptions import Refused
from webapp.client.job import Job
from webapp.client.shapes import Cost, Estimate
from webapp.client.shapes import Job as State

MIN_PROMPT_WIDTH = 20  # columns


def say(result: Any) -> None:
    """Print a line of text, or anything else as JSON, on stdout."""
    print(result if isinstance(result, str) else msgspec.json.encode(result).decode(), flush=True)


def tell(line: str) -> None:
    """Print a line for people on stderr."""
    print(line, file=sys.stderr)


def confirmed(question: str) -> bool:
    """Ask a question on the terminal, and return whether the answer is yes. Another Ctrl-C is a no."""
    print(f"\n{question}", end="", file=sys.stderr, flush=True)
    try:
        return sys.stdin.readline().strip().lower() in ("y", "yes")
    except KeyboardInterrupt:
        tell("")
        return False


def reason(error: Exception) -> str:
    """Return why a command could not be carried out, in a line."""
    if not isinstance(error, Refused):
        return printable(str(error))
    faults = [f"{fault.pointer.removeprefix('#/')}: {fault.detail}" for fault in error.problem.errors or ()]
    hint = " Set DARKROOM_KEY." if error.code == "sign_in_required" else ""
    return printable(" ".join(faults) or str(error)) + hint


def amount(estimate: Estimate) -> str:
    """Return what a request is expected to cost, in a line."""
    if estimate.low is None:
        return "unknown: the price of the model is not known"
    upto = f" to ${estimate.high}" if estimate.high != estimate.low else ""
    price = f" ({printable(estimate.price.text)})" if estimate.price else ""
    return f"${estimate.low}{upto}{price}"


def described(job: Job) -> list[str]:
    """Return a job in lines."""
    state = job.state
    rows = {
        "job": str(job.id),
        "status": words(state),
        "model": state.model,
        "prompt": state.prompt,
        "created": _moment(state),
        "cost": _cost(state.cost),
        "error": state.error or "",
    }
    files = [f"{'output':<8} {output.address}" for output in job.outputs]
    return [f"{name:<8} {printable(text)}" for name, text in rows.items() if text] + files


def listed(states: Iterable[State]) -> list[str]:
    """Return jobs in the lines of a table. On a terminal, a prompt is cut where the line ends."""
    rows = [(str(each.job_id), each.status, each.model, _moment(each), printable(each.prompt)) for each in states]
    lines = table(("job", "status", "model", "created", "prompt"), rows)
    if not sys.stdout.isatty():
        return lines
    width = shutil.get_terminal_size().columns
    room = max(width, len(lines[0]) - len("prompt") + MIN_PROMPT_WIDTH)
    return [line if len(line) <= room else f"{line[: room - 3]}..." for line in lines]


def _moment(state: State) -> str:
    return f"{state.created_at.astimezone():%Y-%m-%d %H:%M}"


def _cost(cost: Cost | None) -> str:
    return f"${cost.usd}" if cost else ""
