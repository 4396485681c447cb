"""A teacher written in Python: `module:factory`, where `factory(device)` returns a PoseNetwork."""

import importlib
import os
import sys

from cache_tools.geometry import frame_of
from pipeline.teachers.names import options_of
from pipeline.teachers.values import VALUE_OPTIONS, Rescaled, Values
from student.pose_network import PoseNetwork

#: what a PoseNetwork has; `skeleton` and `joints` may be left out
REQUIRED = ("name", "digest", "licence", "input_size", "heatmap_size", "frame", "sigma")


def call_factory(reference: str, device: str) -> PoseNetwork:
    """Return the network that the factory of a reference makes; modules of the current folder are found as well.

    Options after a `?` say how its values become heatmaps (pipeline/teachers/values.py).
    Raises ValueError for a missing module or factory, for an object that lacks a part of the protocol and for an
    unknown frame.
    """
    name, options = options_of(reference, VALUE_OPTIONS)
    values = Values.of(reference, options)
    module, _, factory = name.partition(":")
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        make = getattr(importlib.import_module(module), factory)
    except ModuleNotFoundError as error:
        # the module may exist and import another one that does not
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise
        raise ValueError(f"teacher {reference}: there is no module {module!r} in {os.getcwd()} or installed") from error
    except AttributeError as error:
        raise ValueError(f"teacher {reference}: the module has no {factory!r}") from error
    network: PoseNetwork = make(device)
    missing = [name for name in REQUIRED if not hasattr(network, name)]
    if not callable(network):
        missing.append("__call__")
    if missing:
        raise ValueError(f"teacher {reference} lacks {', '.join(missing)}: see docs/own_teacher.py for a whole example")
    frame_of(network.frame)
    for name in ("skeleton", "joints"):
        if not hasattr(network, name):
            setattr(network, name, None)
    return Rescaled(network, values) if options else network
