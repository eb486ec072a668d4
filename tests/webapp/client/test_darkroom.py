"""The client with a real Darkroom: each call makes what it says, once, whatever the network does."""

import re
from itertools import pairwise
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from tests.browser.conftest import ROOT
from tests.browser.conftest import Darkroom as Served
from tests.tasks import samples
from tests.webapp.client.conftest import Network, Pauses
from webapp.client.darkroom import Darkroom
from webapp.client.exceptions import (
    BudgetRefused,
    InvalidRequest,
    KeyRefused,
    NotCompleted,
    NotFound,
    UnknownModel,
)

pytestmark = pytest.mark.once

SMALL = {"width": 64, "height": 64}
UNKNOWN = "019ab0c4-5d1e-7b36-9533-e50ac26d7632"


def new_prompt() -> str:
    """Return a prompt that no other job has."""
    return f"a fox {uuid4().hex}"


def test_a_prompt_becomes_a_file_with_a_readable_name(darkroom: Darkroom, tmp_path: Path) -> None:
    job = darkroom.generate("A red Fox", parameters=SMALL, metadata={"order": "17"}, priority="high")
    assert (job.state.status, job.state.metadata, job.state.priority) == ("completed", {"order": "17"}, "high")
    [output] = job.outputs
    assert (output.file.width, output.address) == (64, f"{job._connection.url}{job.state.result_url}")
    path = output.save(tmp_path / "new" / "folder")
    assert path.parent == tmp_path / "new" / "folder"
    assert path.name.startswith("a-red-fox-")
    assert path.read_bytes().startswith(b"\x89PNG")


def test_no_file_is_written_over(darkroom: Darkroom, tmp_path: Path) -> None:
    [output] = darkroom.generate(new_prompt(), parameters=SMALL).outputs
    first, second, third = (output.save(tmp_path) for _ in range(3))
    assert (second.name, third.name) == (f"{first.stem} (2).png", f"{first.stem} (3).png")
    assert first.read_bytes() == second.read_bytes() == third.read_bytes()


def test_a_job_that_fails_is_told_with_its_reason(darkroom: Darkroom, served: Served) -> None:
    prompt = new_prompt()
    served.script({"on": "create", "do": "fail_prediction", "match": prompt, "error": "NSFW content", "times": 0})
    with pytest.raises(NotCompleted, match="safety filter") as caught:
        darkroom.generate(prompt, parameters=SMALL)
    assert (caught.value.job.state.status, caught.value.job.state.error_code) == ("failed", "moderated")
    assert caught.value.job.outputs == []


def test_a_canceled_job_is_told_and_its_wait_ends(darkroom: Darkroom, served: Served) -> None:
    prompt = new_prompt()
    served.script({"on": "create", "do": "run", "match": prompt, "seconds": 600})
    job = darkroom.submit(prompt, parameters=SMALL)
    with pytest.raises(TimeoutError, match=r"has not ended within 0.5 s"):
        job.wait(0.5)
    assert job.cancel() in ("dequeued", "requested")
    assert job.wait(30).state.status == "canceled"
    assert job.cancel() == "dequeued"
    with pytest.raises(NotCompleted, match="The job is canceled"):
        job.completed()


def test_changes_begin_with_the_job_as_it_is_and_end_with_its_end(darkroom: Darkroom) -> None:
    job = darkroom.submit(new_prompt(), parameters=SMALL)
    states = list(job.changes())
    assert states[-1].status == "completed"
    assert all(before != after for before, after in pairwise(states))
    assert job.state is states[-1]
    assert list(job.changes()) == [states[-1]]


def test_events_that_are_cut_off_go_on_where_they_ended(served: Served, pauses: Pauses) -> None:
    network = Network("/jobs/", cut=1)
    with Darkroom(served.url, transport=network, sleep=pauses, chance=lambda: 0.0) as darkroom:
        job = darkroom.submit(new_prompt(), parameters=SMALL)
        assert list(job.changes())[-1].status == "completed"
    first, second = (request for request in network.sent if request.url.path.endswith("/events"))
    assert "last-event-id" not in first.headers
    assert second.headers["last-event-id"].startswith("20")
    assert pauses == [3.0]


