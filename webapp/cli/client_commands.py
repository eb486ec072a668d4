"""What the commands do that talk to a running Darkroom: through its public API alone, as every program does."""

import os
import sys
from argparse import Namespace
from collections.abc import Callable, Mapping
from itertools import islice

import msgspec

from webapp.cli import client_output, parameter_values
from webapp.cli.client_output import say, tell
from webapp.cli.progress_bar import ProgressBar
from webapp.cli.table import printable
from webapp.client.darkroom import THIS_MACHINE, Darkroom
from webapp.client.exceptions import BudgetRefused, DarkroomError, QueueFull, Unavailable, Unreachable
from webapp.client.job import Job
from webapp.client.shapes import Options

DONE, FAILED, REFUSED, CANCELED, AWAY, NO_ROOM, INTERRUPTED = 0, 1, 2, 3, 4, 5, 130
OF_STATUS = {"completed": DONE, "failed": FAILED, "canceled": CANCELED}
MAX_PAGE_SIZE = 200  # jobs
CANCELS = {
    "dequeued": "It is canceled.",
    "requested": "It is being canceled.",
    "too_late": "It was too late: the job had ended.",
}


def act(asked: Namespace) -> int:
    """Carry out a command, and return its exit code. An error is one line on stderr."""
    url, key = os.environ.get("DARKROOM_URL") or THIS_MACHINE, os.environ.get("DARKROOM_KEY")
    try:
        with Darkroom(url, key) as darkroom:
            code = COMMANDS[asked.command](darkroom, asked)
        sys.stdout.flush()
    except BrokenPipeError:  # as by `| head`; Python's own flush at the end would complain
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except (DarkroomError, ValueError, OSError) as error:
        tell(f"darkroom: {client_output.reason(error)}")
        return _code(error)
    return code


def _code(error: Exception) -> int:
    if isinstance(error, BudgetRefused | QueueFull):
        return NO_ROOM
    return AWAY if isinstance(error, Unreachable | Unavailable) else REFUSED


def _run(darkroom: Darkroom, asked: Namespace) -> int:
    options = _options(darkroom, asked)
    try:
        job = darkroom.submit(asked.prompt, **options)
    except KeyboardInterrupt:
        tell("\nIt may have been submitted: `darkroom ls` lists the newest jobs.")
        return INTERRUPTED
    if asked.detach:
        say({"job_id": job.id} if asked.json else str(job.id))
        return DONE
    tell(f"Job {job.id}")
    return _followed(job, asked)


def _estimate(darkroom: Darkroom, asked: Namespace) -> int:
    estimate = darkroom.estimate(asked.prompt, **_options(darkroom, asked))
    say(estimate if asked.json else client_output.amount(estimate))
    return DONE


def _options(darkroom: Darkroom, asked: Namespace) -> Options:
    parameters = parameter_values.parsed(asked.parameters, lambda path: darkroom.upload(path).url)
    return {
        "model": asked.model,
        "parameters": parameters or None,
        "priority": asked.priority,
        "finish_within": asked.finish_within,
        "metadata": parameter_values.metadata(asked.metadata) or None,
    }


def _watch(darkroom: Darkroom, asked: Namespace) -> int:
    return _followed(darkroom.job(asked.job), asked)


def _followed(job: Job, asked: Namespace) -> int:
    """Follow a job to its end, save or name what it made, and return the exit code."""
    try:
        with ProgressBar(sys.stderr) as bar:
            for state in job.changes():
                bar.show(state)
                if asked.json and asked.command == "watch" and not state.has_ended:
                    say(state)
    except KeyboardInterrupt:
        return _interrupted(job)
    return _ended(job, asked)


def _interrupted(job: Job) -> int:
    """Ask on a terminal whether to cancel the job. Without an answer it goes on."""
    if sys.stdin.isatty() and sys.stderr.isatty() and client_output.confirmed("Cancel the job? [y/N] "):
        tell(CANCELS[job.cancel()])
    else:
        tell(f"The job goes on: darkroom watch {job.id}")
    return INTERRUPTED


def _ended(job: Job, asked: Namespace) -> int:
    state, saved = job.state, list[str]()
    code = OF_STATUS[state.status]
    if asked.output:
        try:
            for output in job.outputs:
                saved.append(str(output.save(asked.output)))
        except OSError as error:
            tell(f"darkroom: {client_output.reason(error)}")
            code = FAILED
    if asked.json:
        say(msgspec.to_builtins(state) | ({"saved": saved} if asked.output else {}))
    else:
        for line in saved if asked.output else [output.address for output in job.outputs]:
            say(line)
    if state.status != "completed":
        tell(printable(f"The job failed: {state.error}") if state.error else "The job was canceled.")
    return code


def _status(darkroom: Darkroom, asked: Namespace) -> int:
    job = darkroom.job(asked.job)
    for line in [job.state] if asked.json else client_output.described(job):
        say(line)
    return DONE


def _ls(darkroom: Darkroom, asked: Namespace) -> int:
    found = islice(darkroom.jobs(asked.q, page_size=min(asked.limit, MAX_PAGE_SIZE)), asked.limit)
    states = (job.state for job in found)
    for line in states if asked.json else client_output.listed(states):
        say(line)
    return DONE


def _cancel(darkroom: Darkroom, asked: Namespace) -> int:
    job = darkroom.job(asked.job)
    outcome = job.cancel()
    say(job.state if asked.json else CANCELS[outcome])
    return DONE


COMMANDS: Mapping[str, Callable[[Darkroom, Namespace], int]] = {
    "run": _run, "status": _status, "watch": _watch, "ls": _ls, "cancel": _cancel, "estimate": _estimate,
}  # fmt: skip
