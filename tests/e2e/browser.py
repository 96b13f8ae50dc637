"""Chromium, where this machine has it: it looks at a page and says what became of it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

NAMES: Final = ("chromium", "chromium-browser", "google-chrome")
SECONDS_MAX: Final = 90
QUIET: Final = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--allow-file-access-from-files",
)


def chromium() -> str:
    """Its command; skips the test where there is none, which `make test` installs where it may."""
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip("NO CHROMIUM ON THIS MACHINE: pages are not looked at; install Debian's package chromium")
    return found


def look(page: Path, profile: Path, *options: str) -> str:
    """The page's document after its scripts have run."""
    command = [chromium(), *QUIET, f"--user-data-dir={profile}", "--dump-dom", *options, page.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS_MAX, check=True)
    return done.stdout
