"""Whether Darkroom may start where other machines reach it: only with people who sign in, or if that is meant."""

import subprocess
import sys

from tasks.settings import ROOT, Settings


def access_refused(settings: Settings) -> int:
    """Return 0, or the exit code of the process that refused, with one line that says what to do.

    A process of its own asks the database whether there is a person: the caller does not load what that takes.
    """
    if settings.open_access or not settings.open_to_the_network:
        return 0
    return subprocess.run([sys.executable, "-m", "webapp", "web", "--check-access"], cwd=ROOT, check=False).returncode
