"""The plots next to results.md: Darkroom compared with the reference, and memory over many jobs."""

from pathlib import Path
from textwrap import fill

import matplotlib as mpl
from matplotlib.figure import Figure as Plot

from tests.bench.figures import Figure
from tests.bench.report import PLOTS
from tests.bench.results import Results

OWN, TARGET, LINES = "#b3541e", "#444444", ("#b3541e", "#2f6f8f", "#6b8f2f")
STYLE = {
    "svg.hashsalt": "darkroom", "svg.fonttype": "none", "font.size": 9,
    "axes.spines.top": False, "axes.spines.right": False,
}  # fmt: skip
TICKS = (0.5, 1, 2, 5, 10, 20, 50)


def draw(results: Results, folder: Path) -> None:
    """Draw the plots that there are figures for, as SVG."""
    mpl.rcParams.update(STYLE)
    beside, courses = PLOTS
    compared = [figure for figure in results.figures if figure.reference]
    measured = [figure for figure in results.figures if figure.course]
    for name, plot in ((beside, _beside(compared)), (courses, _courses(measured))):
        if plot is not None:
            plot.savefig(folder / name, format="svg", metadata={"Date": None})


def _beside(figures: list[Figure]) -> Plot | None:
    """Return a bar chart of how many times as good as the reference each figure is, with a tick at the target."""
    if not figures:
        return None
    plot = Plot(figsize=(8, 0.7 + 0.32 * len(figures)), layout="constrained")
    axes = plot.subplots()
    places = range(len(figures), 0, -1)
    times = [figure.times("reference") for figure in figures]
    axes.barh(places, [value - 1 for value in times], left=1, color=OWN, height=0.6)
    for place, figure, value in zip(places, figures, times, strict=True):
        axes.annotate(f" {value:.2g}", (max(value, 1), place), va="center")
        for target in figure.targets:
            if target.of == "reference":
                axes.plot([target.bound] * 2, [place - 0.4, place + 0.4], color=TARGET, linewidth=1.5)
    axes.axvline(1, color=TARGET, linewidth=0.8)
    axes.set_xscale("log")
    axes.set_xticks(TICKS, [f"{tick:g}" for tick in TICKS])
    axes.minorticks_off()
    axes.set_xlim(min(0.5, 0.8 * min(times)), 1.5 * max(*times, 8))
    axes.set_yticks(list(places), [f"{figure.part}: {figure.what} ({figure.database})" for figure in figures])
    axes.set_xlabel("times the reference; | is the target")
    return plot


def _courses(figures: list[Figure]) -> Plot | None:
    """Return a plot for each figure: its memory as the measurement proceeds."""
    if not figures:
        return None
    plot = Plot(figsize=(8, 2.4), layout="constrained")
    for axes, figure, colour in zip(plot.subplots(1, len(figures), squeeze=False)[0], figures, LINES, strict=False):
        axes.plot(*zip(*figure.course, strict=True), color=colour)
        axes.set_ylim(0, 1.2 * max(size for _, size in figure.course))
        axes.set_title(fill(figure.what.partition(":")[0], 28), fontsize=9)
    plot.supylabel("MiB")
    return plot
