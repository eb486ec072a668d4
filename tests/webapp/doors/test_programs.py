"""The ordinary programs of all official clients, at once, against one Darkroom with a person, a key and a budget.

The newer version of Replicate's client in Python does not fit into the environment of the tests beside the older one,
and the one in JavaScript is of another kind. Both are fetched, and left out where they cannot be.
"""

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import httpx2
import pytest
from mcp import Client as Agent
from mcp.client.streamable_http import streamable_http_client
from openai import AsyncOpenAI
from replicate.client import Client

from tests.browser.conftest import Darkroom as Served
from tests.factories import FLUX, SDXL
from tests.tasks.samples import picture
from tests.tasks.standin.conftest import SDXL as VERSION

pytestmark = pytest.mark.once

HERE = Path(__file__).parent
NEWER = (
    "replicate==2.0.0b4 --hash=sha256:b065dd58a1f13278ebec575fedf4038960d3f6d569a92f912b5411720190268e\n"
    "distro==1.9.0 --hash=sha256:7bffd925d65168f85027d8da9af6bddab658135b840670a223589bc0c8ef02b2\n"
)
"""Version 2 and the one package that it needs besides those that version 1 needs, too."""
JAVASCRIPT = "replicate@1.4.0"
RUNS = {"run", "polled", "with_file", "used"}
"""What the two long programs tell of the jobs that they complete. One more of each fails, and one is canceled."""
Told = dict[str, Any]


@pytest.fixture(autouse=True)
def empty() -> None:
    """Leave the tests' own database untouched: no test here uses it."""


async def test_all_programs_work_at_once_and_what_they_made_is_in_the_gallery(
    inhabited: tuple[Served, dict[str, str]], tmp_path: Path
) -> None:
    served, _ = inhabited
    prompt = f"a fox {uuid4().hex}"
    key = _new_key(served)
    served.script(
        {"on": "create", "match": f"{prompt} bad", "do": "fail_prediction", "error": "NSFW content detected."},
        {"on": "create", "match": f"{prompt} bad", "do": "fail_prediction", "error": "NSFW content detected."},
        {"on": "create", "match": f"{prompt} long", "do": "run", "seconds": 60},
        {"on": "create", "match": f"{prompt} long", "do": "run", "seconds": 60},
    )
    (tmp_path / "picture.png").write_bytes(picture(64, 64))
    environment = {
        "REPLICATE_API_TOKEN": key, "REPLICATE_BASE_URL": f"{served.url}/replicate", "REPLICATE_POLL_INTERVAL": "0.05",
        "PROMPT": prompt, "PICTURE": f"{tmp_path}/picture.png",
    }  # fmt: skip
    newer, javascript, *_ = await asyncio.gather(
        _newer(tmp_path, environment),
        _javascript(tmp_path, environment),
        _older(served.url, key, prompt),
        _openai(served.url, key, prompt),
        _agent(served.url, key, prompt),
    )
    told = [each for each in (newer, javascript) if isinstance(each, dict)]
    for each in told:
        _check(each, served.url)
    async with httpx.AsyncClient(base_url=served.url, headers={"Authorization": f"Bearer {key}"}) as http:
        found = (await http.get("/jobs.json", params={"q": prompt, "limit": 100})).json()["jobs"]
    made = Counter((job["origin"], job["status"]) for job in found)
    completed = 1 + sum(len(RUNS & each.keys()) for each in told)
    assert made == {
        ("replicate", "completed"): completed, ("replicate", "failed"): len(told),
        ("replicate", "canceled"): len(told), ("openai", "completed"): 1, ("mcp", "completed"): 1,
    }  # fmt: skip
    assert {(job["owner"], job["key"].partition(" ")[0]) for job in found} == {("anna", "programs")}
    assert all(float(job["cost"]["usd"]) > 0 for job in found if job["status"] == "completed")
    if missing := [each for each in (newer, javascript) if isinstance(each, str)]:
        pytest.skip("; ".join(missing))


