"""The arguments of the commands `backup`, `restore` and `check-files`."""

from argparse import ArgumentParser
from pathlib import Path

HELP = {
    "backup": "copy the database and its files to a folder while Darkroom works; the next time, only what is new",
    "restore": "put a backup into an empty database and an empty storage",
    "check-files": "compare what the database says of files with the files in storage; changes nothing",
}


def add_to(command: ArgumentParser, name: str) -> None:
    """Add the arguments of one of the commands in HELP to its parser."""
    if name == "check-files":
        command.add_argument("--hash", action="store_true", help="also read every file, and compare its content")
    else:
        command.add_argument("folder", type=Path, metavar="FOLDER", help="the folder of the backup")
