"""The versions that pyproject.toml allows, and those that the tests were run with, on CPUs, on 2026-11-27.

newest: Python 3.11.7, torch 2.14.1, torchvision 0.29.1, numpy 2.4.6, timm 1.0.31, transformers 5.23.0: everything, as
constraints.txt has it.
lowest: Python 3.12.1, torch 2.8.0 (its CUDA 12.8 build, without a GPU), torchvision 0.23.0, numpy 2.0.2, timm 1.0.22,
transformers 5.0.0, scipy 1.14.1, OpenCV 4.10, zarr 3.1.6: benchmarks/device.py --size test (it trains, resumes and
builds), and tests/student without the package of Lite0's weights, from a checkout that is not installed.
Python 3.13.0 with the newest of all else (torch 2.14.1's CUDA 13 build, without a GPU): everything installs;
tests/student and tests/cache_tools, and on 2026-11-28, with kdcache installed, tests/pipeline but those in a browser,
of services and of the whole workflow.
On 2026-11-28, Python 3.12.3, torch 2.11.0 with CUDA 13.0 on an H100, torchvision 0.26.0, timm 1.0.29, transformers
5.17.0, numpy 2.5.2: the tests marked gpu but the last one, and benchmarks/device.py in part (docs/h100.md).
"""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LOWEST = {"torch": "2.8", "torchvision": "0.23", "timm": "1.0.22", "transformers": "5.0", "numpy": "2.0"}


def requirements() -> dict[str, str]:
    """Return each requirement's specifier by name, of all extras but those of developers."""
    extras = PROJECT["optional-dependencies"]
    lines = [*PROJECT["dependencies"], *(line for name in extras if name != "dev" for line in extras[name])]
    return {re.split(r"[\[<>=! ]", line)[0]: line for line in lines}


@pytest.mark.parametrize("name", LOWEST)
def test_the_lowest_version_is_one_that_was_run(name: str) -> None:
    assert requirements()[name] == f"{name}>={LOWEST[name]}"


@pytest.mark.parametrize("name", ["torch", "torchvision", "timm", "transformers", "numpy"])
def test_no_newer_version_is_excluded(name: str) -> None:
    """A laboratory's CUDA image has the version that it has."""
    assert not re.search(r"<|==|~=|!=", requirements()[name])


def test_the_pythons_are_named() -> None:
    assert PROJECT["requires-python"] == ">=3.11"
    for version in ("3.11", "3.12", "3.13"):
        assert f"Programming Language :: Python :: {version}" in PROJECT["classifiers"]
