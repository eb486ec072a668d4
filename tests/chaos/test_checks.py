"""Tests that each check finds its violation, planted in evidence that is otherwise right."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from uuid import UUID

import pytest

from tests.chaos.checks import CHECKS, Violation, nothing_is_paid_twice, violations
from tests.chaos.evidence import (
    AttemptRow,
    BudgetRow,
    Event,
    Evidence,
    Heard,
    JobRow,
    Outage,
    OutputRow,
    Prediction,
    Submission,
)
from tests.chaos.fates import NO_FATE, Fate, fate
from tests.chaos.gathering import scratches, stored
from tests.chaos.plan import EACH, ON_POSTGRES, plan
from tests.chaos.size import LONG, SHORT
from tests.chaos.visits import visits

GOOD, BAD, GONE = UUID(int=1), UUID(int=2), UUID(int=3)
START = 1_800_000_000.0  # Unix seconds
REFUSED = Fate("the filter refuses", codes=frozenset({"moderated"}))

Plant = Callable[[Evidence], object]


@pytest.fixture(autouse=True)
def empty() -> None:
    """Leave the tests' own database alone: nothing here uses it."""


def evidence() -> Evidence:
    """Return evidence without violations: a job with two files, one that failed for a reason, one that was canceled."""
    began = datetime.fromtimestamp(START, UTC)
    start = round(START * 1000)
    return Evidence(
        visits=2,
        submissions=[
            Submission("good", NO_FATE, GOOD),
            Submission("bad", REFUSED, BAD),
            Submission("gone", NO_FATE, None, cancels=[START + 1]),
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
            Prediction("g2", "good", "succeeded", start + 900, start + 2000, ("/0", "/1"), charged=6000),
            Prediction("b1", "bad", "failed", start, start + 900, (), charged=40),
        ],
        costs={"g2": 6000, "b1": 40},
        budgets=[BudgetRow("all", spent=6040, held=0, settled=6040, holds=0)],
        drawn={"/0": "one", "/1": "two"},
        served={"good.png": "one", "good-1.png": "two"},
        stored={"good-a.png", "good-1-b.png"},
        named={"good-a.png", "good-1-b.png"},
        halts={"provider_away"},
        events=[
            Event("msg_1", "steady", "job.completed", GOOD, "delivered", 1),
            Event("msg_2", "steady", "job.failed", BAD, "delivered", 1),
            Event("msg_3", "steady", "job.failed", GONE, "delivered", 1),
            Event("msg_4", "steady", "job.canceled", GONE, "delivered", 2),
            Event("msg_5", "leaving", "job.canceled", GONE, "failed", 1),
        ],
        heard=[
            Heard("steady", "msg_1", "job.completed", GOOD, True, True),
            Heard("steady", "msg_2", "job.failed", BAD, False, True),
            Heard("steady", "msg_3", "job.failed", GONE, True, True),
            Heard("steady", "msg_3", "job.failed", GONE, True, True),
            Heard("steady", "msg_4", "job.canceled", GONE, True, True),
            Heard("steady", "msg_2", "job.failed", BAD, True, True),
            Heard("leaving", "msg_5", "job.canceled", GONE, False, True),
        ],
        disabled={"leaving": "gone"},
    )


def job(number: int, **changes: object) -> Plant:
    """Return a change of a job's row."""

    def plant(found: Evidence) -> None:
        found.jobs[number] = replace(found.jobs[number], **changes)  # type: ignore[arg-type]

    return plant


def prediction(number: int, **changes: object) -> Plant:
    """Return a change of what the stand-in says about a prediction."""

    def plant(found: Evidence) -> None:
        found.predictions[number] = replace(found.predictions[number], **changes)  # type: ignore[arg-type]

    return plant


def attempt(number: int, **changes: object) -> Plant:
    """Return a change of an attempt's row."""

    def plant(found: Evidence) -> None:
        found.attempts[number] = replace(found.attempts[number], **changes)  # type: ignore[arg-type]

    return plant


def heard(number: int, **changes: object) -> Plant:
    """Return a change of what a receiver got."""

    def plant(found: Evidence) -> None:
        found.heard[number] = replace(found.heard[number], **changes)  # type: ignore[arg-type]

    return plant


