"""Each check finds what it is for, planted in evidence where everything else is right."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from uuid import UUID

import pytest

from tests.chaos.checks import CHECKS, Violation, nothing_is_paid_twice, violations
from tests.chaos.evidence import AttemptRow, Evidence, JobRow, OutputRow, Prediction, Submission
from tests.chaos.fates import NO_FATE, Fate, fate
from tests.chaos.gathering import litter
from tests.chaos.storm import EACH, ON_POSTGRES, plan
from tests.chaos.visits import visits

GOOD, BAD, GONE = UUID(int=1), UUID(int=2), UUID(int=3)
START = 1_800_000_000.0  # Unix seconds
REFUSED = Fate("the filter refuses", codes=frozenset({"moderated"}))

Plant = Callable[[Evidence], object]


@pytest.fixture(autouse=True)
def empty() -> None:
    """Nothing here touches the tests' own database."""


def evidence() -> Evidence:
    """A job with two files, one that failed for a reason, and one that was canceled: all is well."""
    began = datetime.fromtimestamp(START, UTC)
    start = round(START * 1000)
    return Evidence(
        visits=2,
        submissions=[
            Submission("good", NO_FATE, GOOD),
            Submission("bad", REFUSED, BAD),
            Submission("gone", NO_FATE, None, canceled=True),
            Submission("unheard", NO_FATE),
        ],
        jobs=[
            JobRow(GOOD, "good", "completed", None, leased=False),
            JobRow(BAD, "bad", "failed", "moderated", leased=False),
            JobRow(GONE, "gone", "canceled", None, leased=False),
        ],
        attempts=[
            AttemptRow(GOOD, 2, began, open=False, prediction="g2"),
            AttemptRow(GOOD, 1, began, open=False, prediction="g1"),
            AttemptRow(BAD, 1, began, open=False, prediction="b1"),
        ],
        outputs=[OutputRow(GOOD, 1, "good-1.png", "two"), OutputRow(GOOD, 0, "good.png", "one")],
        predictions=[
            Prediction("g1", "good", "failed", start, start + 900, ()),
            Prediction("g2", "good", "succeeded", start + 900, start + 2000, ("/0", "/1")),
            Prediction("b1", "bad", "failed", start, start + 900, ()),
        ],
        drawn={"/0": "one", "/1": "two"},
        served={"good.png": "one", "good-1.png": "two"},
    )


def job(number: int, **changes: object) -> Plant:
    """Change a job's row."""

    def plant(found: Evidence) -> None:
        found.jobs[number] = replace(found.jobs[number], **changes)  # type: ignore[arg-type]

    return plant


def prediction(number: int, **changes: object) -> Plant:
    """Change what the stand-in says of a prediction."""

    def plant(found: Evidence) -> None:
        found.predictions[number] = replace(found.predictions[number], **changes)  # type: ignore[arg-type]

    return plant


def attempt(number: int, **changes: object) -> Plant:
    """Change an attempt's row."""

    def plant(found: Evidence) -> None:
        found.attempts[number] = replace(found.attempts[number], **changes)  # type: ignore[arg-type]

    return plant


def another(prompt: str) -> Plant:
    """One more prediction, which succeeded, of a known prompt or another."""
    return lambda found: found.predictions.append(
        Prediction("x", prompt, "succeeded", round(START * 1000) + 5000, round(START * 1000) + 6000, ())
    )


