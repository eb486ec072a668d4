"""The API as a client sees it: paths, statuses, headers, fields and error bodies."""

import time
from collections.abc import Callable
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from tasks.standin.predictions import SECOND
from tests.tasks.standin.conftest import CERTIFICATES, FLUX, SDXL, Client

INVALID = {
    "title": "Invalid version or not permitted",
    "detail": "The specified version does not exist (or perhaps you don't have permission to use it?)",
    "status": 422,
}
MISSING = {"detail": "The requested resource could not be found.", "status": 404}


def test_a_create_is_answered_as_recorded(client: Client) -> None:
    answer = client.post("/v1/predictions", json={"version": FLUX, "input": {"prompt": "a sea", "bogus": 1}})
    assert answer.status_code == 201
    shown = answer.json()
    assert shown.keys() >= {
        "id",
        "model",
        "version",
        "input",
        "output",
        "data_removed",
        "error",
        "status",
        "created_at",
        "urls",
    }
    assert (shown["status"], shown["logs"], shown["output"]) == ("starting", "", None)
    assert (shown["model"], shown["version"], len(shown["id"])) == (FLUX, "hidden", 26)
    assert shown["input"] == {"prompt": "a sea"}, "unknown inputs are dropped without a word"
    assert shown["urls"]["get"] == f"{client.base_url}/v1/predictions/{shown['id']}".replace("//v1", "/v1")
    assert shown["urls"].keys() == {"get", "cancel", "web"}
    assert (answer.headers["ratelimit-remaining"], answer.headers["ratelimit-reset"]) == ("599", "1")
    assert "Preference-Applied" not in answer.headers


@pytest.mark.parametrize("version", [SDXL, f"stability-ai/sdxl:{SDXL}"])
def test_community_models_run_by_version(client: Client, version: str) -> None:
    shown = client.create(version, prompt="a sea")
    assert (shown["model"], shown["version"]) == ("stability-ai/sdxl", SDXL)


@pytest.mark.parametrize(
    "version", ["stability-ai/sdxl", f"{FLUX}:latest", "nobody/nothing", "0" * 64, f"{FLUX}:{SDXL}", "latest", ""]
)
def test_other_versions_are_refused(client: Client, version: str) -> None:
    answer = client.post("/v1/predictions", json={"version": version, "input": {"prompt": "a sea"}})
    assert (answer.status_code, answer.json()) == (422, INVALID)
    assert answer.headers["content-type"] == "application/problem+json"


def test_official_models_run_by_name_and_community_models_do_not(client: Client) -> None:
    answer = client.post(f"/v1/models/{FLUX}/predictions", json={"input": {"prompt": "a sea"}})
    assert (answer.status_code, answer.json()["model"]) == (201, FLUX)
    answer = client.post("/v1/models/stability-ai/sdxl/predictions", json={"input": {"prompt": "a sea"}})
    assert (answer.status_code, answer.json()) == (404, MISSING)


REFUSED: list[tuple[dict[str, Any], str, list[dict[str, str]]]] = [
    (
        {"model": "x", "input": {}},
        "- version is required\n- Additional property model is not allowed\n",
        [
            {"type": "required", "field": "", "description": "version is required"},
            {
                "type": "additional_property_not_allowed",
                "field": "",
                "description": "Additional property model is not allowed",
            },
        ],
    ),
    (
        {"version": FLUX, "input": {}},
        "- input: prompt is required\n",
        [{"type": "required", "field": "input", "description": "prompt is required"}],
    ),
    (
        {"version": "google/nano-banana", "input": {"prompt": "x", "output_format": "gif"}},
        '- input.output_format: output_format must be one of the following: "jpg", "png"\n',
        [
            {
                "type": "enum",
                "field": "input.output_format",
                "description": 'output_format must be one of the following: "jpg", "png"',
            }
        ],
    ),
    (
        {"version": SDXL, "input": {"scheduler": "best"}},
        "- input.scheduler: scheduler must be one of the following: "
        '"DDIM", "DPMSolverMultistep", "HeunDiscrete", "KarrasDPM", "K_EULER_ANCESTRAL", "K_EULER", "PNDM"\n',
        [],
    ),
    (
        {"version": SDXL, "input": {"width": "512"}},
        "- input.width: Invalid type. Expected: integer, given: string\n",
        [],
    ),
    ({"version": SDXL, "input": {"num_outputs": 5}}, "- input.num_outputs: Must be less than or equal to 4\n", []),
    ({"version": SDXL, "input": {"num_outputs": 0}}, "- input.num_outputs: Must be greater than or equal to 1\n", []),
    ({"version": SDXL, "input": {"image": "my cat"}}, "- input.image: Does not match format 'uri'\n", []),
]


