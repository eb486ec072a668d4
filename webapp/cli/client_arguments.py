"""The arguments of the commands that talk to a Darkroom that runs: `run`, `status`, `watch`, `ls`, and so on."""

import argparse
from pathlib import Path
from uuid import UUID

HELP = {
    "run": "have a picture, video or sound made, and wait for it",
    "status": "print how a job is",
    "watch": "wait for the end of a job",
    "ls": "list the jobs that a search finds, newest first",
    "cancel": "cancel a job",
    "estimate": "print what a prompt is expected to cost, and submit nothing",
}
WHERE = (
    "It talks to the Darkroom at DARKROOM_URL (by default http://127.0.0.1:8000) with the key in DARKROOM_KEY. "
    "Exit codes: 0 done, 1 the job failed, 2 refused, 3 canceled, 4 Darkroom does not respond, "
    "5 no room in a budget or the queue, 130 Ctrl-C."
)
DEFAULT_LISTED = 50  # jobs


def add_to(command: argparse.ArgumentParser, name: str) -> None:
    """Add the arguments of one of the commands in HELP to its parser."""
    command.epilog = WHERE
    if name in ("run", "estimate"):
        _add_request(command)
    elif name == "ls":
        command.add_argument("q", nargs="?", default="", metavar="SEARCH", help="as in the gallery: 'fox rating:>=4'")
        command.add_argument("-n", "--limit", type=_count, default=DEFAULT_LISTED, metavar="N", help="how many jobs")
    else:
        command.add_argument("job", type=_job_id, metavar="JOB", help="the id of a job")
    if name == "run":
        command.add_argument("-d", "--detach", action="store_true", help="print the id of the job, and do not wait")
    if name in ("run", "watch"):
        words = "save what was made here, under names of its own"
        command.add_argument("-o", "--output", type=Path, metavar="FOLDER", help=words)
    command.add_argument("--json", action="store_true", help="print JSON, one value a line, and nothing else")


def _add_request(command: argparse.ArgumentParser) -> None:
    command.add_argument("prompt", metavar="PROMPT")
    words = "owner/name, or the name alone: flux-schnell; by default, the default model"
    command.add_argument("-m", "--model", help=words)
    command.add_argument(
        "-p", "--parameter", action="append", default=[], dest="parameters", metavar="NAME=VALUE",
        help="an input of the model: width=512, image=@fox.png for a file, images[]=@fox.png for one of a list",
    )  # fmt: skip
    command.add_argument("--priority", choices=("low", "normal", "high"), help="which of the waiting jobs go first")
    words = "seconds after which the job is canceled and fails"
    command.add_argument("--finish-within", type=_count, metavar="SECONDS", help=words)
    words = "a text to find the job by: order=17 is found by `darkroom ls meta.order:17`"
    command.add_argument("--metadata", action="append", default=[], metavar="NAME=VALUE", help=words)


def _job_id(text: str) -> str:
    try:
        return str(UUID(text))
    except ValueError:
        raise argparse.ArgumentTypeError("must be the id of a job, as `darkroom ls` prints it") from None


def _count(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError("must be a whole number above 0")
    return int(text)