def _new_key(served: Served) -> str:
    words = ["keys", "add", "anna", "programs", "--scope", "submit", "--scope", "read", "--scope", "tidy"]
    command = [sys.executable, "-m", "webapp", *words, "--budget", "5/day"]
    return subprocess.check_output(command, cwd=HERE.parents[2], env=served.environment, text=True).strip()


async def _newer(folder: Path, environment: dict[str, str]) -> Told | str:
    """Run the program of version 2 of Replicate's client in Python. Returns what it tells, or why it cannot be run."""
    (folder / "requirements.txt").write_text(NEWER)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--disable-pip-version-check"]
    fetch = [*pip, "--require-hashes", "--target", f"{folder}/site", "-r", f"{folder}/requirements.txt"]
    if missing := await _fetched(fetch, "version 2 of Replicate's client in Python"):
        return missing
    return await _ran([sys.executable, f"{HERE}/replicate_client.py"], environment | {"PYTHONPATH": f"{folder}/site"})


async def _javascript(folder: Path, environment: dict[str, str]) -> Told | str:
    """Run the program of Replicate's client in JavaScript. Returns what it tells, or why it cannot be run."""
    npm = shutil.which("npm")
    if npm is None:
        return "npm is not installed"
    install = [npm, "install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", f"{folder}"]
    if missing := await _fetched([*install, JAVASCRIPT], "Replicate's client in JavaScript"):
        return missing
    shutil.copy(HERE / "replicate_client.mjs", folder)
    base = {"BASE_URL": f"{environment['REPLICATE_BASE_URL']}/v1"}
    return await _ran(["node", f"{folder}/replicate_client.mjs"], environment | base)


async def _older(url: str, key: str, prompt: str) -> None:
    client = Client(api_token=key, base_url=f"{url}/replicate")
    given = {"prompt": prompt, "width": 64, "height": 64}
    [output] = await asyncio.to_thread(partial(client.run, SDXL, input=given))
    await _is_a_picture(output)
    client._client.close()


async def _openai(url: str, key: str, prompt: str) -> None:
    async with AsyncOpenAI(base_url=f"{url}/v1", api_key=key) as client:
        response = await client.images.generate(prompt=prompt, model=FLUX, response_format="url")
    assert response.data
    await _is_a_picture(response.data[0].url or "")


async def _agent(url: str, key: str, prompt: str) -> None:
    headers = {"Authorization": f"Bearer {key}"}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=60) as http,
        Agent(streamable_http_client(f"{url}/mcp", http_client=http)) as agent,
    ):
        result = await agent.call_tool("generate", {"prompt": prompt, "model": FLUX})
    assert not result.is_error
    assert dict(result.structured_content or {})["status"] == "completed"


async def _is_a_picture(url: str) -> None:
    async with httpx.AsyncClient() as anybody:  # without the key, as ordinary programs do
        answer = await anybody.get(url)
    assert answer.headers["Content-Type"].startswith("image/")


async def _fetched(command: list[str], what: str) -> str | None:
    """Install a client. Returns why it cannot be had, or None."""
    process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    output, _ = await process.communicate()
    return f"{what} cannot be fetched: {output.decode(errors='replace')[-300:]}" if process.returncode else None


async def _ran(command: list[str], environment: dict[str, str]) -> Told:
    process = await asyncio.create_subprocess_exec(
        *command, env={**os.environ, **environment}, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    output, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    return dict(json.loads(output))


def _check(told: Told, url: str) -> None:
    """Check what a program tells of its calls."""
    for name in RUNS & told.keys():
        [output] = told[name]
        assert output.startswith(f"{url}/media/"), name
    assert told["read"] == "image/png"
    assert told["image"].startswith(f"{url}/media/upload-")
    assert told["canceled"] == "canceled"
    assert "safety filter" in told["failed"]
    assert told["refused"] == [422, 404]
    assert told["file"] == [6, True]
    assert len(told["listed"]) == len(set(told["listed"])) >= len(RUNS & told.keys()) + 2
    assert (told["models"], told["version"], told["account"]) == (["sdxl"], VERSION, "user")
