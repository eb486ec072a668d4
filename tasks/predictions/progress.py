"""Reads the progress of a prediction from its logs."""

import re

TAIL_LENGTH = 4096  # characters at the end of the logs that are searched
PROGRESS_BAR = re.compile(r"(\d{1,3})%\|[^|\r\n]{0,200}\|\s*[\d.]+[kKMG]?/[\d.]+[kKMG]?")


def progress(logs: str | None) -> float | None:
    """Return the last tqdm progress bar in the logs as a number from 0 to 1, or None when there is none.

    Bars may have a label, share a line (separated by carriage returns) and count in thousands.
    """
    bars = PROGRESS_BAR.findall((logs or "")[-TAIL_LENGTH:])
    return min(int(bars[-1]), 100) / 100 if bars else None
