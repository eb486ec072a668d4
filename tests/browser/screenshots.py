"""`make screenshots`: takes the pictures of the README and the docs, of a separate Darkroom with the stand-in."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from tempfile import TemporaryDirectory
from typing import Any, Literal

import httpx
from playwright.sync_api import Browser, Page, sync_playwright

from tasks.settings import ROOT
from tests import chromium
from tests.servers import free_port
from tests.waiting import wait_until

PICTURES = ROOT / "docs" / "pictures"
FLUX, NANO, FILM, SOUND = "black-forest-labs/flux-schnell", "google/nano-banana", "minimax/hailuo-02", "meta/musicgen"

PROMPTS: list[tuple[str, str | None, dict[str, Any]]] = [
    ("The old pier, long exposure", FLUX, {"aspect_ratio": "3:2", "seed": 11}),
    ("Ferns and moss, botanical plate", None, {"width": 768, "height": 1152, "seed": 5}),
    ("Night sky over the desert", None, {"width": 1024, "height": 1024, "seed": 3}),
    ("A lullaby for a rainy evening", SOUND, {"duration": 6}),
    ("Snow on a mountain pass, Kodachrome", None, {"width": 1344, "height": 768, "seed": 9}),
    ("Still life with lemons and a glass", None, {"width": 832, "height": 1216, "seed": 2}),
    ("A quiet harbour at dawn, slow pan", FILM, {}),
    ("Abstract currents in copper and teal", None, {"width": 1216, "height": 832, "seed": 8}),
    ("Poppies in a red field, morning mist", FLUX, {"aspect_ratio": "2:3", "num_outputs": 3, "seed": 21}),
    ("Dunes under a full moon", FLUX, {"aspect_ratio": "21:9", "seed": 4}),
    ("A futuristic city at sunset", None, {"width": 1024, "height": 1024, "seed": 1}),
    ("A lighthouse in a storm, gold and blue", FLUX, {"aspect_ratio": "3:2", "seed": 14}),
]
DEVELOPING = [
    ("The last tram, in the rain", None, {"width": 832, "height": 1216}),
    ("Harvest, seen from a balloon", FLUX, {}),
]


@dataclass(frozen=True)
class Shot:
    """A picture of a page.

    path: may contain {first} and {second}, the ids of two finished jobs. ready: prepares the page for the picture.
    """

    name: str
    path: str
    width: int
    height: int
    scheme: Literal["dark", "light"]
    ready: Callable[[Page], object] = lambda page: None


def _open_lightbox(page: Page) -> None:
    page.get_by_alt_text("The old pier, long exposure").click()
    page.locator(".pswp__img").first.wait_for()
    page.locator(".curation").wait_for()


def _select(page: Page) -> None:
    page.locator("#selection-mode").check()
    for card in page.locator('.card[data-status="completed"]').all()[1:4]:
        card.locator(".card-select").check()


def _sign_in(page: Page) -> None:
    page.get_by_label("Name").fill("anna")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("heading", name="Services").wait_for()


SHOTS = [
    Shot("gallery-dark", "/", 1440, 1000, "dark"),
    Shot("gallery-light", "/", 1440, 1000, "light"),
    Shot("phone", "/", 390, 844, "dark", lambda page: page.evaluate("scrollTo(0, 420)")),
    Shot("job", "/jobs/{first}", 1440, 900, "dark"),
    Shot("lightbox", "/", 1440, 900, "dark", _open_lightbox),
    Shot("compare", "/compare?job={first}&job={second}", 1440, 900, "light"),
    Shot("selection", "/?q=kind:image", 1440, 900, "dark", _select),
    Shot("spend", "/spend", 1440, 1200, "light"),
]
OPERATE = Shot("operate", "/operate", 1440, 1500, "dark")
PEOPLE = Shot("people", "/sign-in?next=/people", 1440, 1120, "light", _sign_in)
BUDGETS = ("all 50/month", "model:google/nano-banana 2/day")
INVITED = ("anna --admin", "ben", "clara --viewer")
KEYS = (
    "storefront website --scope submit --scope read --budget 2/day --model black-forest-labs/flux-schnell",
    "storefront staging --scope submit --scope read --expires 90d",
    "ben laptop --scope submit --scope read",
)
PASSWORD = "a quiet harbour at dawn"


def main() -> None:
    """Start a Darkroom, fill it, take the pictures, and stop it."""
    port, standin_port = free_port(), free_port()
    url, standin = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{standin_port}"
    with TemporaryDirectory(prefix="darkroom-", dir="/tmp") as folder:
        environment = os.environ | {
            "DARKROOM_ENV_FILE": os.devnull,
            "DATA_DIR": f"{folder}/data",
            "STORAGE_URL": f"{folder}/media",
            "DATABASE_URL": f"sqlite:///{folder}/data/darkroom.sqlite",
            "PORT": str(port),
            "STANDIN_PORT": str(standin_port),
            "STANDIN_CONTROL": "true",
        }
        running = subprocess.Popen([sys.executable, "-m", "webapp", "up"], env=environment, cwd=ROOT)
        try:
            wait_until(lambda: _ready(url), within=60)
            for budget in BUDGETS:
                _command(environment, f"budgets set {budget}")
            first, second = _fill(url, standin)
            _take(url, *SHOTS, first=first, second=second)
            _fail(url, standin)
            _take(url, OPERATE)
            _invite(url, environment)
            _take(url, PEOPLE)
        finally:
            running.terminate()
            running.wait(10)


def _ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz").status_code == 200
    except httpx.TransportError:
        return False


def _fill(url: str, standin: str) -> tuple[str, str]:
    """Make all prints, and leave two of them running. Returns the ids of two finished jobs."""
    ids = [_post(url, *prompt) for prompt in PROMPTS]
    wait_until(lambda: all(_status(url, job_id) == "completed" for job_id in ids), within=90)
    slow = {"on": "create", "do": "run", "seconds": 90, "times": 0}
    httpx.post(f"{standin}/_standin/faults", content=json.dumps([slow])).raise_for_status()
    last = [_post(url, *prompt) for prompt in DEVELOPING]
    wait_until(lambda: all(_status(url, job_id) == "running" for job_id in last))
    return ids[-1], ids[0]


def _post(url: str, prompt: str, model: str | None, parameters: dict[str, Any]) -> str:
    body = {"prompt": prompt, "model": model, "parameters": parameters}
    answer = httpx.post(f"{url}/generate", json=body)
    answer.raise_for_status()
    return str(answer.json()["job_id"])


def _status(url: str, job_id: str) -> str:
    return str(httpx.get(f"{url}/status/{job_id}").json()["status"])


def _fail(url: str, standin: str) -> None:
    """Make two prints that fail, pause a model, and wait until what was done is counted."""
    refusals = [f"The prompt was rejected by filter {number}" for number in (17, 23)]
    rules = [{"on": "create", "do": "fail_prediction", "error": words} for words in refusals]
    httpx.delete(f"{standin}/_standin/faults").raise_for_status()
    httpx.post(f"{standin}/_standin/faults", content=json.dumps(rules)).raise_for_status()
    ids = [_post(url, prompt, FLUX, {}) for prompt in ("A mask, close up", "A mask, from afar")]
    wait_until(lambda: all(_status(url, job_id) == "failed" for job_id in ids), within=60)
    paused = {"model": SOUND, "reason": "Waiting for the new version"}
    httpx.post(f"{url}/queue/pause", json=paused).raise_for_status()
    counted = f'darkroom_attempts_total{{code="model_error",model="{FLUX}"'
    wait_until(lambda: counted in httpx.get(f"{url}/metrics").text, within=60)


def _invite(url: str, environment: dict[str, str]) -> None:
    """Add people who can sign in, and a service, with keys of which one was never used."""
    for words in INVITED:
        link = _command(environment, f"people add {words}")[0]
        assert httpx.post(link, data={"password": PASSWORD}).is_redirect
    _command(environment, "people add storefront --service")
    for words in KEYS:
        [key] = _command(environment, f"keys add {words}")
        if "staging" not in words:
            httpx.get(f"{url}/models", headers={"Authorization": f"Bearer {key}"}).raise_for_status()


def _command(environment: dict[str, str], words: str) -> list[str]:
    """Run a command of Darkroom. Returns the lines that it prints."""
    command = [sys.executable, "-m", "webapp", *words.split()]
    return subprocess.check_output(command, env=environment, cwd=ROOT, text=True).splitlines()


def _take(url: str, *shots: Shot, **ids: str) -> None:
    PICTURES.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium.find(), args=["--no-sandbox", "--disable-gpu"])
        for shot in shots:
            _shoot(browser, url + shot.path.format(**ids), shot)
        browser.close()


def _shoot(browser: Browser, url: str, shot: Shot) -> None:
    context = browser.new_context(
        viewport={"width": shot.width, "height": shot.height}, color_scheme=shot.scheme, locale="en-GB"
    )
    page = context.new_page()
    page.goto(url, wait_until="load")
    shot.ready(page)
    page.wait_for_timeout(3000)  # until the prints have appeared
    page.screenshot(path=PICTURES / f"{shot.name}.jpg", type="jpeg", quality=82)
    context.close()
    print(PICTURES / f"{shot.name}.jpg")


if __name__ == "__main__":
    main()