@pytest.mark.parametrize(("body", "detail", "fields"), REFUSED)
def test_wrong_input_is_told_as_recorded(
    client: Client, body: dict[str, Any], detail: str, fields: list[dict[str, str]]
) -> None:
    answer = client.post("/v1/predictions", json=body)
    problem = answer.json()
    assert (answer.status_code, problem["detail"], problem["title"]) == (422, detail, "Input validation failed")
    assert not fields or problem["invalid_fields"] == fields
    assert client.ledger() == []


def test_null_is_taken_where_the_schema_says_nullable_only(client: Client) -> None:
    assert (
        client.create("minimax/hailuo-02", prompt="x", first_frame_image=None, duration=10)["input"]["duration"] == 10
    )
    answer = client.post("/v1/predictions", json={"version": SDXL, "input": {"seed": None}})
    assert answer.status_code == 422


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b"[" * 5000, b'{"a":' * 5000])
def test_a_body_that_is_no_json_object_is_400(client: Client, content: bytes) -> None:
    assert client.post("/v1/predictions", content=content).status_code == 400


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer"}, {"Authorization": "Basic eDp5"}])
def test_without_a_token_nothing_is_told(client: Client, headers: dict[str, str]) -> None:
    answer = httpx.get(f"{client.base_url}/v1/account", headers=headers, verify=CERTIFICATES)
    detail = "You did not pass a valid authentication token"
    assert (answer.status_code, answer.json()) == (401, {"title": "Unauthenticated", "detail": detail, "status": 401})


def test_where_a_token_is_set_only_that_one_passes(stand_in: Callable[..., Client]) -> None:
    client = stand_in(token="r8_right")
    assert client.get("/v1/account").status_code == 401
    assert client.get("/v1/account", headers={"Authorization": "Bearer r8_right"}).json()["type"] == "user"


def test_unknown_things_are_404_and_wrong_methods_405(client: Client) -> None:
    for path in ("predictions/none", "models/no/body", "nothing", f"models/{FLUX}/versions/none"):
        assert (client.get(f"/v1/{path}").status_code, client.get(f"/v1/{path}").json()) == (404, MISSING)
    answer = client.delete("/v1/predictions")
    assert (answer.status_code, answer.headers["content-type"]) == (405, "application/problem+json")
    assert "POST" in answer.headers["allow"]


def test_a_picture_arrives_as_from_replicates_file_host(client: Client) -> None:
    done = client.finished(client.create(SDXL, prompt="a sea", width=64, height=48, seed=7, num_outputs=2))
    assert done["status"] == "succeeded"
    assert [url.rpartition("/")[2] for url in done["output"]] == ["out-0.png", "out-1.png"]
    first, second = (client.get(url) for url in done["output"])
    assert httpx.get(done["output"][0], verify=CERTIFICATES).content == first.content, "the file host wants no token"
    assert Image.open(BytesIO(first.content)).size == (64, 48)
    assert first.content != second.content
    assert first.headers["content-type"] == "image/png"
    assert first.headers["content-length"] == str(len(first.content))
    assert (first.headers["accept-ranges"], first.headers["cache-control"]) == ("bytes", "public,max-age=3600")
    part = client.get(done["output"][0], headers={"Range": "bytes=0-9"})
    assert (part.status_code, part.content, part.headers["etag"]) == (206, first.content[:10], first.headers["etag"])


def test_the_same_input_gives_the_same_bytes(client: Client) -> None:
    one, other = (client.finished(client.create(prompt="a sea", seed=3, megapixels="0.25")) for _ in range(2))
    assert client.get(one["output"][0]).content == client.get(other["output"][0]).content


@pytest.mark.parametrize(
    ("given", "size", "ending"),
    [
        ({"aspect_ratio": "16:9", "megapixels": "0.25"}, (672, 384), "webp"),
        ({"aspect_ratio": "9:16", "output_format": "jpg"}, (768, 1344), "jpg"),
    ],
)
def test_pictures_have_the_proportions_and_format_asked_for(
    client: Client, given: dict[str, Any], size: tuple[int, int], ending: str
) -> None:
    done = client.finished(client.create(prompt="a sea", **given))
    assert done["output"][0].endswith(ending)
    assert Image.open(BytesIO(client.get(done["output"][0]).content)).size == size


def test_films_and_music_are_single_urls(client: Client) -> None:
    film = client.finished(client.create("minimax/hailuo-02", prompt="a sea"))
    assert client.get(film["output"]).headers["content-type"] == "video/mp4"
    music = client.finished(
        client.create("671ac645ce5e552cc63a54a2bbff63fcf798043055d2dac5fc9e36a837eedcfb", prompt="a harp", duration=1)
    )
    answer = client.get(music["output"])
    assert (answer.headers["content-type"], answer.content[:4]) == ("audio/wav", b"RIFF")


