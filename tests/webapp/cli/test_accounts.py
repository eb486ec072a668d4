"""`darkroom people`, `keys`, `adjust` and `audit`: what an operator does with people, keys and costs, and reads."""

import asyncio
import os
import re
import sys
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from tasks.accounts import audit, keys, people, sessions
from tasks.accounts.actors import Permission, Role
from tasks.accounts.audit import By
from tasks.db.account_tables import AuditEntry, Person
from tasks.db.database import now
from tasks.db.money_tables import Ledger
from tasks.db.tables import Job
from tasks.errors import Rejected
from tasks.models.costs import dollars
from tasks.settings import ROOT, settings
from tests import factories
from webapp.__main__ import _parser
from webapp.cli.accounts import Refused, act

KEY = re.compile(r"dk_[0-9A-Za-z]{38}")
SERVED = settings.model_copy(update={"public_url": "https://pictures.example"})
BY = By()


async def run(*words: str) -> list[str]:
    """Return the lines that a command prints."""
    return await act(_parser().parse_args(words), SERVED)


async def refused(*words: str) -> str:
    with pytest.raises((Refused, Rejected)) as caught:
        await run(*words)
    error: Exception = caught.value
    return error.faults[0].message if isinstance(error, Rejected) else str(error)


async def stored(name: str = "anna") -> Person:
    person = await people.named(name)
    assert person is not None
    return person


# People.


@pytest.mark.parametrize(("words", "role"), [([], Role.MEMBER), (["--admin"], Role.ADMIN), (["--viewer"], Role.VIEWER)])
async def test_who_is_added_gets_a_link(words: list[str], role: Role) -> None:
    address, sentence = await run("people", "add", "Anna", *words)
    token = address.removeprefix("https://pictures.example/welcome/")
    invited = await people.invited(token)
    assert invited is not None
    assert (invited.name, invited.role) == ("anna", role)
    assert sentence == "With this link, anna sets a password: once, and within 24 hours."
    entries = [(entry.actor, entry.action, entry.subject) for entry in await audit.latest(2)]
    assert entries == [("command line", "link made", "anna"), ("command line", "person added", "anna")]


async def test_without_a_public_address_the_link_is_at_the_host_and_port() -> None:
    address, _ = await act(_parser().parse_args(["people", "add", "anna"]), settings)
    assert address.startswith(f"http://{settings.host}:{settings.port}/welcome/")


async def test_a_service_gets_no_link_and_is_told_how_it_gets_a_key() -> None:
    [line] = await run("people", "add", "robot", "--service")
    assert line == "Added robot. Give it a key: darkroom keys add robot NAME --scope submit"
    assert "robot" in await refused("people", "link", "robot")
    assert (await stored("robot")).link_hash is None


@pytest.mark.parametrize("name", ["anna", "ANNA", "a b", ""])
async def test_a_name_that_is_taken_or_none_is_refused_in_a_line(name: str) -> None:
    await run("people", "add", "anna")
    line = await refused("people", "add", name)
    assert "name" in line
    assert "\n" not in line
    assert await Person.count() == 1


async def test_people_are_listed_by_name() -> None:
    assert await run("people", "list") == ["name  role"]
    for name, role in (("zoe", Role.ADMIN), ("anna", Role.VIEWER), ("robot", Role.SERVICE)):
        await factories.person(name, role)
    await run("people", "disable", "anna")
    assert await run("people", "list") == [
        "name   role",
        "anna   viewer   disabled",
        "robot  service",
        "zoe    admin",
    ]


async def test_a_new_link_replaces_the_one_before() -> None:
    first, _ = await run("people", "add", "anna")
    second, _ = await run("people", "link", "Anna")
    assert [await people.invited(address.rpartition("/")[2]) is not None for address in (first, second)] == [
        False,
        True,
    ]


async def test_who_is_disabled_is_signed_out_until_enabled_again() -> None:
    anna = await factories.person()
    token = await sessions.begin(anna.id, "", "")
    assert await run("people", "disable", "anna") == ["anna is disabled."]
    assert await sessions.find(token, "") is None
    assert "already" in await refused("people", "disable", "anna")
    assert "anna" in await refused("people", "link", "anna")
    assert await run("people", "enable", "anna") == ["anna is enabled."]
    assert await refused("people", "enable", "anna") == "anna is enabled already."
    assert (await stored()).disabled_at is None


async def test_the_last_admin_is_not_disabled() -> None:
    await factories.person("boss", Role.ADMIN)
    assert "the last admin" in await refused("people", "disable", "boss")
    assert (await stored("boss")).disabled_at is None


