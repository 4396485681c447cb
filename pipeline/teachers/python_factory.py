"""A teacher written in Python: `module:factory`, where `factory(device)` gives an object that is a PoseNetwork."""

import importlib
import os
import sys

from cache_tools.geometry import frame_of
from student.pose_network import PoseNetwork

REQUIRED = ("name", "digest", "licence", "input_size", "heatmap_size", "frame", "sigma")


def call_factory(module: str, factory: str, device: str) -> PoseNetwork:
    """The teacher that `factory(device)` of `module` gives; modules of the current folder are found as well.

    Raises ValueError where there is no such module or factory, or where the object lacks a part of the protocol.
    """
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        make = getattr(importlib.import_module(module), factory)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise  # the module is there; what it imports is not
        raise ValueError(
            f"teacher {module}:{factory}: there is no module {module!r} in {os.getcwd()} or installed"
        ) from error
    except AttributeError as error:
        raise ValueError(f"teacher {module}:{factory}: the module has no {factory!r}") from error
    teacher = make(device)
    missing = [name for name in REQUIRED if not hasattr(teacher, name)] + ([] if callable(teacher) else ["__call__"])
    if missing:
        raise ValueError(
            f"teacher {module}:{factory} lacks {', '.join(missing)}: see docs/own_teacher.py for a whole example"
        )
    frame_of(teacher.frame)
    return teacher
