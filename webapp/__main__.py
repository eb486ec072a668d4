"""The `darkroom` command line: `up` runs everything; `web`, `worker`, `migrate` and `standin` each run one part.

`halt` and `resume` stop and restart the work that costs money, `spend` tells what it cost, `budgets` limit it, and
`adjust` puts it right; `people`, `keys` and `audit` say who may use this Darkroom, and who did what; `mcp` tells agents
where it is; `demo-data` fills the library with made-up jobs. `backup` copies the library, `restore` brings it back, and
`check-files` compares what the database says of files with storage.
`run`, `status`, `watch`, `ls`, `cancel` and `estimate` talk to a Darkroom that runs, here or elsewhere.
"""

import argparse
import gc
import os
import re
import sys
from importlib import metadata

from webapp.cli import account_arguments, backup_arguments, client_arguments

PARTS = {
    "up": "run everything on this machine: web, worker, Valkey and, without a REPLICATE_API_TOKEN, the stand-in",
    "web": "serve the gallery and the API",
    "worker": "make pictures",
    "migrate": "bring the database up to date (web and worker do this automatically)",
    "standin": "serve a small Replicate stand-in that draws on this machine",
    "halt": "halt the queue, or one model, until `darkroom resume`; running jobs are finished",
    "resume": "resume the queue after `darkroom halt`, a start with --halted, or a restored backup; or one model",
    "spend": "print what the runs of a month cost, by model",
    **account_arguments.HELP,
    "mcp": "print what to paste into Claude Code, Cursor or VS Code, so that their agents can use this Darkroom",
    "doctor": "check the token, database, Redis, storage, clocks, prices, disk and people, each in a line",
    **backup_arguments.HELP,
    "demo-data": "fill the library with made-up jobs, for exploring and measuring",
    **client_arguments.HELP,
}
WRONG = 2
INTERRUPTED = 130


def main() -> int:
    """Run the command and return its exit code: 2, after one line on stderr, when a setting is wrong."""
    if sys.version_info < (3, 11):  # noqa: UP036 (from a checkout it may be started with any Python)
        return _refuse("Darkroom needs Python 3.11 or newer; this is " + sys.version.split()[0])
    asked = _parser().parse_args()
    try:
        return _run(asked)
    except ValueError as error:
        # Compared by name: when the settings are wrong, the module that defines the class cannot be imported.
        if type(error).__name__ != "SettingsError":
            raise
        return _refuse(str(error))
    except KeyboardInterrupt:
        return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="darkroom", description="A self-hosted darkroom for generative media.")
    parser.add_argument("--version", action="version", version=f"darkroom {metadata.version('darkroom')}")
    parser.add_argument(
        "--tether", type=int, help=argparse.SUPPRESS
    )  # children of `up` end when `up` is gone: webapp/cli/parent_watch.py
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    for name, what in PARTS.items():
        command = commands.add_parser(name, help=what, description=what)
        if name in ("web", "standin"):
            command.add_argument("--fd", type=int, help=argparse.SUPPRESS)  # a socket on which `up` already listens
        if name == "web":
            command.add_argument("--token-fd", type=int, help=argparse.SUPPRESS)  # a pipe to `up`
            # see webapp/cli/open_access.py
            command.add_argument("--check-access", action="store_true", help=argparse.SUPPRESS)
        if name in ("halt", "resume"):
            command.add_argument("--model", help="only this model, owner/name")
        if name == "halt":
            command.add_argument("--reason", help="why, for people")
            command.add_argument("--until", help="when it ends by itself, such as 2026-12-24T18:00+01:00")
        if name in ("up", "worker"):
            command.add_argument("--halted", action="store_true", help="start no new work until `darkroom resume`")
        if name == "migrate":
            looks = command.add_mutually_exclusive_group()
            looks.add_argument("--check", action="store_true", help="change nothing; fail unless it is up to date")
            looks.add_argument("--plan", action="store_true", help="change nothing; list what would be run")
        if name == "up":
            command.add_argument("--with-parent", type=int, metavar="PID", help="stop when this parent process ends")
        if name == "spend":
            words = "such as 2026-11, in the zone of TIMEZONE; by default, this month"
            command.add_argument("--month", type=_month, help=words)
        if name in account_arguments.HELP:
            account_arguments.add_to(command, name)
        if name in backup_arguments.HELP:
            backup_arguments.add_to(command, name)
        if name == "mcp":
            actions = command.add_subparsers(dest="action", required=True, metavar="action")
            config = actions.add_parser("config", help="print the configuration")
            config.add_argument("--client", choices=("claude-code", "cursor", "vscode"), help="print its own alone")
        if name in client_arguments.HELP:
            client_arguments.add_to(command, name)
        if name == "demo-data":
            command.add_argument("count", type=_count, metavar="N", help="number of jobs")
            command.add_argument("--seed", type=int, default=0, help="a different seed makes different jobs")
            command.add_argument("--into-existing", action="store_true", help="add to a library that already has jobs")
    return parser


def _run(asked: argparse.Namespace) -> int:
    if asked.command in client_arguments.HELP:
        from webapp.cli import client_commands

        return client_commands.act(asked)
    os.umask(0o077)  # only this user may access the files that Darkroom keeps
    gc.set_threshold(20_000)  # otherwise a seventh of the startup is garbage collection over the new imports
    # Each command imports only what it needs, so that `up` starts sooner and stays small.
    from webapp.cli import open_files

    open_files.raise_limit()
    if asked.tether is not None:
        from webapp.cli import parent_watch

        parent_watch.hold(asked.tether)
    from tasks.settings import settings

    if asked.command == "up":
        from webapp.cli.up import up

        return up(settings, asked.with_parent, asked.halted)
    from webapp.cli import commands

    if asked.command == "web" and asked.check_access:
        return commands.check_access(settings)
    if asked.command == "web":
        return commands.web(settings, asked.fd, asked.token_fd)
    if asked.command == "standin":
        return commands.standin(settings, asked.fd)
    if asked.command == "worker":
        return commands.worker(settings, asked.halted)
    if asked.command == "halt":
        return commands.halt(settings, asked.model, asked.reason, asked.until)
    if asked.command == "resume":
        return commands.resume(settings, asked.model)
    if asked.command == "spend":
        return commands.spend(settings, asked.month)
    if asked.command == "mcp":
        return commands.mcp_config(settings, asked.client)
    if asked.command == "doctor":
        return commands.doctor(settings)
    if asked.command in account_arguments.HELP:
        return commands.accounts(settings, asked)
    if asked.command in backup_arguments.HELP:
        return commands.backups(settings, asked)
    if asked.command == "demo-data":
        return commands.demo_data(settings, asked.count, asked.seed, asked.into_existing)
    if asked.check or asked.plan:
        return commands.look_at_migrations(settings, asked.plan)
    return commands.migrate(settings)


def _count(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError("must be a whole number above 0")
    return int(text)


def _month(text: str) -> str:
    if not re.fullmatch(r"(19[7-9]\d|2\d{3})-(0[1-9]|1[0-2])", text):
        raise argparse.ArgumentTypeError("must be a year and a month, such as 2026-11")
    return text


def _refuse(line: str) -> int:
    print(f"darkroom: {line}", file=sys.stderr)
    return WRONG


if __name__ == "__main__":
    sys.exit(main())
