"""A program that calls Replicate's API with version 2 of its official client, and prints what came of it as JSON."""

import json
import os
from collections.abc import Callable
from importlib import import_module
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx

SDXL = "stability-ai/sdxl"
PROMPT = os.environ["PROMPT"]
FOX = {"prompt": PROMPT, "width": 64, "height": 64}

replicate: Any = import_module("replicate")  # whose types, where these are checked, are those of version 1
client = replicate.Replicate()
content = Path(os.environ["PICTURE"]).read_bytes()


def refusal(call: Callable[[], object]) -> Any:
    """Return the error that a call raises."""
    try:
        call()
    except replicate.ReplicateError as error:
        return error
    raise AssertionError("it was not refused")


told: dict[str, Any] = {}
told["run"] = client.run(SDXL, input=FOX)
told["read"] = httpx.get(told["run"][0]).headers["Content-Type"]  # without the key, as ordinary programs do
told["polled"] = client.run(SDXL, input=FOX, wait=False)
told["with_file"] = client.run(SDXL, input={**FOX, "image": BytesIO(content)})
told["image"] = next(filter(None, (each.input.get("image") for each in client.predictions.list().results)))
told["used"] = [replicate.get_path_url(path) for path in replicate.use(SDXL)(**FOX)]
waiting = client.predictions.create(version=SDXL, input={"prompt": f"{PROMPT} long"}, cancel_after="1h")
told["canceled"] = client.predictions.cancel(prediction_id=waiting.id).status
told["failed"] = str(refusal(lambda: client.run(SDXL, input={**FOX, "prompt": f"{PROMPT} bad"})))
told["refused"] = [
    refusal(lambda: client.run(SDXL, input={**FOX, "width": "wide"})).status_code,
    refusal(lambda: client.predictions.get(prediction_id="nothing")).status_code,
]
file = client.files.create(content=b"a note")
client.files.delete(file_id=file.id)
told["file"] = [file.size, file.id not in {each.id for each in client.files.list().results}]
told["listed"] = [prediction.id for prediction in client.predictions.list()]
version = client.models.get(model_owner="stability-ai", model_name="sdxl").latest_version
told["models"] = [model.name for model in client.models.list().results if model.latest_version.id == version.id]
told["version"] = client.models.versions.get(model_owner="stability-ai", model_name="sdxl", version_id=version.id).id
told["account"] = client.account.get().type
print(json.dumps(told, default=str))
