"""A price in a few words: "$0.003 a picture", "from $0.02 a second of video"."""

from tasks.models.costs import rounded, usd
from tasks.models.tariffs import COMPUTE_SECONDS, RUN, Price

UNITS = {
    "image_output_count": "a picture",
    "video_output_count": "a video",
    "video_output_duration_seconds": "a second of video",
    "audio_output_duration_seconds": "a second of audio",
    COMPUTE_SECONDS: "a second of compute",
    RUN: "a run",
}
"""What people call that which a price counts, by its metric."""


def in_short(price: Price) -> str:
    """Return what a median run costs, if the source says so, else the lowest amount of a price that counts one thing.

    A price of several things is returned in the words of its source.
    """
    if price.median is not None:
        return f"about {usd(rounded(price.median))} a run"
    charges = [charge for tier in price.tiers for charge in tier.charges]
    metrics, amounts = (
        {charge.metric for charge in charges},
        {rounded(charge.micros / charge.per) for charge in charges},
    )
    unit = UNITS.get(metrics.pop()) if len(metrics) == 1 else None
    if unit is None or 0 in amounts or len(charges) > len(price.tiers):
        return price.tiers[0].text + (", or more" if len(price.tiers) > 1 else "")
    return f"{'from ' if len(amounts) > 1 else ''}{usd(min(amounts))} {unit}"
