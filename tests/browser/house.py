"""A Darkroom with people for the browser tests, as an admin has set it up."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
from playwright.sync_api import BrowserContext

from tests.browser.conftest import ROOT, Darkroom, started
from tests.waiting import wait_until

PASSWORD = "a fox in the darkroom"
COOKIE = "darkroom-signed-in"
HEADER = "X-Remote-User"  # in which a trusted proxy names a person


@dataclass
class House:
    """A Darkroom with people. admin: the token of the admin's session."""

    darkroom: Darkroom
    admin: str
    prints: list[UUID]

    def post(self, path: str, data: dict[str, Any], token: str = "") -> httpx.Response:
        """Send a form, as the admin or with the token of another session."""
        headers = {"Cookie": f"{COOKIE}={token or self.admin}"}
        return httpx.post(f"{self.darkroom.url}{path}", data=data, headers=headers, timeout=30)

    def invite(self, name: str, role: str = "member") -> str:
        """Add a person. Returns the path of the link that sets the password."""
        answer = self.post("/people", {"name": name, "role": role})
        found = re.search(r"/welcome/[\w-]+", answer.text)
        assert found, re.findall(r"role=.alert.*", answer.text)
        return found[0]

    def join(self, name: str, role: str = "member") -> str:
        """Add a person who sets a password. Returns the token of the session."""
        return _joined(self.darkroom, self.invite(name, role))

    def sign_in(self, context: BrowserContext, name: str, role: str = "member") -> None:
        """Add a person, and sign them in in a browser."""
        context.add_cookies([{"name": COOKIE, "value": self.join(name, role), "url": self.darkroom.url}])

    def end_session(self, context: BrowserContext) -> None:
        """End the session of a browser, which does not know it yet."""
        assert self.post("/sign-out", {}, token_of(context)).status_code == 303

    def key(self, context: BrowserContext, *scopes: str) -> dict[str, str]:
        """Make a key of the person in a browser. Returns the headers of a program with it."""
        answer = self.post("/account/keys", {"name": "ci", "scope": list(scopes)}, token_of(context))
        found = re.search(r"dk_\w{38}", answer.text)
        assert found, re.findall(r"role=.alert.*", answer.text)
        return {"Authorization": f"Bearer {found[0]}"}


@contextmanager
def settled(folder: Path) -> Iterator[House]:
    """Run a Darkroom while the block runs: first two prints are made in it, then its admin is added."""
    with started(folder, TRUSTED_USER_HEADER=HEADER, TRUSTED_PROXIES="127.0.0.1") as darkroom:
        prints = [darkroom.post(f"a print in the house {number}", width=96, height=64) for number in range(2)]
        for job_id in prints:
            darkroom.finished(job_id)
        command = [sys.executable, "-m", "webapp", "people", "add", "anna", "--admin"]
        environment = os.environ | darkroom.environment
        told = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=True).stdout
        link = re.search(r"/welcome/[\w-]+", told)
        assert link, told
        wait_until(lambda: httpx.get(f"{darkroom.url}/account", follow_redirects=False).status_code != 403)
        yield House(darkroom, _joined(darkroom, link[0]), prints)


def token_of(context: BrowserContext) -> str:
    """Return the token of the session in a browser."""
    [token] = [cookie["value"] for cookie in context.cookies() if cookie["name"] == COOKIE]
    return str(token)


def _joined(darkroom: Darkroom, link: str) -> str:
    """Set a password by a link. Returns the token of the session."""
    answer = httpx.post(f"{darkroom.url}{link}", data={"password": PASSWORD}, timeout=30)
    assert answer.status_code == 303, answer.text
    return str(answer.cookies[COOKIE])
