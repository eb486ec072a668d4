"""The style sheet of each page: its files from static/css in one, because each extra file keeps a phone waiting."""

from tasks.settings import ROOT

STATIC = ROOT / "static"

PAGES = {
    "gallery": (
        "composer",
        "search_bar",
        "sheet",
        "paper",
        "card",
        "marks",
        "selection",
        "matrix",
        "transitions",
        "controls",
        "picker",
        "ratios",
    ),
    "job": ("paper", "job", "curation", "selection", "neighbors", "transitions", "lineage", "ratios"),
    "batch": ("paper", "card", "marks", "selection", "batch", "transitions", "ratios"),
    "compare": ("paper", "compare", "ratios"),
    "collections": ("collections", "selection", "ratios"),
    "done": ("selection",),
    "error": ("error",),
    "docs": (),
}
"""The files of each page after `tokens` and `base`, which all pages have, in the order of the cascade."""

SHEETS = {
    f"pages/{page}.css": [STATIC / f"css/{name}.css" for name in ("tokens", "base", *names)]
    for page, names in PAGES.items()
}
"""The files of each sheet, by its path below /static/: as deep as the files, so that their ../ addresses work."""