def test_there_is_no_file_before_the_end(stand_in: Callable[..., Client]) -> None:
    client = stand_in(pace=60)
    shown = client.create(prompt="a sea")
    assert client.get(f"/files-delivery/{shown['id']}/out-0.webp").status_code == 404


def test_a_picture_given_as_a_data_url_is_worked_on(client: Client) -> None:
    seed = client.finished(client.create(SDXL, {"Prefer": "wait"}, prompt="a sea", width=64, height=64))
    again = client.create("google/nano-banana", prompt="redder", image_input=[seed["output"][0]])
    fresh = client.create("google/nano-banana", prompt="redder")
    one, other = (client.get(client.finished(shown)["output"]).content for shown in (again, fresh))
    assert Image.open(BytesIO(one)).size == (1024, 1024)
    assert one != other


def test_sdxl_fails_as_the_real_one_does_on_sizes_it_cannot_make(client: Client) -> None:
    done = client.finished(client.create(SDXL, prompt="x", width=100_000, height=100_000))
    assert (done["status"], done["output"]) == ("failed", None)
    assert "CUDA out of memory" in done["error"]


def test_waiting_for_sdxl_gives_files_inside_the_answer_and_says_processing(client: Client) -> None:
    body = {"version": SDXL, "input": {"prompt": "a sea", "width": 64, "height": 64}}
    answer = client.post("/v1/predictions", json=body, headers={"Prefer": "wait=10"})
    assert (answer.status_code, answer.headers["Preference-Applied"]) == (201, "wait=10")
    assert (answer.json()["status"], answer.json()["logs"]) == ("processing", "")
    assert answer.json()["output"][0].startswith("data:image/png;base64,")


def test_waiting_for_other_models_gives_the_finished_prediction(client: Client) -> None:
    body = {"version": FLUX, "input": {"prompt": "a sea"}}
    answer = client.post("/v1/predictions", json=body, headers={"Prefer": "wait"})
    assert (answer.status_code, answer.headers["Preference-Applied"]) == (201, "wait=60")
    assert answer.json()["status"] == "succeeded"


def test_waiting_ends_when_the_seconds_are_over(stand_in: Callable[..., Client]) -> None:
    client = stand_in(pace=60)
    start = time.monotonic()
    assert client.create(prompt="a sea", headers={"Prefer": "wait=1"})["status"] == "starting"
    assert time.monotonic() - start >= 1


def test_cancel_ends_what_runs_and_leaves_what_has_ended(stand_in: Callable[..., Client]) -> None:
    client = stand_in(pace=60)
    shown = client.create(prompt="a sea")
    canceled = client.post(f"/v1/predictions/{shown['id']}/cancel")
    assert (canceled.status_code, canceled.json()["status"], canceled.json()["logs"]) == (200, "canceled", None)
    assert client.post(f"/v1/predictions/{shown['id']}/cancel").json() == canceled.json()
    client.post("/_standin/pace", json={"pace": 0.001})
    done = client.finished(client.create(prompt="a sea"))
    assert client.post(f"/v1/predictions/{done['id']}/cancel").json()["status"] == "succeeded"


@pytest.mark.parametrize(("text", "seconds"), [("30", 30), ("90s", 90), ("5m", 300), ("1h30m45s", 5445)])
def test_cancel_after_sets_a_deadline(client: Client, text: str, seconds: int) -> None:
    shown = client.create(prompt="a sea", headers={"Cancel-After": text})
    created, deadline = (datetime.fromisoformat(shown[name]) for name in ("created_at", "deadline"))
    assert (deadline - created).total_seconds() == seconds


@pytest.mark.parametrize("text", ["4", "4s", "soon", "-5", ""])
def test_other_deadlines_are_refused(client: Client, text: str) -> None:
    body = {"version": FLUX, "input": {"prompt": "x"}}
    assert client.post("/v1/predictions", json=body, headers={"Cancel-After": text}).status_code == 422


def test_lists_come_in_pages_of_a_hundred_newest_first(client: Client) -> None:
    made = [client.create(prompt=f"number {number}")["id"] for number in range(205)]
    pages = [client.get("/v1/predictions").json()]
    assert pages[0]["previous"] is None
    while pages[-1]["next"]:
        pages.append(client.get(pages[-1]["next"]).json())
    assert [len(page["results"]) for page in pages] == [100, 100, 5]
    assert [row["id"] for page in pages for row in page["results"]] == made[::-1]
    back = client.get(pages[-1]["previous"]).json()
    assert [row["id"] for row in back["results"]] == made[5:105][::-1]
    assert pages[0]["results"][0]["input"] == {"prompt": "number 204"}
    assert client.get("/v1/predictions", params={"cursor": "bm9uc2Vuc2U="}).status_code == 400


