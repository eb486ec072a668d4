"""Where tracing is off, nothing is kept and nothing is sent."""

from tasks.db.tables import Attempt, Job, Status
from tasks.jobs import attempts
from tasks.tracing import spans
from tests.conftest import Faults
from tests.tasks import work


async def test_without_tracing_neither_the_job_nor_its_attempt_nor_replicate_has_a_traceparent(working: Faults) -> None:
    card = await work.ended(await work.submitted("an untraced fox"))
    assert card.job.status == Status.COMPLETED
    [job], [attempt] = await Job.select(Job.traceparent), await Attempt.select(Attempt.traceparent)
    assert (job, attempt) == ({"traceparent": None}, {"traceparent": None})
    [prediction] = await working.created("an untraced fox")
    assert prediction["traceparent"] is None
    assert await attempts.last_traceparent(card.job.id) is None


def test_without_tracing_a_span_does_nothing() -> None:
    with spans.span("step") as step, step.current():
        step.note({"darkroom.attempt": 1})
        step.link("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
        step.fail("internal_error")
    assert (step, spans.statement("sqlite", never), spans.traceparent()) == (spans.NONE, spans.NONE, None)


def never() -> str:
    raise AssertionError
