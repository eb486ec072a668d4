"""No job causes a second paid prediction unless the first one certainly ended without a result."""

from typing import Any

import pytest

from tasks.db.tables import Status
from tasks.errors import DatabaseAway
from tasks.jobs import attempts
from tasks.library import cards
from tasks.models import registry
from tasks.replicate.errors import Refused
from tests.conftest import Faults
from tests.tasks.work import ended, submitted


@pytest.mark.parametrize("what", ["drop_answer", "hang_answer"])
async def test_when_the_answer_is_lost_the_prediction_is_found_and_not_made_again(working: Faults, what: str) -> None:
    await working.script({"on": "create", "match": what, "do": what, "seconds": 0.2})
    prompt = f"a lost fox {what}"
    card = await ended(await submitted(prompt))
    assert card.job.status == Status.COMPLETED, card.job.error
    assert len(await working.created(prompt)) == 1
    assert len(await cards.attempts(card.job.id)) == 1


async def test_when_the_search_fails_too_the_prediction_is_looked_for_again_later(
    working: Faults,
) -> None:
    await working.script(
        {"on": "create", "match": "ambiguous", "do": "drop_answer"},
        {"on": "list", "do": "status", "status": 503, "times": 2},
    )
    card = await ended(await submitted("an ambiguous fox"))
    assert (card.job.status, card.job.retry_count) == (Status.COMPLETED, 0)
    assert len(await working.created("an ambiguous fox")) == 1


async def test_an_internal_error_is_tried_again_also_when_the_search_had_to_wait(working: Faults) -> None:
    await working.script(
        {"on": "create", "match": "outage", "do": "status", "status": 500},
        {"on": "list", "do": "status", "status": 503, "times": 2},
    )
    card = await ended(await submitted("a fox in an outage"))
    assert (card.job.status, card.job.retry_count) == (Status.COMPLETED, 1)
    assert len(await working.created("a fox in an outage")) == 1


@pytest.mark.parametrize("write", ["note", "record_prediction"])
async def test_an_answer_is_kept_in_mind_while_the_database_is_away(
    working: Faults, write: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    prompt, real, tries = f"a fox in mind, {write}", getattr(attempts, write), []

    async def away_at_first(*about: Any) -> bool:
        tries.append(about)
        if len(tries) < 3:
            raise DatabaseAway("The database is not responding")
        return bool(await real(*about))

    monkeypatch.setattr(attempts, write, away_at_first)
    await working.script({"on": "create", "match": "a fox in mind, note", "do": "status", "status": 500})
    card = await ended(await submitted(prompt))
    assert card.job.status == Status.COMPLETED, card.job.error
    assert len(tries) == 3
    assert len(await working.created(prompt)) == 1
    assert len(await cards.attempts(card.job.id)) == (2 if write == "note" else 1)


async def test_when_nothing_was_created_and_nobody_can_say_so_the_job_fails_honestly(working: Faults) -> None:
    await working.script({"on": "create", "match": "vanished", "do": "reset"})
    card = await ended(await submitted("a vanished fox"))
    assert (card.job.status, card.job.error_code) == (Status.FAILED, "submission_unknown")
    assert await working.created("a vanished fox") == []


@pytest.mark.parametrize("what", ["truncate", "status", "reset"])
async def test_a_download_that_fails_is_tried_again_without_another_prediction(working: Faults, what: str) -> None:
    prompt = f"a torn fox {what}"
    await working.script({"on": "file", "match": prompt, "do": what, "status": 503, "times": 2})
    card = await ended(await submitted(prompt))
    assert card.job.status == Status.COMPLETED, card.job.error
    assert card.job.retry_count == 0
    assert len(await working.created(prompt)) == 1


async def test_an_error_of_ours_after_the_prediction_was_created_does_not_create_another(
    working: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, broken = attempts.record_prediction, iter([True])

    async def once_broken(*arguments: Any) -> bool:
        if next(broken, False):
            raise ConnectionResetError("the database went away")
        return await real(*arguments)

    monkeypatch.setattr(attempts, "record_prediction", once_broken)
    card = await ended(await submitted("an interrupted fox"))
    assert (card.job.status, card.job.retry_count) == (Status.COMPLETED, 1)
    assert len(await working.created("an interrupted fox")) == 1


async def test_a_model_that_cannot_be_looked_up_does_not_end_an_attempt_under_way(
    working: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, unreachable = registry.find, iter([False, True])

    async def find(*arguments: Any) -> Any:
        if next(unreachable, False):
            raise Refused("provider_unreachable", "Replicate could not be reached.", passing=True)
        return await real(*arguments)

    monkeypatch.setattr(registry, "find", find)
    await working.script({"on": "file", "match": "looked up", "do": "reset"})
    card = await ended(await submitted("a fox looked up twice"))
    assert (card.job.status, card.job.retry_count) == (Status.COMPLETED, 0)
    assert len(await working.created("a fox looked up twice")) == 1
