"""The public page of each model, with its price as Replicate embeds it. The prices are made up."""

from fractions import Fraction
from math import floor
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response


def _tier(metric: str, price: str, title: str, **criteria: str) -> dict[str, Any]:
    return {
        "title": None,
        "criteria": [
            {"type": "equals", "title": name.replace("_", " "), "subtype": "string", "value": value}
            for name, value in criteria.items()
        ],
        "prices": [
            {"type": "per-unit", "metric": metric, "metric_display": title, "price": price, "title": title},
        ],
    }


def _video(price: str, resolution: str) -> dict[str, Any]:
    return _tier("video_output_duration_seconds", price, "per second of output video", target_resolution=resolution)


BY_TIME = {
    "stability-ai/sdxl": ("Nvidia L40S GPU", "$0.000975 per second", "$0.0015"),
    "meta/musicgen": ("Nvidia A100 (80GB) GPU", "$0.0014 per second", "$0.0035"),
}
"""Hardware, price and the price of a median run, of models that are charged by time."""
BY_UNIT = {
    "black-forest-labs/flux-schnell": [_tier("image_output_count", "$3.00", "per thousand output images")],
    "google/nano-banana": [_tier("image_output_count", "$0.039", "per output image")],
    "minimax/hailuo-02": [_video("$0.02", "512p"), _video("$0.045", "768p"), _video("$0.08", "1080p")],
}


def charged(model: str, metrics: dict[str, Any]) -> int:
    """Return what the stand-in charges for a prediction, in micro-dollars: half a micro-dollar is rounded up."""
    if model in BY_TIME:
        price = Fraction(BY_TIME[model][1].removeprefix("$").partition(" ")[0])
        return floor(price * Fraction(str(metrics.get("predict_time", 0))) * 10**6 + Fraction(1, 2))
    for tier in BY_UNIT.get(model, []):
        if all(metrics.get("resolution_target") == each["value"] for each in tier["criteria"]):
            amount = Fraction(tier["prices"][0]["price"].removeprefix("$"))
            per = 1000 if "thousand" in tier["prices"][0]["title"] else 1
            units = Fraction(str(metrics.get(tier["prices"][0]["metric"], 0)))
            return floor(amount * units / per * 10**6 + Fraction(1, 2))
    return 0


async def page(request: Request) -> Response:
    """Return the page of a model: HTML with the properties of its parts as JSON."""
    name = request.url.path.removeprefix("/")
    hardware, price, median = BY_TIME.get(name, (None, None, None))
    billing = {"current_tiers": BY_UNIT[name]} if name in BY_UNIT else None
    properties = {"hardware": hardware, "price": price, "p50price": median, "billingConfig": billing}
    embedded = msgspec.json.encode(properties).decode().replace("<", "\\u003c")
    script = f'<script id="react-component-props-{"0" * 8}" type="application/json">{embedded}</script>'
    return Response(f"<!doctype html><title>{name}</title>{script}", media_type="text/html")
