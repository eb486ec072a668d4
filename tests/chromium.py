"""The browser of the browser tests: an installed Chromium, or one that `python -m tests.chromium` installs."""

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

HEADLESS_SHELL = "chromium-headless-shell"  # Chromium without a window: a page costs it a third of the processor time
NAMES = (HEADLESS_SHELL, "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
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
    if os.environ.get("CHROMIUM") or shutil.which(HEADLESS_SHELL):
        return
    if _is_root_on_debian():
        print("Installing Chromium for the browser tests ...", flush=True)
        if _apt_installs_it():
            return
    if not find() and not _playwright_has_one():
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
    apt = ["apt-get", "-qq", "-o", "DPkg::Lock::Timeout=60", "-o", "Acquire::Retries=0"]
    apt += ["-o", "Acquire::http::Timeout=10", "-o", "Acquire::https::Timeout=10"]
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    install = ["install", "-y", "--no-install-recommends", HEADLESS_SHELL]
    for words in (install, ["update"], install):
        subprocess.run([*apt, *words], env=quiet, stdin=subprocess.DEVNULL, capture_output=True)
        if shutil.which(HEADLESS_SHELL):
            return True
    return False


if __name__ == "__main__":
    install()