@pytest.mark.parametrize("fault", ["lost", "cut"])
def test_without_events_a_job_is_followed_by_long_polls(fault: str, served: Served, pauses: Pauses) -> None:
    network = Network("/jobs/", lost=99) if fault == "lost" else Network("/jobs/", cut=99, pieces=0)
    prompt = new_prompt()
    served.script({"on": "create", "do": "run", "match": prompt, "seconds": 2})
    with Darkroom(served.url, transport=network, sleep=pauses) as darkroom:
        job = darkroom.submit(prompt, parameters=SMALL)
        assert list(job.changes())[-1].status == "completed"
    waits = [request.headers.get("prefer") for request in network.sent if request.url.path.startswith("/status")]
    assert waits == [None, "wait=20"]


def test_a_job_whose_response_was_lost_is_made_once(served: Served, pauses: Pauses) -> None:
    network, prompt = Network("/generate", lost=2), new_prompt()
    with Darkroom(served.url, transport=network, sleep=pauses) as darkroom:
        job = darkroom.generate(prompt, parameters=SMALL)
        found = list(darkroom.jobs(f'"{prompt}"'))
    assert [each.id for each in found] == [job.id]
    assert len([request for request in network.sent if request.url.path == "/generate"]) == 3
    assert len(served.created(prompt)) == 1
    assert len(pauses) == 2


def test_a_job_is_followed_through_a_restart_of_the_web_server(darkroom: Darkroom, served: Served) -> None:
    prompt = new_prompt()
    served.script({"on": "create", "do": "run", "match": prompt, "seconds": 3})
    job = darkroom.submit(prompt, parameters=SMALL)
    states = job.changes()
    assert not next(states).has_ended
    served.kill("web")
    assert list(states)[-1].status == "completed"


def test_a_key_of_ones_own_makes_one_job_of_two_calls(darkroom: Darkroom) -> None:
    prompt, key = new_prompt(), uuid4().hex
    first, second = (darkroom.submit(prompt, key, parameters=SMALL) for _ in range(2))
    assert first.id == second.id


def test_two_calls_with_the_same_prompt_make_two_jobs(darkroom: Darkroom) -> None:
    prompt = new_prompt()
    assert darkroom.submit(prompt, parameters=SMALL).id != darkroom.submit(prompt, parameters=SMALL).id


def test_a_file_whose_response_was_lost_is_stored_and_used_as_input(served: Served, tmp_path: Path) -> None:
    (tmp_path / "fox.png").write_bytes(samples.picture(64, 64))
    network = Network("/uploads", lost=1)
    with Darkroom(served.url, transport=network, sleep=lambda _: None) as darkroom:
        upload = darkroom.upload(tmp_path / "fox.png")
        assert (upload.kind, upload.width, len(network.sent)) == ("image", 64, 2)
        job = darkroom.submit(new_prompt(), model="nano-banana", parameters={"image_input": [upload.url]})
        assert job.state.parameters["image_input"] == [upload.url]


def test_a_download_that_is_cut_off_is_made_again_and_leaves_one_file(served: Served, tmp_path: Path) -> None:
    network = Network("/media/", cut=1)
    with Darkroom(served.url, transport=network, sleep=lambda _: None) as darkroom:
        [output] = darkroom.generate(new_prompt(), parameters=SMALL).outputs
        path = output.save(tmp_path)
    assert list(tmp_path.iterdir()) == [path]
    whole = httpx.get(output.address, params={"download": ""}).content
    assert path.read_bytes() == whole
    assert len([request for request in network.sent if request.url.path.startswith("/media/")]) == 2


def test_a_search_goes_through_its_pages(darkroom: Darkroom) -> None:
    prompt = new_prompt()
    made = [darkroom.submit(prompt, parameters=SMALL).id for _ in range(3)]
    found = darkroom.jobs(f'"{prompt}"', page_size=2)
    assert [job.id for job in found] == made[::-1]
    assert list(darkroom.jobs(f'"{new_prompt()}"')) == []


