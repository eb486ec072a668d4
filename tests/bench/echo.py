"""The ceiling: the same requests and responses as Darkroom's, by Litestar alone, with no work in between."""

from typing import Any

from litestar import Litestar, get, post
from litestar.params import FromPath

JOB: dict[str, Any] = {
    "job_id": "019ab0c4-5d1e-7b36-9533-e50ac26d7632", "status": "completed", "prompt": "A futuristic city at sunset",
    "model": "stability-ai/sdxl", "parameters": {"width": 64, "height": 64}, "priority": "normal",
    "result_url": "/media/019ab0c4-5d1e-7b36-9533-e50ac26d7632.png", "created_at": "2026-11-22T20:15:01.042000Z",
    "started_at": "2026-11-22T20:15:01.102000Z", "finished_at": "2026-11-22T20:15:03.400000Z", "retry_count": 0,
    "outputs": [{"url": "/media/019ab0c4-5d1e-7b36-9533-e50ac26d7632.png", "kind": "image", "media_type": "image/png",
                 "bytes": 7589, "width": 64, "height": 64}],
}  # fmt: skip


@post("/generate", status_code=202)
async def generate(data: dict[str, Any]) -> dict[str, Any]:
    """Return the received JSON unchanged."""
    return data


@get("/status/{job_id:str}")
async def status(job_id: FromPath[str]) -> dict[str, Any]:
    """Return a job like Darkroom's."""
    return JOB | {"job_id": job_id}


@get("/healthz")
async def healthz() -> dict[str, str]:
    """Report that the process is alive."""
    return {"status": "ok"}


app = Litestar([generate, status, healthz], openapi_config=None, logging_config=None)