@pytest.mark.parametrize(
    "words",
    [
        ["people", "link", "nobody"], ["people", "disable", "nobody"], ["people", "enable", "nobody"],
        ["keys", "add", "nobody", "ci", "--scope", "read"], ["keys", "revoke", "nobody", "ci"],
    ],
)  # fmt: skip
async def test_a_person_that_there_is_not_is_named(words: list[str]) -> None:
    assert await refused(*words) == "There is no person named nobody."


# Keys.


async def test_a_key_is_printed_once_and_does_what_it_was_made_for() -> None:
    anna = await factories.person()
    scopes = ["--scope", "submit", "--scope", "read"]
    models = ["--model", "stability-ai/sdxl", "--model", "black-forest-labs/flux-schnell"]
    [secret] = await run("keys", "add", "Anna", "ci", *scopes, *models, "--expires", "90d")
    actor = await keys.find(secret)
    assert (actor.name, actor.person) == ("anna/ci", anna.id)
    assert actor.permissions == frozenset({Permission.SUBMIT, Permission.READ})
    assert actor.models == frozenset({"stability-ai/sdxl", "black-forest-labs/flux-schnell"})
    [listed] = await keys.of_person(anna)
    assert listed.key.expires_at is not None
    assert timedelta(days=89) < listed.key.expires_at - now() <= timedelta(days=90)
    assert [entry.action for entry in await audit.latest(1)] == ["key added"]


async def test_keys_are_listed_without_their_secrets() -> None:
    await factories.person()
    await factories.person("robot", Role.SERVICE)
    [first] = await run("keys", "add", "robot", "nightly", "--scope", "submit", "--model", "stability-ai/sdxl")
    [second] = await run("keys", "add", "anna", "ci", "--scope", "read", "--expires", "1d")
    await keys.find(second)
    head, of_anna, of_robot = await run("keys", "list")
    assert re.split(r"  +", head) == ["key", "scopes", "models", "expires", "secrets", "last used"]
    day, shown = f"{now() + timedelta(days=1):%Y-%m-%d}", f"{second[:8]}...{second[-4:]}"
    assert re.split(r"  +", of_anna) == ["anna/ci", "read", "all", day, shown, f"{now():%Y-%m-%d}"]
    shown = f"{first[:8]}...{first[-4:]}"
    assert re.split(r"  +", of_robot) == ["robot/nightly", "submit", "stability-ai/sdxl", "never", shown, "never"]
    assert not KEY.search("\n".join([head, of_anna, of_robot]))


async def test_a_key_that_is_revoked_works_and_is_listed_no_more() -> None:
    await factories.person()
    [secret] = await run("keys", "add", "anna", "ci", "--scope", "read")
    assert await run("keys", "revoke", "anna", "ci") == ["Revoked anna/ci."]
    with pytest.raises(keys.KeyRefused, match="key_revoked"):
        await keys.find(secret)
    assert len(await run("keys", "list")) == 1
    assert await refused("keys", "revoke", "anna", "ci") == "anna has no key named ci."


@pytest.mark.parametrize(("name", "model"), [("a/b", "a/b"), ("", "a/b"), ("ci", "sdxl"), ("taken", "a/b")])
async def test_a_key_that_cannot_be_is_refused_in_a_line(name: str, model: str) -> None:
    await factories.key_of(await factories.person(), "read", name="taken")
    line = await refused("keys", "add", "anna", name, "--scope", "read", "--model", model)
    assert "key" in line.lower()
    assert "\n" not in line


# What argparse refuses.


