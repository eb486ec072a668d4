"""/queue: what runs and what waits, how it is changed, and how it is folded on the wall."""

import re
from uuid import UUID

import httpx

from tasks.accounts import people
from tasks.accounts.actors import Role
from tasks.accounts.audit import By
from tasks.db.account_tables import AuditEntry
from tasks.db.tables import Job, Status
from tasks.jobs import lifecycle, tally
from tasks.replicate import circuit
from tests import factories
from tests.factories import completed, submitted
from tests.tasks.states import row
from webapp.render.queue_tally import MAX_UNFOLDED

PAGE = {"Accept": "text/html"}
TRAY = {"HX-Request": "true", "HX-Target": "section#queue", "HX-Current-URL": "http://darkroom.test/"}
ALL_WAITING = {"action": "cancel", "all": "1", "q": "status:queued"}


async def running_and_waiting(count: int) -> tuple[Job, list[Job]]:
    """Return a job that runs, and `count` that wait."""
    job = await submitted("a fox that runs")
    assert await lifecycle.claim(30) is not None
    owls = [await submitted(f"owl {number}") for number in range(count)]
    tally.forget()
    return job, owls


def rows(html: str) -> list[UUID]:
    return [UUID(each) for each in re.findall(r'<li class="queue-row" id="queued-([^"]+)"', html)]


async def test_the_page_lists_what_runs_and_what_waits_in_the_order_in_which_it_runs(web: httpx.AsyncClient) -> None:
    fox, owls = await running_and_waiting(3)
    moved = await web.post(f"/jobs/{owls[2].id}/front")
    assert (moved.status_code, moved.json()["place"]) == (200, 1)
    order = [fox.id, owls[2].id, owls[0].id, owls[1].id]
    page = await web.get("/queue", headers=PAGE)
    assert "1 running, 3 waiting" in page.text
    assert rows(page.text) == order
    known = (await web.get("/queue", headers={"Accept": "application/json"})).json()
    assert known == (await web.get("/queue.json")).json()
    assert (known["running"], known["waiting"], "halted" in known) == (1, 3, False)
    assert [job["job_id"] for job in known["jobs"]] == [str(each) for each in order]


async def test_a_job_that_does_not_wait_is_not_moved_to_the_front(web: httpx.AsyncClient) -> None:
    answer = await web.post(f"/jobs/{(await completed()).id}/front")
    assert (answer.status_code, answer.json()["code"]) == (409, "not_waiting")


async def test_the_buttons_of_the_queue_answer_with_the_queue_and_without_script_lead_back(
    web: httpx.AsyncClient,
) -> None:
    fox, owls = await running_and_waiting(3)
    answer = await web.post(f"/jobs/{owls[2].id}/front", headers=TRAY)
    assert rows(answer.text) == [fox.id, owls[2].id, owls[0].id, owls[1].id]
    answer = await web.post(f"/jobs/{owls[0].id}/cancel", headers=TRAY)
    assert rows(answer.text) == [fox.id, owls[2].id, owls[1].id]
    back = {"Accept": "text/html", "Referer": "http://darkroom.test/queue"}
    answer = await web.post(f"/jobs/{owls[1].id}/front", headers=back)
    assert (answer.status_code, answer.headers["location"]) == (303, "/queue")


async def test_all_that_waits_is_canceled_after_a_question_with_its_number(web: httpx.AsyncClient) -> None:
    fox, owls = await running_and_waiting(3)
    assert "Cancel 3 prints? This cannot be undone." in (await web.get("/queue", headers=PAGE)).text
    answer = await web.post("/selection", data=ALL_WAITING, headers=TRAY)
    assert rows(answer.text) == [fox.id]
    assert {(await row(owl)).status for owl in owls} == {Status.CANCELED}
    assert (await row(fox)).cancel_requested is False
    assert (await web.post("/selection", data=ALL_WAITING)).json() == {"changed": 0, "left_out": 0}


async def test_a_key_that_may_tidy_but_not_submit_cancels_nothing(web: httpx.AsyncClient) -> None:
    await submitted()
    anna = await factories.person()
    key = await factories.key_of(anna, "tidy", "read:all", "read")
    assert (await web.post("/selection", data=ALL_WAITING, headers=key)).status_code == 403
    assert await Job.count().where(Job.status == Status.QUEUED) == 1


async def test_the_queue_is_paused_and_resumed_and_both_are_in_the_audit(web: httpx.AsyncClient) -> None:
    await submitted()
    assert (await web.post("/queue/pause", headers=PAGE)).status_code == 303
    halt = await circuit.current()
    assert halt is not None
    assert halt.code == "held"
    page = await web.get("/queue", headers=PAGE)
    assert "1 waiting, on hold" in page.text
    assert 'action="/queue/resume"' in page.text
    assert (await web.get("/queue.json")).json()["halted"] == halt.message
    answer = await web.post("/queue/resume", headers=TRAY)
    assert await circuit.current() is None
    assert 'action="/queue/pause"' in answer.text
    assert 'hx-target="#halt"' in answer.text
    actions = await AuditEntry.select(AuditEntry.action).order_by(AuditEntry.at)
    assert [entry["action"] for entry in actions] == ["queue halted", "queue resumed"]


async def test_who_only_looks_sees_the_queue_without_its_buttons(web: httpx.AsyncClient) -> None:
    fox, owls = await running_and_waiting(2)
    viewer = await factories.session_of(await people.add("vera", Role.VIEWER, By()))
    page = await web.get("/queue", headers=PAGE | viewer)
    assert rows(page.text) == [fox.id, *(owl.id for owl in owls)]
    assert "<form" not in page.text.partition('id="queue"')[2].partition("</section>")[0]
    member = await factories.session_of(await people.add("mia", Role.MEMBER, By()))
    page = await web.get("/queue", headers=PAGE | member)
    assert "Cancel all waiting" in page.text
    assert "/queue/pause" not in page.text


async def test_many_that_wait_are_one_card_on_the_wall_and_none_is_folded_by_a_search(web: httpx.AsyncClient) -> None:
    done = await completed()
    fox, owls = await running_and_waiting(MAX_UNFOLDED + 1)
    wall = (await web.get("/")).text
    assert shown(wall) == [fox.id, done.id]
    assert f"{MAX_UNFOLDED + 1} waiting</strong>" in wall
    for query in ("q=status:queued", "q=owl", "sort=oldest"):
        found = (await web.get(f"/?{query}")).text
        assert {owl.id for owl in owls} <= {*shown(found)}
        assert "queue-fold" not in found
    assert len((await web.get("/jobs.json")).json()["jobs"]) == MAX_UNFOLDED + 3


async def test_a_dozen_that_wait_have_cards_of_their_own(web: httpx.AsyncClient) -> None:
    fox, owls = await running_and_waiting(MAX_UNFOLDED)
    wall = (await web.get("/")).text
    assert shown(wall) == [owl.id for owl in reversed(owls)] + [fox.id]
    assert "queue-fold-link" not in wall


async def test_the_top_bar_says_what_runs_and_nothing_while_nothing_does(web: httpx.AsyncClient) -> None:
    assert 'id="queue-link"' not in (await web.get("/")).text
    await running_and_waiting(2)
    wall = (await web.get("/?q=status:failed")).text
    [chip] = re.findall(r'<a id="queue-link" href="/queue">.*</a>', wall)
    assert "1 running, 2 waiting</span>" in chip


def shown(html: str) -> list[UUID]:
    return [UUID(each) for each in re.findall(r'<article id="job-([^"]+)"', html)]
