"""Makes up the results of orders: rows of jobs that have all ended, so that none of them is run or paid for."""

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from math import prod
from random import Random
from uuid import UUID

from piccolo.table import Table

from tasks.db import ids
from tasks.db.tables import Attempt, Batch, CollectionItem, Job, JobTag, Output, Status
from tasks.demo import words
from tasks.demo.files import Row, Shelf
from tasks.demo.orders import Order, orders
from tasks.errors import Failure, reason

CLIENT = "demo"
IN_TRASH = timedelta(days=20)  # at most, so that it is not deleted immediately
MADE_FROM = 500  # jobs back, at most, to the one that a job is made from

SECONDS = {
    "black-forest-labs/flux-schnell": 1.5, "stability-ai/sdxl": 6.0, "google/nano-banana": 9.0,
    "minimax/hailuo-02": 90.0, "meta/musicgen": 25.0,
}  # fmt: skip
"""How long a prediction of each model takes, approximately."""
FAULTS = (
    reason("failed", "NSFW content detected"),
    reason("failed", "CUDA out of memory"),
    reason("failed", "CUDA error: device-side assert triggered"),
    Failure("deadline", "It did not finish within the time allowed."),
)

Rows = dict[type[Table], list[Row]]
"""The rows of each table, by column name, with the same columns in all. Columns not named have their default."""


def jobs(
    count: int, until: datetime, shelf: Shelf, collections: Sequence[UUID], chance: Random, at_once: int
) -> Iterator[Rows]:
    """Yield the rows of `count` jobs in the two years up to `until`, oldest first, at most `at_once` jobs at a time."""
    rows: Rows = defaultdict(list)
    earlier: list[UUID] = []
    for order in orders(count, until, chance):
        job = _job(order, until, earlier, chance)
        _add(rows, order, job, shelf, chance)
        if chance.random() < 0.02:
            item = {
                "id": ids.drawn_at(order.moment, chance),
                "collection": chance.choice(collections),
                "job": job["id"],
            }
            rows[CollectionItem].append(item)
        if len(rows[Job]) == at_once:
            earlier = [row["id"] for row in rows[Job][-MADE_FROM:]]
            yield rows
            rows = defaultdict(list)
    if rows:
        yield rows


def _job(order: Order, until: datetime, earlier: list[UUID], chance: Random) -> Row:
    status = chance.choices((Status.COMPLETED, Status.FAILED, Status.CANCELED), (93, 5, 2))[0]
    started = order.moment + timedelta(seconds=chance.uniform(0.3, 4))
    finished = started + timedelta(seconds=SECONDS[order.model] * chance.uniform(0.7, 1.6))
    fault = chance.choice(FAULTS) if status == Status.FAILED else None
    liked = status == Status.COMPLETED and chance.random() < 0.06
    rated = status == Status.COMPLETED and chance.random() < 0.15
    trashed = until - chance.random() * IN_TRASH if chance.random() < 0.01 else None
    return {
        "id": ids.drawn_at(order.moment, chance), "status": status, "prompt": order.prompt, "model": order.model,
        "parameters": "{}", "kind": None,
        "client": CLIENT, "turn": 1, "created_at": order.moment, "due_at": order.moment, "started_at": started,
        "finished_at": finished, "changed_at": max(finished, trashed) if trashed else finished,
        "deadline_at": order.moment + timedelta(days=1),
        "error": fault.message if fault else None, "error_code": fault.code if fault else None,
        "seed": chance.randrange(2**31) if order.model != "minimax/hailuo-02" else None,
        "batch": order.matrix.id if order.matrix else None, "batch_place": order.place,
        "made_from": chance.choice(earlier) if earlier and chance.random() < 0.08 else None,
        "favorite": liked, "rating": chance.choices(range(1, 6), (1, 2, 4, 6, 5))[0] if rated else 0,
        "notes": chance.choice(words.NOTES) if chance.random() < 0.01 else "", "trashed_at": trashed,
    }  # fmt: skip


def _add(rows: Rows, order: Order, job: Row, shelf: Shelf, chance: Random) -> None:
    """Add the job and the rows that belong to it."""
    parameters, kind, outputs = _made(order, shelf, chance)
    job["parameters"] = json.dumps(parameters)
    rows[Job].append(job)
    rows[Attempt].append(_attempt(job, parameters, chance))
    if order.matrix and order.place == 0:
        rows[Batch].append(_batch(order))
    if job["status"] == Status.COMPLETED:
        job["kind"] = kind
        rows[Output] += [
            {
                **output, "id": ids.drawn_at(order.moment, chance), "job": job["id"], "position": position,
                "favorite": job["favorite"] and position == 0, "rating": 0 if position else job["rating"],
            }
            for position, output in enumerate(outputs)
        ]  # fmt: skip
    if chance.random() < 0.12:
        for name in chance.sample(words.TAGS, chance.choice((1, 1, 2, 3))):
            rows[JobTag].append({"id": ids.drawn_at(order.moment, chance), "job": job["id"], "name": name})


def _made(order: Order, shelf: Shelf, chance: Random) -> tuple[Row, str, list[Row]]:
    """Return the parameters, the kind, and the outputs that fit them."""
    if not order.subject:
        return {"duration": 4, "output_format": "mp3"}, "audio", [chance.choice(shelf.sounds)]
    if order.model == "minimax/hailuo-02":
        return {"duration": 6, "resolution": "512p"}, "video", [shelf.films[order.subject]]
    picture = chance.choice(shelf.pictures[order.subject])
    if order.model == "stability-ai/sdxl":
        size = {"width": picture.output["width"], "height": picture.output["height"]}
        return {**size, "num_inference_steps": chance.choice((25, 30, 50))}, "image", [picture.output]
    several = order.model == "black-forest-labs/flux-schnell" and chance.random() < 0.04
    many = {"num_outputs": chance.choice((2, 3, 4))} if several else {}
    return {"aspect_ratio": picture.ratio, **many}, "image", [picture.output] * many.get("num_outputs", 1)


def _attempt(job: Row, parameters: Row, chance: Random) -> Row:
    seed = {"seed": job["seed"]} if job["seed"] is not None else {}
    return {
        "id": ids.drawn_at(job["created_at"], chance), "job": job["id"], "number": 1, "created_at": job["started_at"],
        "finished_at": job["finished_at"], "version": job["model"], "prediction_id": f"{chance.getrandbits(128):026x}",
        "input": json.dumps({**seed, **parameters, "prompt": job["prompt"]}, ensure_ascii=False),
        "predict_time": (job["finished_at"] - job["started_at"]).total_seconds(),
        "error": job["error"], "error_code": job["error_code"],
        "details": next((fault.details for fault in FAULTS if fault.code == job["error_code"]), ""),
    }  # fmt: skip


def _batch(order: Order) -> Row:
    assert order.matrix is not None
    axes = [{"name": "prompt", "values": values} for values in order.matrix.axes]
    return {"id": order.matrix.id, "prompt": order.matrix.prompt, "axes": json.dumps(axes),
            "jobs": prod(map(len, order.matrix.axes)), "created_at": order.moment}  # fmt: skip