def another(prompt: str) -> Plant:
    """Return a change that adds a prediction that succeeded, of a known prompt or another."""
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
    "a prediction is two attempts'": (attempt(1, prediction="g2"), "doubled", "no_prediction_is_shared"),
    "a result of a job that ended otherwise": (job(0, status="failed"), "lost", "no_result_is_forgotten"),
    "a prediction runs on for a job that is completed": (
        prediction(1, status="processing", ended=None),
        "lost",
        "no_result_is_forgotten",
    ),
    "a prediction runs on for a job that is canceled": (
        lambda found: found.predictions.append(Prediction("c1", "gone", "processing", round(START * 1000), None, ())),
        "lost",
        "no_result_is_forgotten",
    ),
    "a prediction runs to its end for a job that is canceled": (
        lambda found: found.predictions.append(
            Prediction("c1", "gone", "succeeded", round(START * 1000), round((START + 62) * 1000), ())
        ),
        "lost",
        "no_result_is_forgotten",
    ),
    "a job gives up what may pass": (job(1, error_code="download_failed"), "gave up", "nothing_is_given_up_too_early"),
    "a job does not know what nobody could doubt": (
        job(1, error_code="submission_unknown"),
        "gave up",
        "nothing_is_given_up_too_early",
    ),
    "a file that no row names": (lambda found: found.stored.add("x.png"), "unnamed", "every_file_is_named"),
    "half a file": (lambda found: found.stored.add("good-a.png#1"), "unnamed", "every_file_is_named"),
    "a note that nobody takes back": (lambda found: found.pending.add("x.png"), "unnamed", "every_file_is_named"),
    "a note of a file that is a result": (
        lambda found: found.pending.add("good-a.png"),
        "unnamed",
        "every_file_is_named",
    ),
    "a file that is gone": (lambda found: found.stored.remove("good-a.png"), "wrong", "every_file_is_named"),
    "the queue is halted for the account's sake": (
        lambda found: found.halts.add("provider_auth"),
        "other",
        "no_halt_is_the_accounts",
    ),
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
    "what is left of a download": (lambda found: found.litter.append("x.part"), "other", "nothing_lies_about"),
    "a process": (lambda found: found.stragglers.append("worker"), "other", "nothing_lies_about"),
    "an answer": (lambda found: found.answers.append("500"), "other", "nothing_lies_about"),
    "a charge that is not entered": (lambda found: found.costs.pop("b1"), "money", "the_money_adds_up"),
    "a charge that is entered twice": (lambda found: found.costs.update(g2=12000), "money", "the_money_adds_up"),
    "a sum that is not the ledger's": (
        lambda found: found.budgets.append(BudgetRow("person", spent=6000, held=0, settled=6040, holds=0)),
        "money",
        "the_money_adds_up",
    ),
    "money that is held for an ended job": (lambda found: found.held.add(GOOD), "money", "the_money_adds_up"),
    "an end that nobody is told": (
        lambda found: (found.heard.pop(0), found.events.pop(0)),
        "events",
        "every_end_is_told",
    ),
    "an end that is told as another": (job(0, status="failed"), "events", "every_end_is_told"),
    "an event that is refused to the end": (lambda found: found.heard.pop(5), "events", "every_end_is_told"),
    "an earlier event that is lost": (
        lambda found: found.events.append(Event("msg_9", "steady", "job.failed", BAD, "failed", 2)),
        "events",
        "every_end_is_told",
    ),
    "an event that is not signed": (heard(0, signed=False), "events", "no_event_is_made_up"),
    "an event that never happened": (heard(0, type="job.canceled"), "events", "no_event_is_made_up"),
    "an event of another": (heard(6, id="msg_4"), "events", "no_event_is_made_up"),
    "a later event before an earlier one": (
        lambda found: found.heard.insert(0, found.heard.pop(4)),
        "events",
        "events_arrive_in_order",
    ),
    "a later event after an earlier one that was refused": (
        lambda found: (heard(2, accepted=False)(found), heard(3, accepted=False)(found)),
        "events",
        "events_arrive_in_order",
    ),
    "a receiver that is gone and told on": (
        lambda found: found.disabled.clear(),
        "events",
        "who_is_gone_is_left_alone",
    ),
    "a receiver that is there and told nothing": (
        lambda found: found.disabled.update(steady="failing"),
        "events",
        "who_is_gone_is_left_alone",
    ),
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


def test_who_gave_up_what_may_pass_is_not_counted_as_unexplained_too() -> None:
    found = evidence()
    job(1, error_code="provider_error")(found)
    assert [violation.kind for violation in violations(found)] == ["gave up"]


