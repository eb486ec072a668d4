"""What Replicate's answers, and missing answers, mean: distinguished by whether something may have been paid for."""

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from tasks.errors import Failure, reason
from tasks.replicate.client import MAX_CONNECTIONS, Replicate
from tasks.replicate.errors import (
    AccountRefused,
    Forbidden,
    InvalidInput,
    NotFound,
    OutcomeDoubtful,
    OutcomeUnknown,
    Refused,
    Throttled,
    refusal,
    token_refused,
)

pytestmark = pytest.mark.once

Answer = Callable[[httpx.Request], httpx.Response]


def replicate(answer: Answer) -> Replicate:
    return Replicate(httpx.MockTransport(answer))


def raising(error: Exception) -> Answer:
    def answer(request: httpx.Request) -> httpx.Response:
        raise error

    return answer


async def create(answer: Answer) -> Failure:
    with pytest.raises(Failure) as caught:
        await replicate(answer).create("owner/name", {"prompt": "p"}, 60)
    return caught.value


async def test_a_prediction_is_created_with_a_deadline_and_without_waiting() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(201, json={"id": "abc", "status": "starting", "urls": {}, "new_field": 1})

    prediction = await replicate(answer).create("owner/name", {"prompt": "p", "seed": 7}, 60)
    assert (prediction.id, prediction.status, prediction.ended) == ("abc", "starting", False)
    assert json.loads(seen[0].content) == {"version": "owner/name", "input": {"prompt": "p", "seed": 7}}
    assert seen[0].headers["Cancel-After"] == "60s"
    assert seen[0].headers["Authorization"].startswith("Bearer ")
    assert "Prefer" not in seen[0].headers


@pytest.mark.parametrize(
    "error",
    [httpx.ConnectError("no"), httpx.ConnectTimeout("no"), httpx.PoolTimeout("no")],
    ids=lambda e: type(e).__name__,
)
async def test_what_never_left_us_was_certainly_not_created(error: Exception) -> None:
    failure = await create(raising(error))
    assert isinstance(failure, Refused)
    assert failure.passing


async def test_a_request_whose_turn_does_not_come_in_time_was_certainly_not_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    go_on = asyncio.Event()

    async def slow(request: httpx.Request) -> httpx.Response:
        await go_on.wait()
        return httpx.Response(200, json={"id": "abc", "status": "starting"})

    busy = Replicate(httpx.MockTransport(slow))
    monkeypatch.setattr("tasks.replicate.client.TIMEOUT", httpx.Timeout(30.0, pool=0.05))
    under_way = [asyncio.create_task(busy.get("abc")) for _ in range(MAX_CONNECTIONS)]
    await asyncio.sleep(0.01)
    with pytest.raises(Refused) as caught:
        await busy.create("owner/name", {"prompt": "p"}, 60)
    assert caught.value.passing
    go_on.set()
    assert [prediction.id for prediction in await asyncio.gather(*under_way)] == ["abc"] * MAX_CONNECTIONS


@pytest.mark.parametrize(
    "error",
    [httpx.ReadTimeout("no"), httpx.WriteError("no"), httpx.ReadError("no"), httpx.RemoteProtocolError("no")],
    ids=lambda e: type(e).__name__,
)
async def test_an_answer_that_never_came_may_have_been_paid_for(error: Exception) -> None:
    assert isinstance(await create(raising(error)), OutcomeUnknown)


