"""Where the time of a job went."""

import json
from datetime import datetime, timedelta

from tasks.db.database import now
from tasks.db.tables import Attempt, Job
from webapp.render.times import LENGTH, spans

BEGIN = now()


def at(seconds: float) -> datetime:
    return BEGIN + timedelta(seconds=seconds)


def job(started: float | None, finished: float | None) -> Job:
    return Job(
        created_at=BEGIN,
        started_at=None if started is None else at(started),
        finished_at=None if finished is None else at(finished),
    )


def attempt(created: float, ran: float | None, **metrics: float) -> Attempt:
    return Attempt(created_at=at(created), predict_time=ran, metrics=json.dumps(metrics) if metrics else None)


def told(job: Job, *attempts: Attempt) -> dict[str, float]:
    return {span.name: round(span.seconds, 3) for span in spans(job, attempts)}


def test_a_measured_run_is_told_apart_from_what_lies_before_and_after_it() -> None:
    run = attempt(2, ran=3, total_time=4)
    assert told(job(2, 8), run) == {"waited": 2, "started": 1, "ran": 3, "stored": 2}


def test_of_a_run_that_is_not_measured_as_a_whole_the_rest_is_one_span() -> None:
    assert told(job(2, 8), attempt(2, ran=3)) == {"waited": 2, "ran": 3, "rest": 3}
    assert told(job(2, 8), attempt(2, ran=3, total_time=60)) == {"waited": 2, "ran": 3, "rest": 3}
    assert told(job(2, 8), attempt(2, ran=None)) == {"waited": 2, "ran": 6}


def test_earlier_attempts_are_a_span_of_their_own() -> None:
    assert told(job(1, 9), attempt(1, ran=None), attempt(5, ran=4, total_time=4)) == {
        "waited": 1,
        "earlier": 4,
        "ran": 4,
    }


def test_a_job_that_has_not_ended_has_only_waited() -> None:
    assert told(job(None, None)) == {}
    assert told(job(3, None), attempt(3, ran=None)) == {"waited": 3}


def test_the_spans_fill_the_bar_to_scale_and_none_is_too_short_to_be_seen() -> None:
    shown = spans(job(900, 1000), [attempt(900, ran=0.1, total_time=0.2)])
    assert [span.name for span in shown] == ["waited", "started", "ran", "stored"]
    assert all(span.length > 5 for span in shown)
    assert abs(shown[-1].at + shown[-1].length - LENGTH) < 1
    assert abs(shown[0].length - 890) < 10
