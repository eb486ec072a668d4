"""A key without read:all sees its owner's jobs. Those of others do not exist for it, whatever it asks."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID, uuid4

import httpx
import pytest

from tasks.accounts import people
from tasks.db.account_tables import Person
from tasks.db.database import now
from tasks.db.tables import Job
from tasks.jobs import lifecycle
from tasks.jobs.insert import Owner
from tests import factories
from tests.factories import SDXL
from tests.tasks import samples
from tests.webapp.browsers import PAGES

SCOPES = ("submit", "read", "tidy")


@dataclass(frozen=True)
class Two:
    """Anna's key without read:all, and a job that she made and one that she did not."""

    anna: Person
    headers: dict[str, str]
    own: Job
    other: Job


async def belonging_to(someone: Person | None, job: Job) -> Job:
    await Job.update({Job.owner: someone.id if someone else None}).where(Job.id == job.id)
    return job


@pytest.fixture(params=["ben's", "nobody's"])
async def two(request: pytest.FixtureRequest) -> Two:
    anna, ben = await factories.person(), await factories.person("ben")
    own = await belonging_to(anna, await factories.completed("a fox of anna's", b"own"))
    other = await factories.completed("a fox of another's", b"other")
    await belonging_to(ben if request.param == "ben's" else None, other)
    return Two(anna, await factories.key_of(anna, *SCOPES), own, other)


Ask = Callable[[httpx.AsyncClient, UUID, dict[str, str]], Awaitable[httpx.Response]]


def get(path: str, **more: str) -> Ask:
    return lambda web, job, headers: web.get(path.format(job), headers=headers | more)


def post(path: str, **more: str) -> Ask:
    return lambda web, job, headers: web.post(path.format(job), headers=headers | more)


def change(web: httpx.AsyncClient, job: UUID, headers: dict[str, str]) -> Awaitable[httpx.Response]:
    return web.patch(f"/jobs/{job}", json={"favorite": True, "tags": ["x"], "trashed": True}, headers=headers)


def made_from(web: httpx.AsyncClient, job: UUID, headers: dict[str, str]) -> Awaitable[httpx.Response]:
    return web.post("/generate", json={"prompt": "an owl", "made_from": str(job)}, headers=headers)


def batch_made_from(web: httpx.AsyncClient, job: UUID, headers: dict[str, str]) -> Awaitable[httpx.Response]:
    return web.post("/batches", json={"prompt": "an {owl|elk}", "made_from": str(job)}, headers=headers)


def estimate_made_from(web: httpx.AsyncClient, job: UUID, headers: dict[str, str]) -> Awaitable[httpx.Response]:
    return web.post("/estimate", json={"prompt": "an owl", "made_from": str(job)}, headers=headers)


def made_with(web: httpx.AsyncClient, job: UUID, headers: dict[str, str]) -> Awaitable[httpx.Response]:
    body = {"prompt": "an owl", "model": SDXL, "parameters": {"image": f"/media/{job}.png"}}
    return web.post("/generate", json=body, headers=headers)


def batch_made_with(web: httpx.AsyncClient, job: UUID, headers: dict[str, str]) -> Awaitable[httpx.Response]:
    body = {"prompt": "an {owl|elk}", "models": [SDXL], "parameters": {"image": f"/media/{job}.png"}}
    return web.post("/batches", json=body, headers=headers)


ASKED: dict[str, tuple[Ask, int]] = {
    "status": (get("/status/{}"), 200),
    "job": (get("/jobs/{}"), 200),
    "job as a page": (get("/jobs/{}", **PAGES), 200),
    "job for htmx": (get("/jobs/{}", **{"HX-Request": "true"}), 200),
    "cancel": (post("/jobs/{}/cancel"), 200),
    "cancel as a page": (post("/jobs/{}/cancel", **PAGES), 200),
    "retry": (post("/jobs/{}/retry"), 409),
    "change": (change, 200),
    "delete": (post("/jobs/{}/delete"), 303),
    "file": (get("/media/{}.png"), 200),
    "download": (get("/media/{}.png?download"), 200),
    "part of a file": (get("/media/{}.png", Range="bytes=0-1"), 206),
    "made from it": (made_from, 202),
    "batch made from it": (batch_made_from, 202),
    "estimate made from it": (estimate_made_from, 200),
    "made with its file": (made_with, 202),
    "batch made with its file": (batch_made_with, 202),
}
"""What is asked of a job, and the status of the answer to its owner."""


@pytest.mark.parametrize("what", ASKED)
async def test_anothers_job_is_no_job_and_ones_own_is(
    web: httpx.AsyncClient, standin: str, two: Two, what: str
) -> None:
    ask, expected = ASKED[what]
    of_another, of_none = [await ask(web, job, two.headers) for job in (two.other.id, uuid4())]
    assert of_another.status_code in (404, 422)
    assert anonymous(of_another, two.other.id) == anonymous(of_none, None)
    untouched = (Job.status == "completed") & Job.trashed_at.is_null() & Job.deleted_at.is_null()
    assert await Job.exists().where(untouched & (Job.id == two.other.id) & Job.favorite.eq(False))
    assert (await ask(web, two.own.id, two.headers)).status_code == expected


def anonymous(answer: httpx.Response, job: UUID | None) -> tuple[int, str, str]:
    """Return what a response tells, without the id that was asked for."""
    text = answer.text.replace(str(job), "").replace(answer.headers["X-Request-ID"], "")
    return answer.status_code, answer.headers["content-type"], text


