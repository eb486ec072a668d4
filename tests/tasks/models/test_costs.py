"""What a run cost, to the micro-dollar: by what Replicate measured, by time, and by what was requested."""

from datetime import date
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.models import costs, prices
from tasks.models.costs import Basis, Cost, dollars, usd
from tasks.models.tariffs import Charge, Price, Tier
from tasks.models.usage import expected

pytestmark = pytest.mark.once

FLUX, HAILUO, VEO = "black-forest-labs/flux-schnell", "minimax/hailuo-02", "google/veo-3.1"


def cost(model: str, metrics: dict[str, Any], given: dict[str, Any] | None = None, succeeded: bool = True) -> Cost:
    price = prices.shipped(model)
    assert price is not None
    found = costs.of_run(price, metrics, expected(given or {}, {}), succeeded)
    assert found is not None
    return found


def by_time(dollars_per_second: str) -> Price:
    charge = Charge("predict_time", Fraction(dollars_per_second) * 1_000_000, 1, "")
    return Price((Tier((charge,)),), "", date(2026, 10, 1))


@pytest.mark.parametrize(
    ("model", "metrics", "given", "micros"),
    [
        (FLUX, {"image_output_count": 4}, {}, 12_000),  # $3 per thousand
        (FLUX, {"image_count": 4}, {}, 12_000),  # its older name
        ("google/nano-banana-2", {"image_output_count": 1}, {"resolution": "2K"}, 101_000),
        (HAILUO, {"video_output_count": 1}, {"resolution": "768p", "duration": 10}, 450_000),
        (VEO, {"video_output_duration_seconds": 8, "with_audio": True}, {}, 3_200_000),
        (VEO, {"video_output_duration_seconds": 8, "with_audio": False}, {}, 1_600_000),
        (VEO, {"video_output_duration_seconds": 5, "with_audio": False}, {"duration": 8}, 1_000_000),  # what was billed
        ("nightmareai/real-esrgan", {"predict_time": 1.5}, {}, 2_000),
        ("851-labs/background-remover", {}, {}, 440),
    ],
)
def test_a_run_costs_what_replicate_measured(
    model: str, metrics: dict[str, Any], given: dict[str, Any], micros: int
) -> None:
    assert (cost(model, metrics, given).micros, cost(model, metrics, given).basis) == (micros, Basis.METRICS)


def test_what_replicate_did_not_measure_is_taken_from_the_input() -> None:
    found = cost(FLUX, {"predict_time": 1.0}, {"num_outputs": 3})
    assert (found.micros, found.basis) == (9_000, Basis.INPUT)


def test_several_charges_are_added_up_before_anything_is_rounded() -> None:
    used = {"image_output_pixel_count": 1_048_576, "image_input_pixel_count": 0}
    assert cost("black-forest-labs/flux-2-pro", used).micros == 15_000 + 15_729  # 15,728.64


@pytest.mark.parametrize(("seconds", "micros"), [(72.5, 70_688), (0.1, 98), (0, 0), (1e-07, 0)])
def test_a_model_that_is_charged_by_time_costs_its_seconds(seconds: float, micros: int) -> None:
    found = costs.of_run(by_time("0.000975"), {"predict_time": seconds}, {}, True)
    assert found is not None
    assert (found.micros, found.basis) == (micros, Basis.TIME)


def test_a_run_without_a_result_is_charged_only_for_its_compute() -> None:
    assert cost(FLUX, {"predict_time": 3.0}, {"num_outputs": 4}, succeeded=False).micros == 0
    assert cost("851-labs/background-remover", {}, {}, succeeded=False).micros == 0
    found = costs.of_run(by_time("0.001"), {"predict_time": 3.0}, {}, False)
    assert found is not None
    assert found.micros == 3_000


@pytest.mark.parametrize("metrics", [{}, {"predict_time": None}, {"predict_time": "soon"}, {"predict_time": -1}])
def test_a_cost_that_is_not_known_is_not_zero(metrics: dict[str, Any]) -> None:
    assert costs.of_run(by_time("0.001"), metrics, {}, True) is None
    assert costs.of_run(by_time("0.001"), {"predict_time": 10**14}, {}, True) is None


@pytest.mark.parametrize(
    ("micros", "words"),
    [(0, "$0.00"), (3_000, "$0.003"), (100_000, "$0.10"), (12_345_678, "$12.345678"), (-50_000, "-$0.05")],
)
def test_an_amount_in_dollars(micros: int, words: str) -> None:
    assert usd(micros) == words
    assert dollars(micros) == words.replace("$", "")


def test_where_no_tier_fits_the_cost_is_not_known() -> None:
    price = prices.shipped(HAILUO)
    assert price is not None
    assert costs.of_run(price, {}, expected({"resolution": "8k", "duration": 6}, {}), True) is None


@given(st.floats(0, 1e6), st.floats(0, 1e6))
def test_two_runs_cost_as_much_as_one_of_their_time_but_for_the_rounding(one: float, other: float) -> None:
    def micros(seconds: Fraction) -> int:
        return costs.rounded(by_time("0.000975").tiers[0].amount({"predict_time": 1}) * seconds)

    apart = micros(Fraction(one)) + micros(Fraction(other))
    assert abs(apart - micros(Fraction(one) + Fraction(other))) <= 1