@pytest.mark.parametrize(
    ("status", "body", "kind", "code", "passing"),
    [
        (
            401,
            {"title": "Unauthenticated", "detail": "You did not pass a token"},
            AccountRefused,
            "provider_auth",
            False,
        ),
        (402, {"title": "Insufficient credit", "detail": "Go to billing"}, AccountRefused, "provider_billing", False),
        (404, {"detail": "The requested resource could not be found.", "status": 404}, NotFound, "not_found", False),
        (422, {"detail": "- input: prompt is required\n", "status": 422}, InvalidInput, "invalid_input", False),
        (429, {"detail": "Request was throttled.", "status": 429}, Throttled, "rate_limited", True),
        (500, {"detail": "Internal server error", "status": 500}, OutcomeDoubtful, "provider_error", True),
        (503, {"detail": "Internal server error", "status": 503}, OutcomeDoubtful, "provider_error", True),
        (502, "<html>cloudflare</html>", OutcomeUnknown, "provider_error", True),
        (504, "<html>cloudflare</html>", OutcomeUnknown, "provider_error", True),
        (500, "<html>cloudflare</html>", OutcomeUnknown, "provider_error", True),
        (403, {"detail": "no permission"}, Forbidden, "forbidden", False),
        (403, "<html>gateway</html>", Forbidden, "forbidden", False),
        (413, {"detail": "Files must be less than 100MB in size"}, Refused, "input_too_large", False),
        (400, {"detail": "bad request"}, OutcomeUnknown, "provider_error", True),
        (405, {"detail": "not allowed"}, OutcomeUnknown, "provider_error", True),
        (408, {"detail": "timeout"}, OutcomeUnknown, "provider_error", True),
        (409, {"detail": "conflict"}, OutcomeUnknown, "provider_error", True),
        (418, {"detail": "teapot"}, OutcomeUnknown, "provider_error", True),
        (425, {"detail": "too early"}, OutcomeUnknown, "provider_error", True),
        (499, "", OutcomeUnknown, "provider_error", True),
        (301, "", OutcomeUnknown, "provider_error", True),
        (507, {"detail": "full"}, OutcomeUnknown, "provider_error", True),
        (201, "no json at all", OutcomeUnknown, "provider_error", True),
        (201, {"status": "starting"}, OutcomeUnknown, "provider_error", True),
    ],
)
async def test_error_answers_are_told_apart(status: int, body: Any, kind: type, code: str, passing: bool) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(status, text=body) if isinstance(body, str) else httpx.Response(status, json=body)

    failure = await create(answer)
    assert type(failure) is kind
    assert (failure.code, failure.passing) == (code, passing)


async def test_users_do_not_read_where_the_operator_pays() -> None:
    body = {"detail": "Go to https://replicate.com/account/billing#billing to purchase credit."}
    assert "replicate.com" not in (await create(lambda request: httpx.Response(402, json=body))).message


@pytest.mark.parametrize(
    ("body", "headers", "seconds"),
    [
        ({"retry_after": 5}, {}, 5),
        ({}, {"Retry-After": "7"}, 7),
        ({"retry_after": 5}, {"Retry-After": "7"}, 5),
        ({}, {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}, None),
        ({}, {}, None),
        ({"retry_after": -3}, {}, 0),
    ],
)
async def test_how_long_to_wait_is_read_from_the_body_or_the_header(
    body: dict[str, int], headers: dict[str, str], seconds: float | None
) -> None:
    failure = await create(lambda request: httpx.Response(429, json=body, headers=headers))
    assert failure.retry_after == seconds


async def test_the_list_is_followed_over_its_pages_but_to_no_other_host() -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        if "cursor=2" in str(request.url):
            second = {"id": "second", "status": "succeeded"}
            return httpx.Response(200, json={"results": [second], "next": "https://evil.example/v1/predictions"})
        following = str(request.url.copy_with(query=b"cursor=2"))
        return httpx.Response(200, json={"results": [{"id": "first", "status": "starting"}], "next": following})

    after, before = datetime(2026, 11, 22, 20, tzinfo=UTC), datetime(2026, 11, 22, 21, tzinfo=UTC)
    found = await replicate(answer).listed(after, before)
    assert [prediction.id for prediction in found] == ["first", "second"]
    assert len(asked) == 2
    assert "created_after=2026-11-22T20" in asked[0]
    assert "created_before=2026-11-22T21" in asked[0]


async def test_a_429_to_a_look_is_heeded_by_all_looks_and_not_by_creates() -> None:
    now, asked = 100.0, []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.method)
        if len(asked) == 1:
            return httpx.Response(429, json={"detail": "Request was throttled.", "retry_after": 7})
        return httpx.Response(201, json={"id": "abc", "status": "starting"})

    client = Replicate(httpx.MockTransport(answer), clock=lambda: now)
    for look in (client.get("abc"), client.get("def"), client.account(), client.cancel("abc")):
        with pytest.raises(Throttled) as caught:
            await look
        assert caught.value.retry_after == 7
    assert asked == ["GET"]
    await client.create("owner/name", {"prompt": "p"}, 60)
    now += 7
    await client.get("abc")
    assert asked == ["GET", "POST", "GET"]


