"""Jobs for tests, just submitted or ended, and people with what they sign in with."""

from hashlib import sha256
from typing import Any

from tasks.accounts import keys, people, sessions
from tasks.accounts.actors import Role
from tasks.accounts.audit import By
from tasks.db import ids
from tasks.db.account_tables import Person
from tasks.db.tables import Attempt, Job, Output
from tasks.errors import Failure
from tasks.files.storage import Storage
from tasks.jobs import attempts, lifecycle
from tasks.jobs.insert import Terms
from tasks.replicate.client import Prediction
from tasks.settings import settings
from tests.tasks.states import an_output

PASSWORD = "correct horse battery staple"
HASHED = "$argon2id$v=19$m=8,t=1,p=1$WDPFDE8YPYMyLsrd8w+8aA$lMZ72Ijh6nI5l7JQqqnz4+8py/LDWmLpyAeKq8lQs30"
"""The hash of PASSWORD, with parameters that take no time."""
SDXL = "stability-ai/sdxl"
FLUX = "black-forest-labs/flux-schnell"  # its price is known


async def submitted(
    prompt: str = "a fox in the snow", parameters: dict[str, Any] | None = None, model: str = SDXL, **more: Any
) -> Job:
    """Submit a job. more: its terms."""
    return await lifecycle.submit(prompt, model, parameters or {}, Terms(**more))


async def completed(prompt: str = "a fox in the snow", content: bytes = b"picture") -> Job:
    """Create a completed job whose file is called by the job's id below /media/, and has another name in storage."""
    await submitted(prompt, {"width": 512})
    job = await lifecycle.claim(30)
    assert job is not None
    storage, key = Storage.open(settings.storage_url), f"{job.id}.png"
    await lifecycle.complete(job, [await kept(storage, key, content, stored_key=f"{job.id}-0123456789ab.png")])
    return job


async def several(count: int = 3) -> Job:
    """Create a completed job with so many outputs, of which all have one file."""
    job = await completed()
    [first] = await Output.objects().where(Output.job == job.id)
    rest = [{"id": ids.new(), "position": at, "key": f"{job.id}-{at}.png"} for at in range(1, count)]
    await Output.insert(*(Output(**first.to_dict() | each) for each in rest))
    return job


async def running(model: str, prediction_id: str) -> Job:
    """Return the best waiting job, claimed, and with an attempt whose prediction is known."""
    job = await lifecycle.claim(30)
    assert job is not None
    attempt = await attempts.begin(job, model, {})
    assert attempt is not None
    assert await attempts.record_prediction(job, attempt, prediction_id)
    return job


async def paid(model: str = FLUX, **metrics: Any) -> Job:
    """Create a completed job whose prediction used this. Returns it with what it cost."""
    prediction = Prediction(f"of-{(await submitted(model=model)).id}", "succeeded", metrics=metrics)
    job = await running(model, prediction.id)
    done = await lifecycle.complete(job, [an_output(f"{job.id}.png")], prediction)
    assert done is not None
    return done


async def named(storage: Storage, key: str, content: bytes) -> None:
    """Create a completed job with a file that is called `key` below /media/."""
    await submitted("a fox with a file")
    job = await lifecycle.claim(30)
    assert job is not None
    await lifecycle.complete(job, [await kept(storage, key, content)])


async def kept(storage: Storage, key: str, content: bytes, position: int = 0, stored_key: str = "") -> Output:
    """Store a file, and return the row of its output, which is not saved yet."""
    stored_key = stored_key or f"stored-{key}"
    await storage.put(stored_key, content)
    return Output(
        id=ids.new(), position=position, key=key, stored_key=stored_key, kind="image", media_type="image/png",
        bytes=len(content), sha256=sha256(content).hexdigest(),
    )  # fmt: skip


async def attempted(model: str = "stability-ai/sdxl", code: str | None = None) -> Attempt:
    """Make a job and end its attempt. code: of the error that it ends with. No other job may be waiting."""
    await lifecycle.submit("a fox", model, {})
    job = await lifecycle.claim(30)
    assert job is not None
    attempt = await attempts.begin(job, model, {})
    assert attempt is not None
    if code is None:
        await lifecycle.complete(job, [])
    else:
        await lifecycle.fail(job, Failure(code, "It failed."))
    return attempt


async def failed() -> Job:
    await submitted()
    job = await lifecycle.claim(30)
    assert job is not None
    await lifecycle.fail(job, Failure("moderated", "The model's safety filter refused this."))
    return job


async def person(name: str = "anna", role: Role = Role.MEMBER) -> Person:
    """Add a person or a service."""
    return await people.add(name, role, By())


async def with_password(name: str = "anna", role: Role = Role.MEMBER) -> Person:
    """Add a person who signs in with PASSWORD."""
    someone = await person(name, role)
    await Person.update({Person.password: HASHED}).where(Person.id == someone.id)
    return someone


async def session_of(someone: Person) -> dict[str, str]:
    """Return the headers of a browser in which a person is signed in."""
    return {"Cookie": f"darkroom-signed-in={await sessions.begin(someone.id, 'a browser', '')}"}


async def key_of(someone: Person, *scopes: str, name: str = "ci") -> dict[str, str]:
    """Return the headers of a program with a new key of a person."""
    return {"Authorization": f"Bearer {(await keys.add(someone, name, scopes, By())).secret}"}
