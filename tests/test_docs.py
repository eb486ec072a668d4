"""The tree in docs/architecture.md and the list of vendored files, compared with the actual files."""

import re
from hashlib import sha256
from pathlib import Path

import pytest

from tasks.settings import ROOT

ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text()
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
VENDOR = ROOT / "static" / "vendor"
ICONS = set(re.findall(r'<symbol id="([^"]+)"', (VENDOR / "icons.svg").read_text()))


def _modules(folder: str) -> set[str]:
    """Return the packages and modules directly in a folder."""
    return {path.name for path in (ROOT / folder).iterdir() if path.is_dir() or path.suffix == ".py"} - {
        "__init__.py",
        "__pycache__",
    }


@pytest.mark.parametrize("folder", ["tasks", "webapp"])
def test_the_tree_of_the_docs_names_every_package_and_no_other(folder: str) -> None:
    part = ARCHITECTURE.partition(f"├── {folder}/")[2].partition("\n├── ")[0]
    named = re.findall(r"(\w+)/ |(\w+\.py)", part)
    assert {name or file for name, file in named if name != "xmp"} == _modules(folder)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_of_the_docs_leads_somewhere(page: Path) -> None:
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)", page.read_text()):
        linked = (page.parent / target) if target else page
        assert linked.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", linked.read_text(), re.MULTILINE)
            assert anchor in [re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings]


def test_vendored_files_are_those_that_were_pinned() -> None:
    lines = [line.split() for line in (VENDOR / "checksums.txt").read_text().splitlines()]
    pinned = {name: checksum for checksum, name in lines}
    files = {path.name: sha256(path.read_bytes()).hexdigest() for path in VENDOR.iterdir()}
    assert {name: files[name] for name in files if name not in ("README.md", "checksums.txt")} == pinned
    rows = dict(re.findall(r"^\| ([\w.-]+) \|.*`([0-9a-f]{64})`", (VENDOR / "README.md").read_text(), re.MULTILINE))
    assert rows.items() <= pinned.items()
    assert {name for name in pinned if not name.endswith(".txt")} == set(rows)


def test_every_icon_of_the_sprite_is_listed_and_drawn_and_every_one_that_is_drawn_is_in_it() -> None:
    listed = re.search(r"one sprite: (.*?) \|", (VENDOR / "README.md").read_text())
    assert listed is not None
    assert set(listed[1].split(", ")) == ICONS
    templates = "".join(path.read_text() for path in (ROOT / "templates").rglob("*.html"))
    assert set(re.findall(r"icon\('([^']+)'\)", templates)) <= ICONS
    scripts = "".join(path.read_text() for path in (ROOT / "static" / "js").rglob("*.js"))
    assert {name for name in ICONS if not re.search(rf"""['"]{name}['"]""", templates + scripts)} == set()