def test_what_may_pass_ends_a_job_only_where_its_fate_says_so_or_its_deadline_is_near() -> None:
    found = evidence()
    job(1, error_code="download_failed", spare=5.0)(found)
    assert [violation.kind for violation in violations(found)] == ["other"]


def canceled(ended: float | None, status: str = "succeeded") -> Prediction:
    """Return a prediction of the job that was canceled a second after the start.

    ended: in seconds after that cancellation.
    """
    end = None if ended is None else round((START + 1 + ended) * 1000)
    return Prediction("c1", "gone", status, round(START * 1000), end, ())


def test_a_prediction_of_a_canceled_job_may_have_been_called_off_or_have_ended_before_it_could_be() -> None:
    for prediction in (canceled(200, "canceled"), canceled(0.5), canceled(59)):
        found = evidence()
        found.predictions.append(prediction)
        assert violations(found) == []


def test_an_outage_is_no_time_to_call_a_prediction_off_in() -> None:
    found = evidence()
    found.predictions.append(canceled(100))
    found.outages = [Outage("file", START, START + 90), Outage("list", START + 10, START + 49)]
    assert [violation.kind for violation in violations(found)] == ["lost"]
    found.outages.append(Outage("network", START + 80, START + 90))
    assert violations(found) == []


def test_a_prediction_after_a_retry_is_wanted_again() -> None:
    found = evidence()
    found.submissions[2].retries.append(START + 2)
    found.predictions.append(
        Prediction("c2", "gone", "succeeded", round((START + 3) * 1000), round((START + 4) * 1000), ())
    )
    assert [violation.kind for violation in violations(found)] == ["lost"]


def test_a_violation_says_whose_it_is() -> None:
    found = evidence()
    job(0, status="queued")(found)
    assert Violation("lost", "is still queued", GOOD) in violations(found)


def test_the_same_seed_plans_the_same_round() -> None:
    first, second = (
        (visits(chance, 50, 10, True), plan(chance, LONG["postgres"], True)) for chance in (Random(7), Random(7))
    )
    assert first == second
    assert first != (visits(Random(8), 50, 10, True), plan(Random(8), LONG["postgres"], True))


def test_every_kind_of_blow_falls_before_any_falls_again() -> None:
    kinds = [
        blow.what for blow in plan(Random(3), replace(SHORT["postgres"], blows=len(EACH) + len(ON_POSTGRES)), True)
    ]
    assert sorted(kinds) == sorted([*EACH, *ON_POSTGRES])


def test_a_short_storm_on_either_database_has_every_kind_of_blow() -> None:
    for database, kinds in (("sqlite", EACH), ("postgres", (*EACH, *ON_POSTGRES))):
        planned = {blow.what for blow in plan(Random(1), SHORT[database], database == "postgres")}
        assert planned == set(kinds)


@pytest.mark.parametrize("seed", range(20))
def test_a_long_storm_has_each_outage_once_and_never_two_of_the_whole_api_at_once(seed: int) -> None:
    size = LONG["sqlite"]
    outages = {blow.what: blow for blow in plan(Random(seed), size, False) if blow.what.startswith("outage")}
    assert outages.keys() == {"outage api", "outage network", "outage files"}
    first, second = sorted([outages["outage api"], outages["outage network"]], key=lambda blow: blow.at)
    assert first.at + first.pause < second.at
    assert all(blow.at + blow.pause < size.storm for blow in outages.values())
    assert [rule.lasting for rule in outages["outage api"].rules] == [outages["outage api"].pause]


def test_a_fate_concerns_the_requests_of_one_prompt_only() -> None:
    chance = Random(5)
    rules = [rule for _ in range(300) for rule in fate(chance, slow=True).rules_for("a fox")]
    assert len(rules) > 100
    assert {rule.match for rule in rules} == {"a fox"}


def test_files_are_found_in_storage_but_hidden_ones_and_where_downloads_are(tmp_path: Path) -> None:
    for name in (
        "media/a.png",
        "media/b/a.png",
        "media/a.png#1",
        "media/.probe",
        "media/.darkroom",
        "media/.a/b",
        "data/tmp/x",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert stored(tmp_path) == {"a.png", "b/a.png", "a.png#1"}
    assert [path.name for path in scratches(tmp_path)] == ["x"]
