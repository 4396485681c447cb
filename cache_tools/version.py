"""Versions of what a file was written with; that of kdcache also from a checkout that is not installed."""

import platform
import tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path


def version_of(distribution: str) -> str:
    """Return the version of an installed distribution; of kdcache, without one, that of the checkout.

    Raises PackageNotFoundError for another distribution that is not installed.
    """
    try:
        return version(distribution)
    except PackageNotFoundError:
        project = Path(__file__).parents[1] / "pyproject.toml"
        if distribution != "kdcache" or not project.is_file():
            raise
        return str(tomllib.loads(project.read_text())["project"]["version"])


def installed_versions() -> dict[str, str]:
    """Return the versions of what writes a store."""
    return {"python": platform.python_version()} | {p: version_of(p) for p in ("kdcache", "numpy", "zarr")}


__version__ = version_of("kdcache")
