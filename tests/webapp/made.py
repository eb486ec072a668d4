"""Jobs that have ended, for tests."""

from tasks import jobs
from tasks.failures import Failure
from tasks.settings import settings
from tasks.storage import Storage
from tasks.tables import Job, Output, new_id


async def completed(prompt: str = "a fox in the snow") -> Job:
    await jobs.submit(prompt, "stability-ai/sdxl", {"width": 512})
    job = await jobs.claim(30)
    assert job is not None
    key = f"{job.id}.png"
    await Storage.open(settings.storage_url).put(key, b"picture")
    await jobs.complete(
        job,
        [Output(id=new_id(), position=0, key=key, kind="image", media_type="image/png", bytes=7, sha256="0" * 64)],
        1.0,
    )
    return job


async def failed() -> Job:
    await jobs.submit("a fox in the snow", "stability-ai/sdxl", {})
    job = await jobs.claim(30)
    assert job is not None
    await jobs.fail(job, Failure("moderated", "The model's safety filter refused this."))
    return job
