"""The arguments of the commands `people`, `keys`, `budgets`, `adjust` and `audit`."""

import argparse
import re
from datetime import timedelta

from tasks.accounts.actors import SCOPES, Role

HELP = {
    "people": "add people, list and disable them, and make the links with which they set a password",
    "keys": "make keys for programs, list and revoke them",
    "budgets": "limit what may be spent, list the budgets and what is left of them",
    "adjust": "put right what a job cost",
    "audit": "print who changed what about people, keys and the queue, and who signed in or was refused",
}
DAYS = re.compile(r"([1-9][0-9]{0,3})d")
DEFAULT_ENTRIES = 50  # entries of the audit that are printed
Actions = argparse._SubParsersAction  # argparse has no public name for it


def add_to(command: argparse.ArgumentParser, name: str) -> None:
    """Add the arguments of one of the commands in HELP to its parser."""
    if name == "audit":
        command.add_argument("--last", type=_count, default=DEFAULT_ENTRIES, metavar="N", help="how many entries")
        return
    if name == "adjust":
        _add_adjust(command)
        return
    actions = command.add_subparsers(dest="action", required=True, metavar="action")
    {"people": _add_people, "keys": _add_keys, "budgets": _add_budgets}[name](actions)


def _add_adjust(command: argparse.ArgumentParser) -> None:
    command.add_argument("job", metavar="JOB", help="the id of the job")
    command.add_argument("amount", metavar="AMOUNT", help="dollars to add to its cost, such as 0.05 or -0.05")
    command.add_argument("--note", required=True, metavar="TEXT", help="why, for the page of the job and the audit")


def _add_people(actions: "Actions[argparse.ArgumentParser]") -> None:
    add = actions.add_parser("add", help="add a person, and print the link for them; a member unless told otherwise")
    add.add_argument("name")
    roles = add.add_mutually_exclusive_group()
    for role, what in (
        (Role.ADMIN, "also manages people, keys and money"),
        (Role.VIEWER, "sees everything, and changes nothing"),
        (Role.SERVICE, "cannot sign in, and has only keys"),
    ):
        roles.add_argument(f"--{role}", dest="role", action="store_const", const=role, help=what)
    add.set_defaults(role=Role.MEMBER)
    actions.add_parser("list", help="list the people and services")
    for action, what in (
        ("link", "print a new link with which a person sets a password; earlier links no longer work"),
        ("disable", "disable a person: its sessions end, and its keys no longer work"),
        ("enable", "enable a disabled person again"),
    ):
        actions.add_parser(action, help=what).add_argument("name")


def _add_keys(actions: "Actions[argparse.ArgumentParser]") -> None:
    add = actions.add_parser("add", help="make a key for a person or a service, and print it, once")
    add.add_argument("owner", help="the name of the person or service")
    add.add_argument("name", help="the name of the key")
    scopes = [str(scope) for scope in SCOPES]
    add.add_argument("--scope", action="append", required=True, choices=scopes, dest="scopes", help="may be repeated")
    add.add_argument("--model", action="append", dest="models", metavar="MODEL", help="one that it may use; repeatable")
    add.add_argument("--budget", metavar="AMOUNT", help="what may be spent with it, in dollars, such as 0.10/day")
    add.add_argument("--expires", type=_days, metavar="DAYS", help="the time until it expires, such as 90d")
    actions.add_parser("list", help="list the keys that are not revoked")
    revoke = actions.add_parser("revoke", help="revoke a key, at once and for good")
    revoke.add_argument("owner", help="the name of the person or service")
    revoke.add_argument("name", help="the name of the key")


def _add_budgets(actions: "Actions[argparse.ArgumentParser]") -> None:
    change = actions.add_parser("set", help="set a budget, or change it")
    change.add_argument("scope", help="all, person:NAME, key:OWNER/NAME or model:OWNER/NAME")
    change.add_argument("amount", help="dollars per day, month or in total: 0.10/day, 50/month, 100/total")
    actions.add_parser("list", help="list the budgets, and what is spent, held and left")
    actions.add_parser("remove", help="remove the budgets of a scope").add_argument("scope", help="as with set")


def _days(text: str) -> timedelta:
    found = DAYS.fullmatch(text)
    if found is None:
        raise argparse.ArgumentTypeError("must be a number of days, such as 90d")
    return timedelta(days=int(found[1]))


def _count(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError("must be a whole number above 0")
    return int(text)