PLANTED: dict[str, tuple[Plant, str, str]] = {
    "a visitor was never heard": (lambda found: found.submissions.pop(0), "lost", "every_visitor_was_heard"),
    "an accepted job is missing": (lambda found: found.jobs.pop(1), "lost", "every_accepted_job_is_there"),
    "an accepted job is another": (job(0, prompt="bad"), "lost", "every_accepted_job_is_there"),
    "a job still waits": (job(0, status="queued"), "lost", "every_job_ended"),
    "a job still runs": (job(2, status="running", leased=True), "lost", "every_job_ended"),
    "a job comes from nothing": (job(2, prompt="?"), "doubled", "every_job_was_asked_for_once"),
    "a job is there twice": (
        lambda found: found.jobs.append(replace(found.jobs[0], id=UUID(int=9))),
        "doubled",
        "every_job_was_asked_for_once",
    ),
    "a job is canceled by itself": (job(0, status="canceled"), "other", "every_end_is_explained"),
    "a job fails of nothing": (job(1, error_code="internal_error"), "other", "every_end_is_explained"),
    "a job fails unconfirmed without a blow": (
        job(1, error_code="submission_unknown"),
        "other",
        "every_end_is_explained",
    ),
    "a second prediction after a good one": (another("good"), "doubled", "nothing_is_paid_twice"),
    "a second prediction too early": (
        prediction(1, created=round(START * 1000) + 899),
        "doubled",
        "nothing_is_paid_twice",
    ),
    "a second prediction while one runs": (
        prediction(0, status="processing", ended=None),
        "doubled",
        "nothing_is_paid_twice",
    ),
    "a result that no attempt knows": (attempt(0, prediction=None), "lost", "no_result_is_forgotten"),
    "a result of a job that failed": (prediction(2, status="succeeded"), "lost", "no_result_is_forgotten"),
    "a result without a job": (another("unheard"), "lost", "no_result_is_forgotten"),
    "a file is served otherwise": (
        lambda found: found.served.update({"good.png": "half"}),
        "wrong",
        "every_file_is_what_was_drawn",
    ),
    "a file is not served": (lambda found: found.served.pop("good.png"), "wrong", "every_file_is_what_was_drawn"),
    "a file was drawn otherwise": (
        lambda found: found.drawn.update({"/1": "else"}),
        "wrong",
        "every_file_is_what_was_drawn",
    ),
    "a file is missing": (lambda found: found.outputs.pop(), "wrong", "every_file_is_what_was_drawn"),
    "the files are in the wrong order": (
        lambda found: found.outputs.__setitem__(
            slice(None), [OutputRow(GOOD, 0, "good-1.png", "two"), OutputRow(GOOD, 1, "good.png", "one")]
        ),
        "wrong",
        "every_file_is_what_was_drawn",
    ),
    "a completed job without a prediction": (
        lambda found: found.attempts.clear(),
        "wrong",
        "every_file_is_what_was_drawn",
    ),
    "a lease is left": (job(1, leased=True), "other", "no_lease_is_left"),
    "an attempt is open": (attempt(2, open=True), "other", "no_attempt_is_open"),
    "half a file": (lambda found: found.litter.append("x.part"), "other", "nothing_lies_about"),
    "a process": (lambda found: found.stragglers.append("worker"), "other", "nothing_lies_about"),
    "an answer": (lambda found: found.answers.append("500"), "other", "nothing_lies_about"),
}
"""What is wrong -> how it is planted, the kind of violation, and the check that finds it."""


def test_where_all_is_well_nothing_is_found() -> None:
    assert violations(evidence()) == []


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_violation_is_found_by_the_check_for_it(name: str) -> None:
    plant, kind, check = PLANTED[name]
    found = evidence()
    plant(found)
    finder = next(candidate for candidate in CHECKS if candidate.__name__ == check)
    assert {violation.kind for violation in finder(found)} == {kind}


def test_every_check_has_something_planted_for_it() -> None:
    assert {check.__name__ for check in CHECKS} == {check for _, _, check in PLANTED.values()}


def test_who_pressed_retry_may_pay_again() -> None:
    found = evidence()
    another("bad")(found)
    prediction(2, status="succeeded")(found)
    assert len(list(nothing_is_paid_twice(found))) == 1
    found.submissions[1].retries.append(START - 1)
    assert len(list(nothing_is_paid_twice(found))) == 1
    found.submissions[1].retries.append(START + 3)
    assert list(nothing_is_paid_twice(found)) == []


def test_a_job_may_fail_unconfirmed_where_its_worker_was_struck_as_it_began() -> None:
    found = evidence()
    job(1, error_code="submission_unknown")(found)
    found.blows.append(START + 60)
    assert [violation.job for violation in violations(found)] == [BAD]
    found.blows.append(START + 1)
    assert violations(found) == []


def test_a_violation_says_whose_it_is() -> None:
    found = evidence()
    job(0, status="queued")(found)
    assert Violation("lost", "is still queued", GOOD) in violations(found)


def test_the_same_seed_plans_the_same_round() -> None:
    first, second = (
        (visits(chance, 50, 10, True), plan(chance, 10, 20, 1, True, 5, True)) for chance in (Random(7), Random(7))
    )
    assert first == second
    assert first != (visits(Random(8), 50, 10, True), plan(Random(8), 10, 20, 1, True, 5, True))


def test_every_kind_of_blow_falls_before_any_falls_again() -> None:
    kinds = [blow.what for blow in plan(Random(3), 10, len(EACH) + len(ON_POSTGRES), 1, True, 5, True)]
    assert sorted(kinds) == sorted([*EACH, *ON_POSTGRES])


def test_a_fate_concerns_the_requests_of_one_prompt_only() -> None:
    chance = Random(5)
    rules = [rule for _ in range(300) for rule in fate(chance, slow=True).rules_for("a fox")]
    assert len(rules) > 100
    assert {rule.match for rule in rules} == {"a fox"}


def test_half_files_are_found_in_storage_and_where_downloads_are(tmp_path: Path) -> None:
    for name in (
        "media/a-1.preview.webp",
        "media/a-1.png",
        "media/a.png#1",
        "media/a.png.part",
        "media/.probe",
        "media/.darkroom",
        "data/tmp/x",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert {path.name for path in litter(tmp_path)} == {"a.png#1", "a.png.part", ".probe", "x"}
