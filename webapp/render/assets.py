"""Static files. A page's style sheet is its files in one, and so is the script of pages that are live.

Each file that a page needs keeps a phone waiting: browsers ask for six at a time, and for pictures last.
"""

import re

import rjsmin

from tasks.settings import ROOT

STATIC = ROOT / "static"

PAGES = {
    "gallery": (
        "composer",
        "composer_bar",
        "prompts",
        "search_bar",
        "suggestions",
        "filter_panel",
        "view_menu",
        "sheet",
        "timeline",
        "paper",
        "card",
        "sound",
        "player",
        "marks",
        "cells",
        "selection",
        "matrix",
        "transitions",
        "controls",
        "presets",
        "picker",
        "queue",
        "ratios",
        "list",
    ),
    "job": (
        "paper",
        "job",
        "actions",
        "sound",
        "player",
        "curation",
        "selection",
        "neighbors",
        "transitions",
        "lineage",
        "queue",
        "ratios",
    ),
    "batch": (
        "paper",
        "card",
        "sound",
        "player",
        "marks",
        "cells",
        "selection",
        "batch",
        "transitions",
        "queue",
        "ratios",
    ),
    "compare": ("paper", "compare", "ratios"),
    "account": ("accounts",),
    "people": ("accounts",),
    "models": ("models",),
    "operate": ("paper", "operate"),
    "queue": ("paper", "queue"),
    "prices": ("spend",),
    "settings": ("accounts", "settings"),
    "sign_in": ("accounts",),
    "spend": ("spend",),
    "webhooks": ("accounts", "webhooks"),
    "welcome": ("accounts",),
    "collections": ("collections", "selection", "ratios"),
    "done": ("selection",),
    "error": ("error",),
    "filter": ("search_bar", "filter_panel"),
    "docs": (),
}
"""The files of each page after `tokens` and `base`, which all pages have, in the order of the cascade."""

SHEETS = {
    f"pages/{page}.css": [STATIC / f"css/{name}.css" for name in ("tokens", "base", *names)]
    for page, names in PAGES.items()
}
"""The files of each sheet, by its path below /static/: as deep as the files, so that their ../ addresses work."""

SCRIPT = "js/live_page.js"
"""The path of the script of pages that are live: where its modules are, so that their ./ addresses work."""

MODULES = (
    "stored", "clicks", "session", "windowing", "days", "view", "queue", "arrivals", "frames", "live", "scrolling",
    "search_bar", "suggestions", "filter_panel", "place", "timeline", "connection", "develop", "announce", "notice",
    "busy", "pictures", "notes", "copy", "folds", "bottom_bars", "composer_bar", "keys/names", "composer", "times",
    "media", "player", "hover", "cells", "marks", "selection", "undo", "matrix", "lightbox", "uses", "keys/grid",
    "keys/notify", "keys", "transitions", "controls", "sizes", "presets", "memory", "picker", "prompts", "draft",
    "inputs",
)  # fmt: skip
"""The modules of this script in the order in which they run, each after those that it imports.

Modules that are imported on first use are not among them. They get from these, as arguments, what has a state: if they
imported it, there would be two of it.
"""

NOTES = re.compile(r"/\*.*?\*/\s*|^\s+", re.DOTALL | re.MULTILINE)
"""The comments and indents of a style sheet. What minifiers do beyond that changes selectors such as `a :is(b)`."""
RUN = "const run = (module) => { try { return module(); } catch (error) { reportError(error); return {}; } };\n"
"""Runs a module. As with modules in files of their own, an error in one does not stop the others."""
IMPORT = re.compile(r'^import (?:\{[^}]*\} from )?"[^"]*";\n', re.MULTILINE)
EXPORT = re.compile(r"^export (?=(?:async )?(?:function\*?|class|const) (\w+))", re.MULTILINE)

PATHS = frozenset(
    {path.relative_to(STATIC).as_posix() for path in STATIC.rglob("*") if path.is_file()} | {*SHEETS, SCRIPT}
)
"""The paths of all files, below /static/."""


def content(path: str) -> bytes:
    """Return the bytes of a file. path: one of PATHS. What is put together is without comments and indents."""
    if path == SCRIPT:
        return str(rjsmin.jsmin(_script())).encode()
    if path in SHEETS:
        return NOTES.sub("", "".join(file.read_text() for file in SHEETS[path])).encode()
    return (STATIC / path).read_bytes()


def _script() -> str:
    """Return MODULES as one module, in which each is a function that returns what it exports."""
    runs, exported = [], []
    for name in MODULES:
        text = (STATIC / f"js/{name}.js").read_text()
        names = EXPORT.findall(text)
        listed, body = ", ".join(names), EXPORT.sub("", IMPORT.sub("", text))
        runs.append(f"const {{ {listed} }} = run(() => {{\n{body}return {{ {listed} }};\n}});\n")
        exported += names
    return f"{RUN}{''.join(runs)}export {{ {', '.join(exported)} }};\n"
