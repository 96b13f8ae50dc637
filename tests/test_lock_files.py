"""The lock files say exactly what pyproject.toml asks for; `make lock` writes them."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PIN = re.compile(r"^(?P<name>[a-z0-9-]+)==(?P<version>[^ ]+)")


@dataclass
class Pin:
    """One locked package: its version, how many hashes it has, and which lines of pyproject.toml ask for it."""

    version: str
    hashes: int = 0
    asked_by: set[str] = field(default_factory=set)


def read_lock(name: str) -> dict[str, Pin]:
    pins: dict[str, Pin] = {}
    latest = Pin(version="")
    for line in (ROOT / name).read_text().splitlines():
        if match := PIN.match(line):
            latest = pins[match["name"]] = Pin(match["version"])
        elif "--hash=sha256:" in line:
            latest.hashes += 1
        elif "(pyproject.toml" in line:
            latest.asked_by.add(line.split("(pyproject.toml")[1].strip(":)"))
    return pins


def read_project() -> dict[str, list[str]]:
    """What pyproject.toml asks for, by the group that asks: "" is what running needs."""
    document = tomllib.loads((ROOT / "pyproject.toml").read_text())
    extras: dict[str, list[str]] = document["project"]["optional-dependencies"]
    groups: dict[str, list[str]] = document["dependency-groups"]
    return {"": document["project"]["dependencies"], **extras, **groups}


RUN = ("requirements.lock", ("", "build"))
EVERYTHING = ("requirements-dev.lock", tuple(read_project()))


@pytest.mark.parametrize(("name", "groups"), [RUN, EVERYTHING], ids=["run", "everything"])
def test_the_lock_pins_what_is_asked_for_and_nothing_that_no_longer_is(name: str, groups: tuple[str, ...]) -> None:
    pins = read_lock(name)
    project = read_project()
    asked = [Requirement(line) for group in groups for line in project[group]]

    for requirement in asked:
        pin = pins[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(pin.version, prereleases=True), (
            f"{requirement} is locked at {pin.version}"
        )
    assert {pin for pin in pins if pins[pin].asked_by} == {canonicalize_name(each.name) for each in asked}


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock"])
def test_every_pin_has_hashes(name: str) -> None:
    assert [pin for pin, locked in read_lock(name).items() if not locked.hashes] == []


def test_what_is_developed_with_is_what_runs() -> None:
    run, everything = read_lock("requirements.lock"), read_lock("requirements-dev.lock")

    assert {name: everything[name].version for name in run} == {name: pin.version for name, pin in run.items()}
