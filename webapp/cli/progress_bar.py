"""One line on a terminal that shows how a job is, and is written over when it changes."""

import shutil
from typing import Self, TextIO

from webapp.cli.table import printable
from webapp.client.shapes import Job

BAR_CELLS = 24


class ProgressBar:
    """The line of a job, while the block runs. Nothing is written where `stream` is not a terminal."""

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._shown = stream, ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.clear()

    def show(self, job: Job) -> None:
        """Show a job as it is."""
        if self._stream.isatty():
            width = shutil.get_terminal_size().columns - 1  # a line that is full would wrap
            self._write(line(job)[:width])

    def clear(self) -> None:
        """Remove the line."""
        if self._shown:
            self._write("")
            self._stream.write("\r")
            self._stream.flush()

    def _write(self, text: str) -> None:
        self._stream.write(f"\r{text.ljust(len(self._shown))}")
        self._stream.flush()
        self._shown = text


def line(job: Job) -> str:
    """Return how a job is, in a line."""
    made = job.status == "completed" or job.stage == "downloading"
    done = round((1 if made else job.progress or 0) * BAR_CELLS)
    bar = f"[{'#' * done}{'-' * (BAR_CELLS - done)}]"
    percent = f" {job.progress:4.0%}" if job.progress is not None else ""
    return f"{bar}{percent} {words(job)}"


def words(job: Job) -> str:
    """Return how a job is, in words."""
    if job.retry_at is not None:
        return f"waits for another try: {printable(job.last_error or 'the last one failed')}"
    if job.status == "queued":
        return f"queued, place {job.place}" if job.place else "queued"
    return f"{job.status}: {job.stage}" if job.stage else job.status
