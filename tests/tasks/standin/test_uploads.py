"""The stand-in's Files API."""

import hashlib
from collections.abc import Callable
from datetime import datetime, timedelta
from io import BytesIO
from pathlib import Path

import httpx
import pytest
from PIL import Image, ImageStat

from tasks.standin import files
from tasks.standin.predictions import SECOND
from tests.tasks.standin.conftest import SDXL, Client

FILE = {"content": ("a.txt", b"hello", "text/plain")}


def test_an_upload_is_answered_as_recorded(client: Client) -> None:
    answer = client.post("/v1/files", files=FILE, data={"metadata": '{"customer": 7}'})
    assert answer.status_code == 201
    kept = answer.json()
    assert (kept["name"], kept["content_type"], kept["size"]) == ("a.txt", "text/plain", 5)
    assert kept["checksums"] == {
        "sha256": hashlib.sha256(b"hello").hexdigest(),
        "md5": hashlib.md5(b"hello").hexdigest(),
    }
    assert (kept["etag"], kept["metadata"]) == (kept["checksums"]["md5"], {"customer": 7})
    created, expires = (datetime.fromisoformat(kept[name]) for name in ("created_at", "expires_at"))
    assert expires - created == timedelta(hours=24)
    assert client.get(kept["urls"]["get"]).json() == kept
    assert client.get("/v1/files").json()["results"] == [kept]


def test_a_deleted_file_is_gone(client: Client) -> None:
    url = client.post("/v1/files", files=FILE).json()["urls"]["get"]
    assert client.delete(url).status_code == 204
    assert (client.get(url).status_code, client.get(url).json()) == (404, {"detail": "File not found"})
    assert client.delete(url).status_code == 404


def test_an_upload_lives_a_day_and_through_a_restart(stand_in: Callable[..., Client], tmp_path: Path) -> None:
    now = [1_749_452_554_263_000_000]
    url = stand_in(clock=lambda: now[0]).post("/v1/files", files=FILE).json()["urls"]["get"]
    path = httpx.URL(url).path
    again = stand_in(clock=lambda: now[0])
    assert again.get(path).json()["size"] == 5
    now[0] += 24 * 3600 * SECOND
    assert again.get(path).status_code == 404


def test_a_file_that_is_too_large_is_413(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "LARGEST", 1000)
    answer = client.post("/v1/files", files={"content": ("a.bin", bytes(1001), "application/octet-stream")})
    assert (answer.status_code, answer.json()) == (413, {"detail": "Files must be less than 100MB in size"})


@pytest.mark.parametrize(
    ("content", "kind"),
    [(b"x", "text/plain"), (b"x", "multipart/form-data"), (b"--b\r\nnonsense", "multipart/form-data; boundary=b")],
)
def test_what_is_no_form_is_400(client: Client, content: bytes, kind: str) -> None:
    assert client.post("/v1/files", content=content, headers={"Content-Type": kind}).status_code == 400


def test_a_form_without_content_or_with_broken_metadata_is_400(client: Client) -> None:
    assert client.post("/v1/files", files={"other": ("a.txt", b"x", "text/plain")}).status_code == 400
    assert client.post("/v1/files", files=FILE, data={"metadata": "nonsense"}).status_code == 400


def test_an_uploaded_picture_is_worked_on(client: Client) -> None:
    file = BytesIO()
    Image.new("RGB", (64, 64), (255, 0, 0)).save(file, "PNG")
    url = client.post("/v1/files", files={"content": ("a.png", file.getvalue(), "image/png")}).json()["urls"]["get"]
    done = client.finished(client.create(SDXL, prompt="a quiet grey fog", image=url, width=64, height=64))
    red, green, _ = ImageStat.Stat(Image.open(BytesIO(client.get(done["output"][0]).content)).convert("RGB")).mean
    assert red > green + 100
    assert "img2img mode" in done["logs"]
