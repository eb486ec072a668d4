"""The browser of the browser tests: one that is there, or one installed by `python -m tests.chromium`."""

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ON_MACOS = Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome")


def find() -> str | None:
    """The path of a Chromium: what CHROMIUM names, else one that is installed. None leaves it to Playwright's own."""
    named = os.environ.get("CHROMIUM")
    if named:
        return named
    found = next(filter(None, map(shutil.which, NAMES)), None)
    return found or (str(ON_MACOS) if ON_MACOS.exists() else None)


def install() -> None:
    """Have a Chromium here: nothing to do, or the distribution's where we may install it, else Playwright's."""
    if find() or _playwright_has_one():
        return
    print("Installing Chromium for the browser tests ...", flush=True)
    if not (_is_root_on_debian() and _apt_installs_it()):
        subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], check=True)


def _playwright_has_one() -> bool:
    with sync_playwright() as playwright:
        return Path(playwright.chromium.executable_path).exists()


def _is_root_on_debian() -> bool:
    """Ubuntu does not count: its package only installs a snap, which does not run in containers."""
    return os.getuid() == 0 and platform.system() == "Linux" and platform.freedesktop_os_release().get("ID") == "debian"


def _apt_installs_it() -> bool:
    apt = ["apt-get", "-qq", "-o", "DPkg::Lock::Timeout=60"]
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for words in (["update"], ["install", "-y", "--no-install-recommends", "chromium"]):
        done = subprocess.run([*apt, *words], env=quiet, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        if done.returncode:
            return False
    return find() is not None


if __name__ == "__main__":
    install()
