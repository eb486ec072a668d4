"""A prediction's state at any time, computed from its record alone."""

from typing import Any

import pytest

from tasks.standin.predictions import SECOND, Record, durations, new_id
from tasks.standin.timeline import timestamp, view

CREATED = 1_749_452_554_263_000_000  # 2025-06-09T07:02:34.263Z
ORIGIN = "http://stand.in"


def record(**changes: Any) -> Record:
    """Return the record of a picture that starts after 1 second and ends after 3."""
    fields = {
        "id": "ype2b3w02xrme0cqadzrms82nm",
        "model": "stability-ai/sdxl",
        "version": "0" * 64,
        "input": {"prompt": "a sea", "num_outputs": 2, "seed": 42},
        "created": CREATED,
        "boot": 1.0,
        "run": 2.0,
        "origin": ORIGIN,
    }
    return Record(**{**fields, **changes})


def at(seconds: float, **changes: Any) -> dict[str, Any]:
    return view(record(**changes), CREATED + round(seconds * SECOND), ORIGIN)


def test_it_starts_runs_and_succeeds() -> None:
    states = [at(seconds)["status"] for seconds in (0, 0.99, 1, 2.99, 3)]
    assert states == ["starting", "starting", "processing", "processing", "succeeded"]


def test_a_new_one_has_no_logs_no_output_and_no_metrics() -> None:
    shown = at(0)
    assert (shown["logs"], shown["output"], shown["error"], shown["data_removed"]) == ("", None, None, False)
    assert not shown.keys() & {"started_at", "completed_at", "metrics", "deadline", "webhook"}


def test_a_succeeded_one_tells_files_and_times() -> None:
    shown = at(9)
    files = f"{ORIGIN}/files-delivery/ype2b3w02xrme0cqadzrms82nm"
    assert shown["output"] == [f"{files}/out-0.png", f"{files}/out-1.png"]
    assert shown["metrics"] == {"predict_time": 2.0, "total_time": 3.0, "image_output_count": 2}
    times = [shown[name] for name in ("created_at", "started_at", "completed_at")]
    assert times == ["2025-06-09T07:02:34.263Z", "2025-06-09T07:02:35.263Z", "2025-06-09T07:02:37.263Z"]


def test_logs_grow_as_tqdm_prints_them() -> None:
    lines = at(2)["logs"].splitlines()
    assert lines[:4] == ["Using seed: 42", "Prompt: a sea", "txt2img mode", "  0%|          | 0/50 [00:00<?, ?it/s]"]
    assert lines[-1].startswith(" 50%|█████     | 25/50 [00:01<00:01, ")
    assert at(3)["logs"].splitlines()[-1].startswith("100%|██████████| 50/50 ")
    assert at(3)["logs"].startswith(at(2.9)["logs"].splitlines()[0])


def test_without_a_seed_the_id_gives_one_and_the_log_tells_it() -> None:
    seed = record(input={"prompt": "a sea"}).seed
    assert f"Using seed: {seed}\n" in at(2, input={"prompt": "a sea"})["logs"]
    assert seed != record(input={"prompt": "a sea"}, id=new_id() + "x").seed


@pytest.mark.parametrize(
    ("deadline", "status", "keys"),
    [(0.5, "aborted", {"total_time"}), (2.0, "canceled", {"total_time", "predict_time"})],
)
def test_a_deadline_aborts_what_waits_and_cancels_what_runs(deadline: float, status: str, keys: set[str]) -> None:
    shown = at(9, deadline=CREATED + round(deadline * SECOND))
    assert (shown["status"], shown["output"], shown["metrics"].keys()) == (status, None, keys)


def test_a_deadline_after_the_end_changes_nothing() -> None:
    assert at(9, deadline=CREATED + 4 * SECOND)["status"] == "succeeded"


def test_a_failed_one_has_the_reason_and_no_output() -> None:
    shown = at(9, error="CUDA out of memory")
    assert (shown["status"], shown["error"], shown["output"]) == ("failed", "CUDA out of memory", None)
    assert at(2, error="CUDA out of memory")["error"] is None


def test_an_hour_after_its_end_the_data_is_gone() -> None:
    before, after = at(3602.9), at(3603)
    assert before["input"]
    assert before["output"]
    assert (after["input"], after["output"], after["logs"], after["data_removed"]) == ({}, None, "", True)
    assert after["status"] == "succeeded"


def test_times_have_only_the_digits_they_need() -> None:
    assert timestamp(1_040_000_000) == "1970-01-01T00:00:01.04Z"
    assert timestamp(2 * SECOND) == "1970-01-01T00:00:02Z"
    assert timestamp(1_123_456_789) == "1970-01-01T00:00:01.123456789Z"
    assert timestamp(1_123_456_789, "milliseconds") == "1970-01-01T00:00:01.123Z"


def test_durations_are_believable_and_follow_the_pace() -> None:
    for _ in range(50):
        prediction = new_id()
        boot, run = durations(prediction, "image", 1.0)
        assert 0.2 <= boot <= 0.5
        assert 1 <= run <= 2
        assert durations(prediction, "image", 0.5) == pytest.approx((boot / 2, run / 2), abs=1e-5)
        assert 2 <= durations(prediction, "video", 1.0)[1] <= 3
