"""Has REDbot look at addresses, and prints what it says of each: `python -m tests.webapp.http.redbot_notes URL...`.

It needs a process of its own, because it has an event loop of its own.
"""

import json
import sys
from collections.abc import Sequence
from configparser import ConfigParser

import thor
from redbot.resource import HttpResource


def notes(urls: Sequence[str]) -> dict[str, list[tuple[str, str]]]:
    """Return for each address what is said of its response: levels (GOOD, INFO, WARN or BAD) and sentences."""
    config = ConfigParser()
    config.read_dict({"redbot": {"enable_local_access": "True"}})
    resources = {url: HttpResource(config["redbot"]) for url in urls}
    waiting = list(resources.items())

    def begin_next() -> None:  # not all at once: REDbot compares the server's clock with its own
        if not waiting:
            thor.stop()
            return
        url, resource = waiting.pop()
        resource.set_request(url)
        resource.once("check_done", begin_next)
        resource.check()

    begin_next()
    thor.run()
    return {
        url: [(note.level.name, str(note.summary)) for note in resource.response.notes]
        for url, resource in resources.items()
    }


if __name__ == "__main__":
    print(json.dumps(notes(sys.argv[1:])))
