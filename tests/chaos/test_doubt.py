"""Tests that an unknown outcome of a create is accepted where the stand-in, a blow or an outage left a doubt."""

from datetime import UTC, datetime
from uuid import UUID

import pytest

from tasks.standin.faults import Met, Rule
from tests.chaos.doubt import why_no_doubt
from tests.chaos.evidence import AttemptRow, Evidence, JobRow, Outage, Prediction

START = 1_800_000_000.0  # Unix seconds
UNKNOWN = JobRow(UUID(int=1), "a fox", "failed", "submission_unknown", leased=False)


@pytest.fixture(autouse=True)
def empty() -> None:
    """Leave the tests' own database alone: nothing here uses it."""


def evidence(*met: Met, blow: float | None = None, outage: tuple[float, float] | None = None) -> Evidence:
    """Return one job whose only attempt began at the start. blow, outage: in seconds after that."""
    return Evidence(
        visits=1,
        submissions=[],
        jobs=[UNKNOWN],
        attempts=[AttemptRow(UNKNOWN.id, 1, datetime.fromtimestamp(START, UTC), open=False, prediction=None)],
        met=list(met),
        blows=[] if blow is None else [START + blow],
        outages=[Outage("any", START + outage[0], START + outage[1])] if outage else [],
    )


def met(
    do: str, after: float = 0.1, prompt: str = "a fox", match: str = "a fox", on: str = "create", **more: int
) -> Met:
    """Return a request to create that met a rule, `after` seconds after the attempt began."""
    rule = Rule(on, do, match, **more)  # type: ignore[arg-type]
    return Met(START + after, "create", f'{{"input": {{"prompt": "{prompt}"}}}}', rule)


@pytest.mark.parametrize(
    "fault",
    [
        met("reset"), met("html502"), met("hang"), met("drop_answer"), met("truncate"), met("hang_answer"),
        met("status", status=500), met("status", status=409), met("deny", status=503),
    ],
)  # fmt: skip
def test_who_was_answered_so_may_not_know(fault: Met) -> None:
    assert why_no_doubt(UNKNOWN, evidence(fault)) is None


@pytest.mark.parametrize(
    "fault",
    [
        met("status", status=422), met("status", status=429), met("status", status=403), met("boot"), met("slow"),
        met("reset", prompt="a wolf"), met("reset", after=-5),
    ],
)  # fmt: skip
def test_who_was_answered_clearly_knows(fault: Met) -> None:
    assert why_no_doubt(UNKNOWN, evidence(fault)) == "no answer to its create left a doubt"


def test_who_was_never_answered_badly_knows() -> None:
    assert why_no_doubt(UNKNOWN, evidence()) == "no answer to its create left a doubt"


def test_who_sent_nothing_knows() -> None:
    found = evidence(met("reset"))
    found.attempts.clear()
    assert why_no_doubt(UNKNOWN, found) == "nothing was ever sent"


@pytest.mark.parametrize(("blow", "fair"), [(-1, False), (0, True), (2.9, True), (4, False)])
def test_who_was_struck_as_it_was_sent_may_not_know(blow: float, fair: bool) -> None:
    assert (why_no_doubt(UNKNOWN, evidence(blow=blow)) is None) == fair


def test_who_was_struck_as_the_answer_hung_may_not_know() -> None:
    assert why_no_doubt(UNKNOWN, evidence(met("slow", seconds=5), blow=6)) is not None
    assert why_no_doubt(UNKNOWN, evidence(met("hang", seconds=5), blow=6)) is None


def test_what_was_created_can_be_found() -> None:
    found = evidence(met("drop_answer"))
    made = round(START * 1000)
    found.predictions.append(Prediction("p0", "a fox", "failed", made - 60_000, made - 50_000, ()))
    found.predictions.append(Prediction("p1", "a wolf", "succeeded", made + 100, made + 900, ()))
    assert why_no_doubt(UNKNOWN, found) is None
    found.predictions.append(Prediction("p2", "a fox", "canceled", made + 100, made + 900, ()))
    assert why_no_doubt(UNKNOWN, found) == "p2 was created, and could have been found"


@pytest.mark.parametrize(("first", "fair"), [(0.1, True), (-2, True), (-4, False)])
def test_only_who_was_on_the_way_when_an_outage_began_may_not_know(first: float, fair: bool) -> None:
    others = met("html502", first, prompt="a wolf", match="", on="any")
    throttled = met("status", -19, prompt="a wolf", match="", status=429)  # not part of the outage
    found = evidence(throttled, others, met("html502", match="", on="any"), outage=(-20, 20))
    assert (why_no_doubt(UNKNOWN, found) is None) == fair