@pytest.mark.parametrize(
    ("status", "error", "code", "passing"),
    [
        ("failed", "Prediction interrupted; please retry (code: PA)", "provider_interrupted", True),
        ("failed", "Director: unexpected error handling prediction (E9828)", "provider_interrupted", True),
        ("failed", "Director: unexpected error handling prediction (E1001)", "out_of_memory", False),
        ("failed", "CUDA out of memory. Tried to allocate 2 GiB", "out_of_memory", False),
        ("failed", "The input or output was flagged as sensitive. (E005) (uIJ6l3ruRD)", "moderated", False),
        ("failed", "NSFW content detected. Try running it again", "moderated", False),
        ("failed", "Service is temporarily unavailable (E004)", "provider_busy", True),
        ("failed", "Prediction timed out", "prediction_timeout", False),
        ("failed", "Input validation error: 403 Client Error: Forbidden for url: x", "invalid_input", False),
        ("failed", "list index out of range", "model_error", False),
        ("failed", None, "model_error", False),
        ("failed", "", "model_error", False),
        ("aborted", None, "provider_canceled", False),
        ("canceled", None, "provider_canceled", False),
    ],
)
def test_a_failed_prediction_is_tried_again_only_where_the_platform_was_at_fault(
    status: str, error: str | None, code: str, passing: bool
) -> None:
    failure = reason(status, error)
    assert (failure.code, failure.passing) == (code, passing)
    assert failure.message.endswith(".")
    assert failure.details == (error or "")


@pytest.mark.parametrize(
    "words",
    [
        "CUDA error: device-side assert triggered",
        "CUDA error: an illegal memory access was encountered",
        "cuDNN error: CUDNN_STATUS_EXECUTION_FAILED",
        "NCCL communicator was aborted on rank 0",
        "'NoneType' object is not subscriptable",
        "RuntimeError: The model could not be run",
        "Traceback (most recent call last):\n  something went wrong here",
        "[Errno 2] No such file or directory",
        "cannot open /src/weights/model.safetensors for reading",
        "list index out of range",
        "index 77 is out of bounds for dimension 0 with size 77",
        "'prompt'",
        "Killed",
        "forward() got an unexpected keyword argument 'mask'",
        "module has no attribute 'float8'",
        "mat1 and mat2 shapes cannot be multiplied (77x768 and 1024x320)",
        "Expected all tensors to be on the same device, but found at least two",
        "expected scalar type Half but found Float",
        "cannot identify image file <_io.BytesIO object at 0x7f2b9c1d3a40>",
        "unsupported operand type(s) for +: 'int' and 'str'",
        "too many values to unpack (expected 2)",
        "float division by zero",
        "could not convert string to float: 'abc'",
        "cannot access local variable 'x', it was referenced before assignment",
        "Command ended with exit status 1.",
        "403 Client Error: Forbidden for url: https://example.com/a?token=secret",
        '{"error": "something is wrong here"}',
        "<html><body>Bad gateway today</body></html>",
        "very long " * 100,
    ],
)
def test_technical_words_of_a_model_are_kept_as_details_and_people_are_told_what_to_do(words: str) -> None:
    failure = reason("failed", words)
    assert failure.code == "model_error"
    assert failure.message == "The model failed on this input. Try again, or change the prompt or settings."
    assert failure.details == words.strip()


@pytest.mark.parametrize(
    "words",
    [
        "`height` and `width` have to be divisible by 8 but are 100 and 100.",
        "'width' and 'height' have to be multiples of 8.",
        "The prompt is too long: at most 77 words are taken.",
        "No face was found in the input image. Please use another picture.",
        "Image is too large. The maximum is 2048x2048 pixels.",
        "The value of `guidance` is out of range: it goes from 1 to 3.",
        "The sizes of the mask and of the image do not match.",
        "None of the pictures shows a person.",
        "Only jpg/png/webp files are taken, and/or films with 24 frames/second.",
        "The picture input.png has no transparency.",
        "We could not make anything of this prompt.\nTry another one!",
    ],
)
def test_a_plain_sentence_of_a_model_is_told_as_it_is(words: str) -> None:
    failure = reason("failed", words)
    assert failure.message == f"The model failed: {' '.join(words.split())}"
    assert failure.details == words


def test_what_a_model_said_is_kept_as_far_as_a_database_takes_it() -> None:
    failure = reason("failed", "a\0b\ud800c " + "very long " * 5000)
    assert failure.details.startswith("ab?c very long")
    assert len(failure.details) <= 2000
    assert reason("failed", "no\0 paper left").message == "The model failed: no paper left."
    assert reason("failed", {"code": 7}).details == "{'code': 7}"


@pytest.mark.parametrize(
    ("failure", "told"),
    [
        (reason("failed", "The prompt 'a fox' is not allowed here."), "model_error"),
        (reason("failed", "NSFW: 'a fox'"), "moderated: The model's safety filter rejected this prompt or its result."),
        (refusal(httpx.Response(422, json={"detail": "prompt: 'a fox' is too short"})), "invalid_input"),
        (token_refused(), "provider_auth: Replicate rejected the API token."),
    ],
)
def test_the_log_has_the_code_of_what_a_model_or_replicate_said_and_not_their_words(
    failure: Failure, told: str
) -> None:
    assert str(failure).startswith(told)
    assert "fox" not in str(failure)
