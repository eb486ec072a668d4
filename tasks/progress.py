"""How far a prediction is, read from its logs."""

import re

TAIL = 4096  # characters of the logs that are looked at
BAR = re.compile(r"(\d{1,3})%\|[^|\r\n]{0,200}\|\s*[\d.]+[kKMG]?/[\d.]+[kKMG]?")


def progress(logs: str | None) -> float | None:
    """The last tqdm progress bar in the logs, from 0 to 1, or None where there is none.

    Bars may have a label, stand several to a line (separated by carriage returns) and count in thousands.
    """
    bars = BAR.findall((logs or "")[-TAIL:])
    return min(int(bars[-1]), 100) / 100 if bars else None
