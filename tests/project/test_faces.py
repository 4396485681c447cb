"""The face of each room: every name that it exports is there, whatever was imported before."""

import importlib
import pkgutil
import subprocess
import sys
from types import ModuleType

import pytest

PACKAGES = ("cache_tools", "student", "pipeline")


def rooms() -> list[str]:
    """Return the names of the packages, and of the packages in them."""
    found = list(PACKAGES)
    for package in PACKAGES:
        path = importlib.import_module(package).__path__
        found += [module.name for module in pkgutil.walk_packages(path, f"{package}.") if module.ispkg]
    return found


@pytest.mark.parametrize("room", rooms())
def test_exported_names_are_not_hidden_by_modules(room: str) -> None:
    """`from room import name` would give the module `room.name` once that was imported, if both had one name."""
    face = importlib.import_module(room)
    modules = [module.name for module in pkgutil.iter_modules(face.__path__, f"{room}.")]
    for module in modules:
        importlib.import_module(module)
    for name in getattr(face, "__all__", []):
        value = getattr(face, name)
        assert not isinstance(value, ModuleType) or value.__name__ not in modules, name


@pytest.mark.parametrize(
    "room",
    [
        "cache_tools.photos", "pipeline.building", "pipeline.fidelity",
        "pipeline.evaluation", "pipeline.persons", "pipeline.costs", "pipeline.report", "pipeline.hka",
        "student.models", "student.heatmaps", "student.batches", "student.export",
    ],
)  # fmt: skip
def test_a_heavy_room_is_imported_only_when_it_is_used(room: str) -> None:
    code = f"import sys, {room}; print(*sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True).stdout
    assert not {"torch", "numpy", "pydantic", "pycocotools", "cv2", "matplotlib"} & set(out.split())