@pytest.mark.parametrize("what", ["status", "job", "file", "cancel", "change"])
async def test_a_job_of_anothers_that_was_deleted_never_was(web: httpx.AsyncClient, two: Two, what: str) -> None:
    for job in (two.own, two.other):
        assert await lifecycle.delete(job.id)
    ask, _ = ASKED[what]
    assert (await ask(web, two.other.id, two.headers)).status_code == 404
    assert (await ask(web, two.own.id, two.headers)).status_code == (404 if what == "file" else 410)


@pytest.mark.parametrize(
    "q",
    [
        "",
        "fox",
        "another",
        "-nothing",
        "status:completed",
        "by:ben",
        "by:anna,ben",
        "-by:anna",
        "kind:image",
        "before:2999",
    ],
)
async def test_a_search_finds_ones_own_jobs_alone(web: httpx.AsyncClient, two: Two, q: str) -> None:
    for sort in ("newest", "oldest", "favorites"):
        page = (await web.get("/jobs.json", params={"q": q, "sort": sort}, headers=two.headers)).json()
        assert {job["job_id"] for job in page["jobs"]} <= {str(two.own.id)}
        assert "next" not in page
    everyone = await factories.key_of(two.anna, "read", "read:all", name="all")
    found = (await web.get("/jobs.json", headers=everyone)).json()["jobs"]
    assert {job["job_id"] for job in found} == {str(two.own.id), str(two.other.id)}


async def test_the_pages_of_a_search_go_on_with_ones_own_jobs(web: httpx.AsyncClient, two: Two) -> None:
    owner = Owner(two.anna.id)
    jobs = [str((await factories.submitted(f"fox {number}", owner=owner)).id) for number in range(3)]
    address, found = "/jobs.json?limit=1", []
    while address:
        page = (await web.get(address, headers=two.headers)).json()
        found += [job["job_id"] for job in page["jobs"]]
        address = page.get("next", "")
    assert found == [*reversed(jobs), str(two.own.id)]


async def test_what_is_in_the_trash_of_others_is_not_found_either(web: httpx.AsyncClient, two: Two) -> None:
    await Job.update({Job.trashed_at: now(), Job.changed_at: now()}, force=True)
    page = (await web.get("/jobs.json", params={"q": "in:trash"}, headers=two.headers)).json()
    assert [job["job_id"] for job in page["jobs"]] == [str(two.own.id)]


async def test_the_news_are_of_ones_own_jobs(web: httpx.AsyncClient, two: Two) -> None:
    since = (now() - timedelta(minutes=1)).isoformat()
    body = (await web.get("/finished.json", params={"since": since}, headers=two.headers)).json()
    assert [job["job_id"] for job in body["finished"]] == [str(two.own.id)]


async def test_previews_of_others_are_not_there_and_uploads_belong_to_nobody(
    web: httpx.AsyncClient, standin: str, two: Two
) -> None:
    for ending in ("webp", "preview.webp", "thumb.webp", "png.png"):
        assert (await web.get(f"/media/{two.other.id}.{ending}", headers=two.headers)).status_code == 404
    picture = {"file": ("a.png", samples.picture(64, 64), "image/png")}
    kept = await web.post("/uploads", files=picture, headers=two.headers)
    assert kept.status_code == 201
    assert (await web.get(kept.json()["url"], headers=two.headers)).status_code == 200


async def test_what_a_key_makes_belongs_to_its_owner(web: httpx.AsyncClient, two: Two) -> None:
    made = (await web.post("/generate", json={"prompt": "an owl"}, headers=two.headers)).json()["job_id"]
    other_key = await factories.key_of(two.anna, "read", name="other")
    for headers in (two.headers, other_key):
        job = (await web.get(f"/status/{made}", headers=headers)).json()
        assert (job["owner"], job["key"], job["prompt"]) == ("anna", "ci", "an owl")


# Batches.


async def a_batch(web: httpx.AsyncClient, someone: Person) -> str:
    headers = await factories.key_of(someone, "submit", name="batches")
    answer = await web.post("/batches", json={"prompt": "a {red|blue} fox"}, headers=headers)
    assert answer.status_code == 202
    return str(answer.json()["batch_id"])


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/batches/{}"), ("GET", "/batches/{}.json"), ("POST", "/batches/{}/cancel")],
)
async def test_anothers_batch_is_no_batch_and_ones_own_is(
    web: httpx.AsyncClient, two: Two, method: str, path: str
) -> None:
    ben = await people.named("ben")
    assert ben is not None
    own, other = await a_batch(web, two.anna), await a_batch(web, ben)
    for headers in (two.headers, two.headers | PAGES):
        answer = await web.request(method, path.format(other), headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (404, "batch_not_found")
        answer = await web.request(method, path.format(own), headers=headers)
        assert (answer.status_code, answer.json()["batch_id"]) == (200, own)
        assert len(answer.json()["jobs"]) == 2
    assert await Job.count().where((Job.batch == UUID(other)) & (Job.status == "queued")) == 2


async def test_a_batch_is_not_found_by_a_search_for_it(web: httpx.AsyncClient, two: Two) -> None:
    ben = await people.named("ben")
    assert ben is not None
    q = f"batch:{await a_batch(web, ben)}"
    assert (await web.get("/jobs.json", params={"q": q}, headers=two.headers)).json()["jobs"] == []