@pytest.mark.once
@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("people", "action"),
        ("people add", "name"),
        ("people add anna --admin --viewer", "not allowed with"),
        ("people add anna --owner", "unrecognized"),
        ("keys add anna ci", "--scope"),
        ("keys add anna ci --scope manage", "invalid choice"),
        ("keys add anna ci --scope read --expires 90", "a number of days, such as 90d"),
        ("keys add anna ci --scope read --expires 0d", "a number of days, such as 90d"),
        ("keys add anna ci --scope read --expires 99999d", "a number of days, such as 90d"),
        ("keys revoke anna", "name"),
        ("adjust", "JOB"),
        ("adjust a", "AMOUNT"),
        ("adjust a -0.05", "--note"),
        ("audit --last 0", "above 0"),
        ("audit --last many", "above 0"),
    ],
)
def test_what_cannot_be_meant_is_refused_at_once(words: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        _parser().parse_args(words.split())
    assert caught.value.code == 2
    assert said in capsys.readouterr().err


# What a job cost.


@pytest.mark.parametrize(
    ("amount", "cost"), [("0.05", "0.053"), ("-0.001", "0.002"), ("-0.003", "0.00"), ("1", "1.003")]
)
async def test_what_a_job_cost_is_put_right(amount: str, cost: str) -> None:
    job = await factories.paid(image_output_count=1)
    assert await run("adjust", str(job.id), amount, "--note", "As on the bill") == [f"The job cost ${cost}."]
    [entry] = await audit.latest(1)
    assert (entry.actor, entry.action, entry.subject) == ("command line", "cost adjusted", str(job.id))
    stored = await Job.objects().get(Job.id == job.id)
    assert stored is not None
    assert dollars(stored.cost) == cost


@pytest.mark.parametrize(
    ("amount", "note", "line"),
    [
        ("-0.0031", "x", "The job cost $0.003, and nothing costs less than $0.00."),
        ("much", "x", "An adjustment is an amount in dollars, such as 0.05 or -0.05."),
        ("0.0000001", "x", "An adjustment is an amount in dollars, such as 0.05 or -0.05."),
        ("1000000", "x", "An adjustment is an amount in dollars, such as 0.05 or -0.05."),
        ("0.00", "x", "An adjustment is an amount in dollars, such as 0.05 or -0.05."),
        ("1", "  ", "A note is one line of up to 200 characters."),
        ("1", "x" * 201, "A note is one line of up to 200 characters."),
        ("1", "a\nb", "A note is one line of up to 200 characters."),
    ],
)
async def test_what_cannot_be_put_right_is_refused_in_a_line(amount: str, note: str, line: str) -> None:
    job = await factories.paid(image_output_count=1)
    assert await refused("adjust", str(job.id), amount, "--note", note) == line
    assert await Ledger.count() == 1
    assert not await AuditEntry.exists()


@pytest.mark.parametrize("job", ["019ab0c4-5d1e-7b36-9533-e50ac26d7632", "nonsense"])
async def test_a_job_that_there_is_not_cannot_be_put_right(job: str) -> None:
    assert await refused("adjust", job, "1", "--note", "x") == f"There is no job {job}."


# The audit.


async def test_the_audit_says_who_did_what_oldest_first() -> None:
    boss = By("boss", "192.0.2.1")
    anna = await people.add("anna", Role.MEMBER, BY)
    await people.change_role(anna, Role.VIEWER, boss)
    await audit.note(By("evil", "203.0.113.9"), "sign-in refused", "evil")
    moment = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC  "
    added, changed, refusal = await run("audit")
    assert re.fullmatch(moment + r'command line: person added anna: \{\} -> \{"role": "member"\}', added)
    expected = r'boss \(192\.0\.2\.1\): role changed anna: \{"role": "member"\} -> \{"role": "viewer"\}'
    assert re.fullmatch(moment + expected, changed)
    assert re.fullmatch(moment + r"evil \(203\.0\.113\.9\): sign-in refused evil", refusal)


async def test_as_many_entries_are_printed_as_are_wanted() -> None:
    for number in range(60):
        await audit.note(BY, "queue halted", f"number {number}")
    assert len(await run("audit")) == 50
    assert [line.rpartition(" ")[2] for line in await run("audit", "--last", "2")] == ["58", "59"]


async def test_what_a_stranger_types_forges_no_line_of_the_audit() -> None:
    await audit.note(
        By("a\nb", "x"), "sign-in refused", "evil\n2026-01-01 00:00:00 UTC  boss: person added \x1b[31mevil"
    )
    [line] = await run("audit")
    assert line.isprintable()


# As a process of its own.


async def printed(url: str, *words: str) -> tuple[int | None, list[str], list[str]]:
    """Run a command on a database. Returns its exit code, and the lines on stdout and stderr."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "webapp", *words, cwd=ROOT, env=os.environ | {"DATABASE_URL": url},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    said, complained = await process.communicate()
    return process.returncode, said.decode().splitlines(), complained.decode().splitlines()


async def test_on_a_new_database_a_person_is_added_and_a_refusal_is_one_line(
    new_database: Callable[[], Awaitable[str]],
) -> None:
    url = await new_database()
    code, said, complained = await printed(url, "people", "add", "anna", "--admin")
    assert (code, len(said), complained) == (0, 2, [])
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/welcome/[A-Za-z0-9_-]{43}", said[0])
    code, said, complained = await printed(url, "people", "disable", "anna")
    assert (code, said) == (2, [])
    assert complained == ["darkroom: anna is disabled already, or the last admin."]
    code, said, complained = await printed(url, "adjust", "nonsense", "-0.05", "--note", "x")
    assert (code, said, complained) == (2, [], ["darkroom: There is no job nonsense."])
    assert not await AuditEntry.exists()
