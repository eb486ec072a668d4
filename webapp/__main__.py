"""The command line: `darkroom up` runs everything; web, worker, migrate and standin each run one part of it.

`halt` and `resume` stop and start what costs money; `demo-data` fills it.
"""

import argparse
import gc
import os
import sys

PARTS = {
    "up": "run everything on this machine: web, worker, Valkey and, without a REPLICATE_API_TOKEN, the stand-in",
    "web": "serve the gallery and the API",
    "worker": "make pictures",
    "migrate": "bring the database up to date (web and worker do so by themselves)",
    "standin": "serve a small Replicate that draws on this machine",
    "halt": "have all prompts wait, until `darkroom resume`; what runs already is finished",
    "resume": "go on after `darkroom halt`, after a start with --halted, and after a backup was restored",
    "demo-data": "fill the library with made-up jobs, to look around in and to measure with",
}
WRONG = 2
INTERRUPTED = 130


def main() -> int:
    """Run the command. Returns its exit code: 2 after one line on stderr, where a setting is wrong."""
    if sys.version_info < (3, 11):  # noqa: UP036 (whoever starts it from a checkout may have any Python)
        return _refuse("Darkroom needs Python 3.11 or newer; this is " + sys.version.split()[0])
    asked = _parser().parse_args()
    try:
        return _run(asked)
    except ValueError as error:
        # By name: when the settings are wrong, their module, and so the class in it, cannot be imported.
        if type(error).__name__ != "SettingsError":
            raise
        return _refuse(str(error))
    except KeyboardInterrupt:
        return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="darkroom", description="A self-hosted darkroom for generative media.")
    parser.add_argument(
        "--tether", type=int, help=argparse.SUPPRESS
    )  # `up` ties its children to itself: webapp/tether.py
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    for name, what in PARTS.items():
        command = commands.add_parser(name, help=what, description=what)
        if name in ("web", "standin"):
            command.add_argument("--fd", type=int, help=argparse.SUPPRESS)  # a socket that `up` listens on already
        if name in ("up", "worker"):
            command.add_argument("--halted", action="store_true", help="make nothing new until `darkroom resume`")
        if name == "up":
            command.add_argument("--with-parent", action="store_true", help="stop when what started this is gone")
        if name == "demo-data":
            command.add_argument("count", type=_count, metavar="N", help="how many jobs")
            command.add_argument("--seed", type=int, default=0, help="another number makes other jobs")
            command.add_argument("--into-existing", action="store_true", help="also where there are jobs already")
    return parser


def _run(asked: argparse.Namespace) -> int:
    os.umask(0o077)  # what is kept is for this user alone
    gc.set_threshold(20_000)  # else a seventh of the start is spent looking for garbage among what was just imported
    # Imported here, each by the command that needs it: `up` starts sooner and stays small.
    from webapp import open_files

    open_files.raise_limit()
    if asked.tether is not None:
        from webapp import tether

        tether.hold(asked.tether)
    from tasks.settings import settings

    if asked.command == "up":
        from webapp.up import up

        return up(settings, asked.with_parent, asked.halted)
    from webapp import commands

    if asked.command == "web":
        return commands.web(settings, asked.fd)
    if asked.command == "standin":
        return commands.standin(settings, asked.fd)
    if asked.command == "worker":
        return commands.worker(settings, asked.halted)
    if asked.command == "halt":
        return commands.halt(settings)
    if asked.command == "resume":
        return commands.resume(settings)
    if asked.command == "demo-data":
        return commands.demo_data(settings, asked.count, asked.seed, asked.into_existing)
    return commands.migrate(settings)


def _count(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError("must be a whole number above 0")
    return int(text)


def _refuse(line: str) -> int:
    print(f"darkroom: {line}", file=sys.stderr)
    return WRONG


if __name__ == "__main__":
    sys.exit(main())
