"""Progress bars in the form that models print."""

import pytest

from tasks.predictions.progress import progress

pytestmark = pytest.mark.once

SDXL = """Using seed: 42069
Prompt: a studio photo of a rainbow colored corgi
txt2img mode
  0%|          | 0/50 [00:00<?, ?it/s]
  4%|▍         | 2/50 [00:00<00:02, 16.47it/s]
 12%|█▏        | 6/50 [00:00<00:02, 16.60it/s]
"""


@pytest.mark.parametrize(
    ("logs", "expected"),
    [
        (None, None),
        ("", None),
        ("Generating video...\nStill generating...\n", None),
        ("Reduced the price by 20%| no bar", None),
        (SDXL, 0.12),
        ("  0%|  | 0/4 [00:00<?]\r 50%|██  | 2/4 [00:01<00:01]", 0.5),
        ("Loading weights:  75%|███████▌  | 3/4 [00:01<00:00]", 0.75),
        (" 10%|█         | 1.2k/12k [00:01<00:09]", 0.1),
        ("100%|████| 4/4 [00:01<00:00]", 1.0),
        ("999%|████| 4/4 [00:01<00:00]", 1.0),
    ],
)
def test_the_last_bar_tells_how_far_it_is(logs: str | None, expected: float | None) -> None:
    assert progress(logs) == expected


def test_long_logs_are_read_from_their_end() -> None:
    assert progress("x" * 100_000 + "\n 40%|████      | 2/5 [00:00<00:00]") == 0.4
