"""A job: its state, its changes, its end, and the files that it made."""

from collections.abc import Iterator
from contextlib import suppress
from math import ceil
from pathlib import Path
from uuid import UUID

import msgspec

from webapp.client import shapes
from webapp.client.connection import Connection, decoded, retry_after
from webapp.client.downloads import save
from webapp.client.event_stream import EventReader
from webapp.client.exceptions import NotCompleted, Unavailable, Unreachable

LONG_POLL_SECONDS = 20
FOLLOW_TRIES = 10  # so that a restart of Darkroom, of half a minute, does not end what follows a job
MAX_SILENT_STREAMS = 2  # streams in a row that bring nothing, as behind a proxy that holds events back


class Job:
    """A job at Darkroom, by its id."""

    def __init__(self, connection: Connection, job_id: UUID, state: shapes.Job | None = None) -> None:
        self.id, self._connection, self._state = job_id, connection, state

    @property
    def state(self) -> shapes.Job:
        """The job as it was last heard of. The first time, Darkroom is asked."""
        return self._state or self.refresh()

    @property
    def outputs(self) -> list["Output"]:
        """The files that it made, without those in the trash: none before it is completed."""
        return [Output(self._connection, file) for file in self.state.outputs or () if not file.trashed]

    def refresh(self) -> shapes.Job:
        """Return the job as it is now."""
        return self._heard(self._connection.get(f"/status/{self.id}", shapes.Job))

    def wait(self, seconds: float | None = None) -> "Job":
        """Return the job when it has ended, however it did. Raises TimeoutError when it has not within `seconds`."""
        clock, left = self._connection.clock, float(LONG_POLL_SECONDS)
        deadline = clock() + (seconds or 0)
        while not (self._state and self._state.has_ended):
            if seconds is not None and (left := deadline - clock()) <= 0:
                raise TimeoutError(f"The job has not ended within {seconds} s.")
            self._poll(min(left, LONG_POLL_SECONDS))
        return self

    def completed(self) -> "Job":
        """Return the job when it is completed. Raises NotCompleted when it has failed or was canceled."""
        if self.wait().state.status != "completed":
            raise NotCompleted(self)
        return self

    def changes(self) -> Iterator[shapes.Job]:
        """Yield the job as it is, then after each change, until it has ended.

        Follows its events, from where they were cut off. Where none come, Darkroom is asked again and again.
        """
        last = None
        for state in self._states():
            if state != last:
                yield self._heard(state)
            if state.has_ended:
                return
            last = state

    def cancel(self) -> str:
        """Cancel the job. Returns `dequeued`, `requested` (it is still to end) or `too_late` (it had ended)."""
        return self._heard(self._connection.post(f"/jobs/{self.id}/cancel", shapes.Job)).cancel or ""

    def _states(self) -> Iterator[shapes.Job]:
        reader, silent = EventReader(), 0
        while True:
            if silent < MAX_SILENT_STREAMS:
                silent += 1
                for state in self._streamed(reader):
                    silent = 0
                    yield state
                if not silent:
                    self._connection.sleep(reader.retry * (1 + self._connection.chance() / 4))
                    continue
            yield self._poll(LONG_POLL_SECONDS if silent == MAX_SILENT_STREAMS else 0)

    def _streamed(self, reader: EventReader) -> Iterator[shapes.Job]:
        """Yield the job of each event, until the stream ends or is cut off."""
        headers = {"Accept": "text/event-stream, application/json"}
        headers |= {"Last-Event-ID": reader.last_id} if reader.last_id else {}
        stream = self._connection.opened("GET", f"/jobs/{self.id}/events", headers=headers)
        with suppress(Unreachable, Unavailable, msgspec.MsgspecError), stream as response:
            for event in reader.read(response.iter_bytes()):
                yield msgspec.json.decode(event, type=shapes.Job)

    def _poll(self, seconds: float) -> shapes.Job:
        """Return the job when it has ended, or as it is after `seconds`."""
        wait = ceil(seconds)
        response = self._connection.send("GET", f"/status/{self.id}", wait, tries=FOLLOW_TRIES)
        state = self._heard(decoded(response, shapes.Job))
        if wait and not state.has_ended and "Preference-Applied" not in response.headers:
            self._connection.sleep(min(retry_after(response) or 1, seconds))
        return state

    def _heard(self, state: shapes.Job) -> shapes.Job:
        self._state = state
        return state


class Output:
    """A file that a job made. file: what it is."""

    def __init__(self, connection: Connection, file: shapes.Output) -> None:
        self.file, self._connection = file, connection

    @property
    def address(self) -> str:
        """Its whole address."""
        return self._connection.url + self.file.url

    def save(self, folder: Path | str = ".") -> Path:
        """Save it in a folder under a readable name, and never over another file. Returns its path.

        The file has the prompt and the settings inside, as the downloads of the gallery do.
        """
        return save(self._connection, self.file.url, Path(folder))