def test_lists_can_be_narrowed_by_time_and_source(client: Client) -> None:
    clock = [client.create(prompt=word) for word in ("first", "second", "third")]

    def prompts(**query: str) -> list[str]:
        return [row["input"]["prompt"] for row in client.get("/v1/predictions", params=query).json()["results"]]

    assert prompts(created_after="2020-01-01T00:00:00Z", created_before="2099-01-01T00:00:00Z") == [
        "third",
        "second",
        "first",
    ]
    assert prompts(created_before="2020-01-01T00:00:00Z") == []
    assert prompts(created_after="2099-01-01T00:00:00+02:00") == []
    assert prompts(source="web") == []
    assert len(prompts(created_after=clock[0]["created_at"])) == 3
    assert client.get("/v1/predictions", params={"created_after": "yesterday"}).status_code == 400


def test_list_rows_do_not_tell_webhooks_but_a_get_does(stand_in: Callable[..., Client]) -> None:
    client = stand_in(pace=60)
    body = {"version": FLUX, "input": {"prompt": "x"}, "webhook": "http://127.0.0.1:9/hook"}
    shown = client.post("/v1/predictions", json=body).json()
    assert (shown["webhook"], client.read(shown)["webhook"]) == (body["webhook"], body["webhook"])
    assert "webhook" not in client.get("/v1/predictions").json()["results"][0]


def test_models_are_listed_with_their_schemas(client: Client) -> None:
    names = {f"{model['owner']}/{model['name']}" for model in client.get("/v1/models").json()["results"]}
    assert {FLUX, "stability-ai/sdxl", "google/nano-banana", "minimax/hailuo-02", "meta/musicgen"} == names
    model = client.get("/v1/models/stability-ai/sdxl").json()
    assert (model["is_official"], model["latest_version"]["id"]) == (False, SDXL)
    assert client.get("/v1/models/stability-ai/sdxl/versions").json()["results"] == [model["latest_version"]]
    assert client.get(f"/v1/models/stability-ai/sdxl/versions/{SDXL}").json() == model["latest_version"]


def test_hardware_and_the_webhook_secret_are_told(client: Client) -> None:
    assert client.get("/v1/hardware").json() == [{"name": "CPU", "sku": "cpu"}]
    assert client.get("/v1/webhooks/default/secret").json()["key"].startswith("whsec_")


def test_too_many_creates_are_throttled(stand_in: Callable[..., Client]) -> None:
    client = stand_in(clock=lambda: 1_749_452_554_263_000_000)
    client.post("/_standin/limit", json={"creates_per_minute": 6, "burst": 1})
    client.create(prompt="a sea")
    answer = client.post("/v1/predictions", json={"version": FLUX, "input": {"prompt": "a sea"}})
    detail = "Request was throttled. Your rate limit resets in ~10s."
    assert (answer.status_code, answer.json()) == (429, {"detail": detail, "status": 429, "retry_after": 10})
    assert answer.headers["ratelimit-remaining"] == "0"
    assert len(client.ledger()) == 1


def test_a_restarted_stand_in_still_knows_its_predictions(stand_in: Callable[..., Client], tmp_path: Path) -> None:
    client = stand_in(folder=tmp_path / "kept")
    done = client.finished(client.create(prompt="a sea", megapixels="0.25"))
    picture = client.get(done["output"][0]).content
    again = stand_in(folder=tmp_path / "kept")
    known = again.read(done)
    assert known | {"urls": 0, "output": 0} == done | {"urls": 0, "output": 0}
    assert str(again.base_url).rstrip("/") in known["output"][0], "URLs follow the address that was asked"
    assert client.get(known["output"][0]).content == picture


def test_an_hour_later_data_and_files_are_gone(stand_in: Callable[..., Client]) -> None:
    now = [1_749_452_554_263_000_000]
    client = stand_in(clock=lambda: now[0])
    shown = client.create(prompt="a sea", megapixels="0.25")
    now[0] += SECOND
    url = client.read(shown)["output"][0]
    assert client.get(url).status_code == 200
    now[0] += 3600 * SECOND
    gone = client.read(shown)
    assert (gone["input"], gone["output"], gone["data_removed"]) == ({}, None, True)
    assert client.get(url).status_code == 404
    assert client.ledger()[0]["input"]["prompt"] == "a sea", "the ledger forgets nothing"
