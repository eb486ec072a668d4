"""The audit has a row for each change of people and keys: who did it, from where, and what it was before."""

import json
from collections.abc import Awaitable, Callable

import pytest

from tasks.accounts import audit, keys, people
from tasks.accounts.actors import Role
from tasks.accounts.audit import By
from tasks.accounts.keys import Made
from tasks.db.account_tables import ApiKey, AuditEntry, Person
from tests import factories

BOSS = By("boss", "192.0.2.1")
Do = Callable[[Person, Made], Awaitable[object]]


async def disabled(anna: Person, _: Made) -> object:
    return await people.disable(anna, BOSS)


async def enabled(anna: Person, _: Made) -> object:
    await people.disable(anna, By())
    return await people.enable(anna, BOSS)


DEEDS: dict[str, tuple[str, Do]] = {
    "person added": ("ben", lambda anna, made: people.add("ben", Role.VIEWER, BOSS)),
    "link made": ("anna", lambda anna, made: people.new_link(anna, BOSS)),
    "password set": ("anna", lambda anna, made: people.set_password(anna, "a hash", BOSS)),
    "role changed": ("anna", lambda anna, made: people.change_role(anna, Role.VIEWER, BOSS)),
    "person disabled": ("anna", disabled),
    "person enabled": ("anna", enabled),
    "key added": ("anna/backup", lambda anna, made: keys.add(anna, "backup", ["read"], BOSS)),
    "key rotated": ("anna/ci", lambda anna, made: keys.rotate(made.key, "anna", BOSS)),
    "key revoked": ("anna/ci", lambda anna, made: keys.revoke(made.key, "anna", BOSS)),
}


@pytest.mark.parametrize("action", DEEDS)
async def test_each_change_has_a_row(action: str) -> None:
    subject, do = DEEDS[action]
    anna = await factories.person()
    made = await keys.add(anna, "ci", ["read"], By())
    before = await AuditEntry.count()
    assert await do(anna, made)
    entry, *_ = await audit.latest(1)
    assert (entry.actor, entry.address, entry.action, entry.subject) == ("boss", "192.0.2.1", action, subject)
    assert await AuditEntry.count() == before + 1 + (action == "person enabled")


async def test_what_changes_nothing_has_no_row() -> None:
    robot, boss = await factories.person("robot", Role.SERVICE), await factories.person("boss", Role.ADMIN)
    made = await keys.add(robot, "ci", ["read"], By())
    await keys.revoke(made.key, "robot", By())
    before = await AuditEntry.count()
    for done in (
        await keys.revoke(made.key, "robot", BOSS),
        await keys.rotate(made.key, "robot", BOSS),
        await people.new_link(robot, BOSS),
        await people.enable(robot, BOSS),
        await people.disable(boss, BOSS),
        await people.change_role(boss, Role.VIEWER, BOSS),
    ):
        assert not done
    assert await AuditEntry.count() == before


async def test_a_row_says_what_it_was_before_and_after() -> None:
    anna = await factories.person(role=Role.MEMBER)
    await people.change_role(anna, Role.VIEWER, BOSS)
    [entry] = await audit.latest(1)
    assert (json.loads(entry.before), json.loads(entry.after)) == ({"role": "member"}, {"role": "viewer"})
    await keys.add(anna, "ci", ["submit", "read"], BOSS, ["stability-ai/sdxl"])
    [entry] = await audit.latest(1)
    assert json.loads(entry.after) == {"scopes": "read submit", "models": ["stability-ai/sdxl"], "expires": None}


async def test_no_row_holds_a_secret() -> None:
    anna = await factories.person()
    link, made = await people.new_link(anna, BOSS), await keys.add(anna, "ci", ["read"], BOSS)
    rotated = await keys.rotate(made.key, "anna", BOSS)
    await people.set_password(anna, "a hash", BOSS)
    written = str([entry.to_dict() for entry in await audit.latest(100)])
    assert "key rotated" in written
    for secret in (link, made.secret, rotated, "a hash"):
        assert secret is not None
        assert secret not in written


async def test_the_newest_rows_come_first() -> None:
    for number in range(5):
        await audit.note(BOSS, "queue halted", str(number))
    assert [entry.subject for entry in await audit.latest(3)] == ["4", "3", "2"]


async def test_names_of_any_length_and_kind_are_noted() -> None:
    await audit.note(By("x" * 5000, "192.0.2.1"), "sign-in refused", "a 狐" * 5000)
    [entry] = await audit.latest(1)
    assert entry.actor == "x" * audit.MAX_NAME_LENGTH
    assert entry.subject.startswith("a")


async def test_the_row_of_a_key_stays_when_the_key_is_gone() -> None:
    anna = await factories.person()
    made = await keys.add(anna, "ci", ["read"], BOSS)
    await keys.revoke(made.key, "anna", BOSS)
    assert [entry.action for entry in await audit.latest(2)] == ["key revoked", "key added"]
    assert await ApiKey.exists().where(ApiKey.id == made.key.id)