def test_a_cost_is_estimated_and_nothing_submitted(darkroom: Darkroom) -> None:
    prompt = new_prompt()
    estimate = darkroom.estimate(prompt, model="flux-schnell", parameters={"num_outputs": 4})
    assert (estimate.jobs, estimate.low, estimate.basis) == (1, "0.012", "metrics")
    assert list(darkroom.jobs(f'"{prompt}"')) == []


def test_a_bare_name_is_that_of_a_model(darkroom: Darkroom) -> None:
    assert darkroom.submit(new_prompt(), model="flux-schnell").state.model == "black-forest-labs/flux-schnell"
    with pytest.raises(UnknownModel, match="No known model is named nope"):
        darkroom.submit("a fox", model="nope")


def test_what_is_wrong_is_told_with_its_place(darkroom: Darkroom) -> None:
    with pytest.raises(InvalidRequest) as caught:
        darkroom.submit("a fox", parameters={"width": "wide"})
    assert (caught.value.code, caught.value.problem.status) == ("invalid_parameters", 422)
    assert [fault.pointer for fault in caught.value.problem.errors or ()] == ["#/parameters/width"]


def test_what_there_is_not_is_told(darkroom: Darkroom) -> None:
    with pytest.raises(NotFound):
        darkroom.job(UNKNOWN).refresh()
    with pytest.raises(NotFound):
        list(darkroom.job(UNKNOWN).changes())
    with pytest.raises(NotFound):
        darkroom.job(UNKNOWN).cancel()
    with pytest.raises(ValueError, match="badly formed"):
        darkroom.job("nope")


# With people.

Inhabited = tuple[Served, dict[str, str]]


def test_with_a_key_a_job_is_its_owners(inhabited: Inhabited) -> None:
    served, keys = inhabited
    with Darkroom(served.url, keys["both"]) as darkroom:
        job = darkroom.generate(new_prompt(), parameters=SMALL)
        assert (job.state.owner, job.state.key) == ("anna", "both")
        assert list(job.changes()) == [job.state]


def test_the_program_in_the_docs_works(
    inhabited: Inhabited, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    served, keys = inhabited
    found = re.search(r"```python\n(.+?)```", (ROOT / "docs" / "api.md").read_text(), re.DOTALL)
    assert found is not None
    program = found[1].replace("http://127.0.0.1:8000", served.url).replace("dk_...", keys["both"])
    monkeypatch.chdir(tmp_path)
    exec(program, {})
    assert len(list((tmp_path / "prints").iterdir())) == 2
    assert "\ncompleted None\n" in capsys.readouterr().out


@pytest.mark.parametrize("key", [None, "dk_" + "a" * 38])
def test_without_a_key_that_works_nothing_is_done(key: str | None, inhabited: Inhabited) -> None:
    with Darkroom(inhabited[0].url, key) as darkroom, pytest.raises(KeyRefused):
        darkroom.submit(new_prompt(), parameters=SMALL)


@pytest.mark.parametrize("call", ["submit", "generate"])
def test_a_key_that_may_only_submit_gets_an_id(call: str, inhabited: Inhabited) -> None:
    served, keys = inhabited
    with Darkroom(served.url, keys["submit"]) as darkroom:
        if call == "generate":
            with pytest.raises(KeyRefused) as caught:
                darkroom.generate(new_prompt(), parameters=SMALL)
        else:
            job = darkroom.submit(new_prompt(), parameters=SMALL)
            assert job.id.version == 7
            with pytest.raises(KeyRefused) as caught:
                job.wait()
        assert caught.value.code == "missing_scope"


def test_a_budget_without_room_is_told_with_what_is_left(inhabited: Inhabited) -> None:
    served, keys = inhabited
    with Darkroom(served.url, keys["poor"]) as darkroom, pytest.raises(BudgetRefused) as caught:
        darkroom.submit(new_prompt(), model="flux-schnell")
    budget = caught.value.problem.budget
    assert caught.value.code == "budget_exceeded"
    assert budget is not None
    assert (budget.name, budget.limit) == ("anna/poor", "0.001")
