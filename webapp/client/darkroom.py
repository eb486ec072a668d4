"""A small client of Darkroom's API for programs in Python. It imports nothing else of Darkroom."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Self, Unpack
from uuid import UUID, uuid4

from webapp.client import model_names, shapes
from webapp.client.connection import Connection, decoded
from webapp.client.exceptions import NotDarkroom
from webapp.client.job import LONG_POLL_SECONDS, Job
from webapp.client.shapes import Options

THIS_MACHINE = "http://127.0.0.1:8000"


class Darkroom:
    """A Darkroom at an address, to be used in a `with`, or closed.

    key: a key of a person or service, where there are people. more: as for Connection. Each call raises Refused (by the
    code of the problem, one of its subclasses), and Unreachable after it was tried again for a while.
    """

    def __init__(self, url: str = THIS_MACHINE, key: str | None = None, **more: Any) -> None:
        self._connection = Connection(url, key, **more)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._connection.close()

    def generate(self, prompt: str, idempotency_key: str | None = None, **options: Unpack[Options]) -> Job:
        """Submit a prompt, and return the job when it is completed. Raises NotCompleted when it is not."""
        return self._submitted(prompt, idempotency_key, options, LONG_POLL_SECONDS).completed()

    def submit(self, prompt: str, idempotency_key: str | None = None, **options: Unpack[Options]) -> Job:
        """Submit a prompt, and return its job. However often the request is sent, it makes one job.

        idempotency_key: one of the caller's own, so that its next call with the key makes nothing new, either.
        """
        return self._submitted(prompt, idempotency_key, options)

    def estimate(self, prompt: str, **options: Unpack[Options]) -> shapes.Estimate:
        """Return what a prompt is expected to cost. Submits nothing."""
        return self._connection.post("/estimate", shapes.Estimate, self._body(prompt, options))

    def job(self, job_id: UUID | str) -> Job:
        """Return a job by its id. It is not looked up yet. Raises ValueError when that is no id."""
        return Job(self._connection, UUID(str(job_id)))

    def jobs(self, q: str = "", sort: str = "newest", page_size: int = 50) -> Iterator[Job]:
        """Yield the jobs that a search finds, page by page."""
        page = self._connection.get("/jobs.json", shapes.JobPage, params={"q": q, "sort": sort, "limit": page_size})
        while True:
            yield from (Job(self._connection, state.job_id, state) for state in page.jobs)
            if page.next is None:
                return
            page = self._connection.get(page.next, shapes.JobPage)

    def models(self) -> list[shapes.Model]:
        """Return the models to choose from."""
        return self._connection.get("/models", shapes.ModelList).models

    def upload(self, path: Path | str) -> shapes.Upload:
        """Store a file, and return it. Its `url` is a value for parameters that take a file. Raises OSError."""
        headers, path = _once(), Path(path)

        def sent() -> shapes.Upload:
            with (
                path.open("rb") as file,
                self._connection.opened(
                    "POST", "/uploads", headers=headers, files={"file": (path.name, file)}
                ) as response,
            ):
                response.read()
                return decoded(response, shapes.Upload)

        return self._connection.repeated(sent)

    def _submitted(self, prompt: str, key: str | None, options: Options, wait: int = 0) -> Job:
        body, headers = self._body(prompt, options), _once(key)
        response = self._connection.send("POST", "/generate", wait, json=body, headers=headers)
        job_id = decoded(response, shapes.SubmittedJob).job_id
        with suppress(NotDarkroom):  # the whole job is there if it has ended, and if the key may read
            return Job(self._connection, job_id, decoded(response, shapes.Job))
        return Job(self._connection, job_id)

    def _body(self, prompt: str, options: Options) -> dict[str, Any]:
        body = {"prompt": prompt} | {name: value for name, value in options.items() if value is not None}
        if (model := options.get("model")) and "/" not in model:
            body["model"] = model_names.resolved(model, [known.name for known in self.models()])
        return body


def _once(key: str | None = None) -> dict[str, str]:
    """Return the header by which a call that is sent again makes nothing new."""
    return {"Idempotency-Key": key or str(uuid4())}
