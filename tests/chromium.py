"""The browser of the browser tests: an installed Chromium, or one that `python -m tests.chromium` installs."""

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
    """Return the path of the Chromium in CHROMIUM, else of an installed one. None stands for Playwright's own."""
    named = os.environ.get("CHROMIUM")
    if named:
        return named
    found = next(filter(None, map(shutil.which, NAMES)), None)
    return found or (str(ON_MACOS) if ON_MACOS.exists() else None)


def install() -> None:
    """Install a Chromium unless there is one: the distribution's where we may install it, else Playwright's."""
    if find() or _playwright_has_one():
        return
    print("Installing Chromium for the browser tests ...", flush=True)
    if not (_is_root_on_debian() and _apt_installs_it()):
        subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], check=True)


def _playwright_has_one() -> bool:
    with sync_playwright() as playwright:
        return Path(playwright.chromium.executable_path).exists()


def _is_root_on_debian() -> bool:
    """Return whether this is root on Debian.

    Ubuntu does not count: its package only installs a snap, which does not run in containers.
    """
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
