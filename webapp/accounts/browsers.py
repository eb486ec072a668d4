"""Names for browsers, such as "Firefox on Windows", from what they send as User-Agent."""

from dataclasses import dataclass

MAX_UNKNOWN_LENGTH = 60  # characters of a User-Agent that is shown as it is
# The first that fits counts: most browsers also claim to be Chrome or Safari, and all phones to be Linux or a Mac.
PROGRAMS = {
    "Edg": "Edge", "OPR/": "Opera", "SamsungBrowser": "Samsung Internet", "Firefox": "Firefox", "FxiOS": "Firefox",
    "CriOS": "Chrome", "Chrome": "Chrome", "Safari": "Safari",
}  # fmt: skip
SYSTEMS = {
    "iPhone": "iPhone", "iPad": "iPad", "Android": "Android", "Windows": "Windows", "Mac OS X": "macOS",
    "CrOS": "ChromeOS", "Linux": "Linux",
}  # fmt: skip
HANDHELDS = ("iPhone", "iPad", "Android")


@dataclass(frozen=True, slots=True)
class Browser:
    """A browser. handheld: on a phone or a tablet."""

    name: str
    handheld: bool


def named(agent: str) -> Browser:
    """Return the browser that sends this User-Agent."""
    program = next((name for part, name in PROGRAMS.items() if part in agent), "")
    system = next((name for part, name in SYSTEMS.items() if part in agent), "")
    if not program:
        return Browser(agent[:MAX_UNKNOWN_LENGTH] or "A browser", False)
    return Browser(f"{program} on {system}" if system else program, system in HANDHELDS)
