"""What was sent, and sending it once more, for programs."""

from contextlib import aclosing
from uuid import UUID, uuid4

import httpx
import pytest

from tasks.accounts.actors import Role
from tasks.db import ids
from tasks.db.webhook_tables import WebhookDelivery
from tasks.files.storage import Storage
from tasks.settings import settings
from tasks.webhooks import history, sending
from tasks.webhooks.sender import Sender
from tests import factories
from tests.receivers import receiving
from tests.tasks.outbox import hooks
from tests.tasks.outbox.hooks import Clock, endpoint, happened

PATH = "/webhooks/deliveries"


async def key(name: str = "anna", role: Role = Role.MEMBER) -> tuple[UUID, dict[str, str]]:
    someone = await factories.person(name, role)
    return someone.id, await factories.key_of(someone, "submit")


async def send() -> None:
    async with aclosing(sending.transport()) as transport:
        await Sender(transport, Storage.open(settings.storage_url), Clock()).send_due()


async def test_a_program_finds_what_failed_and_has_it_sent_again(web: httpx.AsyncClient) -> None:
    anna, headers = await key()
    job = ids.new()
    async with receiving() as receiver:
        receiver.moods.append("410")
        await happened(job, anna, webhook=f"{receiver.url}?token=secret")
        await send()
        [failed] = (await web.get(f"{PATH}?state=failed", headers=headers)).json()["deliveries"]
        assert failed["to"] == f"{receiver.url}?…"
        assert (failed["type"], failed["job_id"], failed["state"]) == ("job.failed", str(job), "failed")
        assert (failed["tries"], failed["outcome"], failed["status"]) == (1, "client_error", 410)
        answer = await web.post(f"{PATH}/{failed['id']}/replay", headers=headers)
        assert (answer.status_code, answer.json()["state"], answer.json()["tries"]) == (200, "pending", 1)
        await send()
    assert [arrival.id for arrival in receiver.arrivals] == [f"msg_{UUID(failed['id']).hex}"] * 2
    answer = await web.get(PATH, headers=headers)
    [delivered] = answer.json()["deliveries"]
    assert (delivered["state"], delivered["tries"], delivered["outcome"]) == ("delivered", 2, "success")
    assert answer.headers["cache-control"] == "no-store"


async def test_a_key_sees_and_replays_what_is_its_owners_only(web: httpx.AsyncClient) -> None:
    anna, _ = await key()
    await endpoint(owner=anna)
    await happened(owner=anna)
    [delivery] = await hooks.deliveries()
    await WebhookDelivery.update({WebhookDelivery.state: "failed"}, force=True)
    for _, headers in (await key("ben"), await key("boss", Role.ADMIN)):
        assert (await web.get(PATH, headers=headers)).json() == {"deliveries": []}
        assert (await web.post(f"{PATH}/{delivery.id}/replay", headers=headers)).status_code == 404
    assert (await hooks.fresh(delivery)).state == "failed"


async def test_pages_follow_each_other(web: httpx.AsyncClient) -> None:
    await endpoint()
    for _ in range(history.MAX_LISTED + 1):
        await happened()
    first = await web.get(f"{PATH}?state=pending")
    following = first.json()["next"]
    assert first.headers["link"] == f'<{following}>; rel="next"'
    last = (await web.get(following)).json()
    found = [each["id"] for page in (first.json(), last) for each in page["deliveries"]]
    assert found == sorted((str(one.id) for one in await hooks.deliveries()), reverse=True)
    assert "next" not in last


@pytest.mark.parametrize("query", ["state=sent", "state=", "before=x", "before="])
async def test_a_query_that_cannot_be_is_refused(web: httpx.AsyncClient, query: str) -> None:
    answer = await web.get(f"{PATH}?{query}")
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_query")


async def test_what_is_not_there_cannot_be_sent(web: httpx.AsyncClient) -> None:
    assert (await web.post(f"{PATH}/{uuid4()}/replay")).status_code == 404
