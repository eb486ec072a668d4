"""What an admin types into the forms of people and keys is refused or taken as text, and never met with a 500."""

from urllib.parse import quote

import httpx
import pytest

from tasks.accounts import keys
from tasks.accounts.actors import Role
from tests import factories
from tests.webapp.inputs import DOORS
from tests.webapp.raw import FORM, ask
from tests.webapp.test_hostile import BYTES, TEXTS

FORMS = [
    (route, field, {**door.more, **more})
    for route in DOORS
    if route.startswith(("/account/", "/people"))
    for door in DOORS[route]
    if door.method == "POST"
    for field in (*door.fields, "key")
    for more in (
        [{"action": "role"}, {"action": "key"}, {"action": "revoke"}] if route.startswith("/people/") else [{}]
    )
]
SOME = [*(quote(text).encode() for text in [*TEXTS[:16], "9" * 5000]), *BYTES[:6]]


async def test_no_text_from_an_admin_is_met_with_a_server_error(
    web: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    boss, robot = await factories.with_password("boss", Role.ADMIN), await factories.person("robot", Role.SERVICE)
    await factories.key_of(boss, "read")
    [listed] = await keys.of_person(boss)
    headers = [(b"cookie", (await factories.session_of(boss))["Cookie"].encode()), (b"content-type", FORM)]
    ids = {"{person_id:uuid}": robot.id, "{key_id:uuid}": listed.key.id, "{session_id:uuid}": robot.id}
    for route, field, more in FORMS:
        path = "/".join(str(ids.get(part, part)) for part in route.split("/"))
        others = [f"{quote(name)}={quote(value)}".encode() for name, value in more.items() if name != field]
        for text in SOME:
            body = b"&".join([quote(field).encode() + b"=" + text, *others])
            answer = await ask(web, "POST", path, b"", body, headers)
            assert answer.status < 500, (path, body[:300], bytes(answer.body[:300]))
            assert answer.status not in (401, 403), (path, body[:300])
    assert not [record for record in caplog.records if record.exc_info or "Traceback" in record.getMessage()]
