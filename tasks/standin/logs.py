"""The logs that models print while they run: tqdm's progress bars, or the few words of partner models."""

from tasks.standin import outputs
from tasks.standin.predictions import SECOND, Record

BLOCKS = " ▏▎▍▌▋▊▉"


def logs(record: Record, now: int) -> str:
    """Return everything that the model has printed by `now`."""
    if now < record.started:
        return ""
    share = min(1.0, (now - record.started) / max(1, record.ended - record.started))
    lines = [*_opening(record), *_progress(record, share), *(_closing(record) if share >= 1 else [])]
    return "\n".join(lines) + "\n"


def _opening(record: Record) -> list[str]:
    seed = f"Using seed: {record.seed}"
    match record.model:
        case "stability-ai/sdxl":
            mode = "img2img mode" if record.input.get("image") else "txt2img mode"
            return [seed, f"Prompt: {outputs.value(record, 'prompt')}", mode]
        case "black-forest-labs/flux-schnell":
            return ["running quantized prediction", "generating", seed]
        case "meta/musicgen":
            return [seed]
        case "minimax/hailuo-02":
            return ["Moderating content...", "Generating video...", seed]
        case _:
            return ["Generating image...", seed]


def _progress(record: Record, share: float) -> list[str]:
    if record.model == "minimax/hailuo-02":
        return ["Still generating..."] * int(share * 4)
    total = int(outputs.value(record, "num_inference_steps") or 0)
    if record.model == "meta/musicgen":
        total = int(outputs.value(record, "duration") or 8) * 50  # the codec's 50 frames a second
    if not total:
        return []
    stride = max(1, total // 12)
    done = int(total * share)
    elapsed = share * record.run
    steps = [*range(0, done, stride), done]
    return [_bar(step, total, elapsed * step / max(1, done)) for step in steps]


def _bar(step: int, total: int, elapsed: float) -> str:
    eighths = round(80 * step / total)
    bar = ("█" * (eighths // 8) + (BLOCKS[eighths % 8] if eighths % 8 else "")).ljust(10)
    rate = step / elapsed if elapsed else 0
    speed = f"{rate:5.2f}it/s" if rate else "?it/s"
    left = f"{_clock((total - step) / rate)}" if rate else "?"
    return f"{100 * step // total:3d}%|{bar}| {step}/{total} [{_clock(elapsed)}<{left}, {speed}]"


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60:02d}:{int(seconds) % 60:02d}"


def _closing(record: Record) -> list[str]:
    if record.error is not None:
        return ["Traceback (most recent call last):", record.error]
    if record.model == "black-forest-labs/flux-schnell":
        return [f"Total safe images: {outputs.count(record)} out of {outputs.count(record)}"]
    if record.model == "minimax/hailuo-02":
        return [f"Generated video in {(record.ended - record.started) / SECOND:.1f}sec"]
    return []
