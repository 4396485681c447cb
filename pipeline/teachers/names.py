"""References: the text by which a network is named, as `--teacher` takes it.

vitpose-plus-{small,base,large,huge}, vitpose-base, ...   ViTPose weights of the Hugging Face hub
vitpose:FOLDER[?licence=...]                              the same from a local folder
  vitpose-...?compile=1, vitpose:FOLDER?compile=1         either, by torch.compile
onnx:FILE?frame=udp|stride                                any ONNX file
  &output=NAME, &output=simcc                             which of its outputs; SimCC vectors (simcc.py)
student:RUN                                               a student trained here
student:demo, student:legs                                those that come with kdcache: the demo's teacher; hip to ankle
module:factory                                            Python: `factory(device)` returns a PoseNetwork
  ?scale=1/255, ?activation=sigmoid|softmax               of the three kinds: how values become heatmaps (values.py)
oracle[?seconds_per_crop=...]                             peaks by a checksum of the crop, for tests and benchmarks
none                                                      blank maps: a store of crops and labels only
"""

import difflib
import os
from collections import Counter
from collections.abc import Iterable
from typing import Literal
from urllib.parse import parse_qsl, urlencode

from cache_tools.skeletons import built_in_names

Kind = Literal["vitpose", "onnx", "student", "python", "oracle", "none"]

VITPOSE_HUB = {
    name: f"usyd-community/{name}"
    for name in (
        "vitpose-plus-small", "vitpose-plus-base", "vitpose-plus-large", "vitpose-plus-huge",
        "vitpose-base", "vitpose-base-simple", "vitpose-base-coco-aic-mpii",
    )
}  # fmt: skip
VITPOSE_NOT_ON_HUB = {
    f"vitpose-{size}": f"the hub holds no classic ViTPose of size {size!r}: use vitpose-plus-{size}, or vitpose:FOLDER "
    "with weights that you converted to transformers' format"
    for size in ("small", "large", "huge")
}
#: of the students that come with kdcache: the name after `student:`
BUNDLED = ("demo", "legs")


def kind_of(reference: str) -> tuple[Kind, str]:
    """Return the kind of network that a reference names and what it says of it: a name or a path, and options.

    Raises ValueError, with similar names, for a reference of no kind; whether files and modules exist is found out when
    the network is loaded.
    """
    name = reference.partition("?")[0]
    if name in VITPOSE_NOT_ON_HUB:
        raise ValueError(VITPOSE_NOT_ON_HUB[name])
    if name in VITPOSE_HUB:
        return "vitpose", reference
    if name == "oracle":
        return "oracle", reference
    if name == "none":
        return "none", reference
    kind, _, rest = reference.partition(":")
    if not (kind and rest):
        raise ValueError(_unknown(reference))
    if kind == "vitpose":
        return "vitpose", rest
    if kind == "onnx":
        return "onnx", rest
    if kind == "student":
        return "student", rest
    return "python", reference


def absolute_reference(reference: str) -> str:
    """Return a reference to the same network that is valid in a process with another working directory."""
    kind, _, rest = reference.partition(":")
    path, mark, query = rest.partition("?")
    if kind not in ("onnx", "student", "vitpose") or path in ("", *BUNDLED):
        return reference
    options = dict(parse_qsl(query, keep_blank_values=True))
    skeleton = options.get("skeleton")
    if skeleton is not None and skeleton not in built_in_names():
        query = urlencode(options | {"skeleton": os.path.abspath(skeleton)}, safe="/")
    return f"{kind}:{os.path.abspath(path)}{mark}{query}"


def options_of(reference: str, known: Iterable[str]) -> tuple[str, dict[str, str]]:
    """Return what is before the `?` of a reference and the options after it.

    Raises ValueError for an unknown option and for one that is stated twice.
    """
    name, _, query = reference.partition("?")
    stated = parse_qsl(query, keep_blank_values=True)
    counts = Counter(option for option, _ in stated)
    if twice := [option for option, count in counts.items() if count > 1]:
        raise ValueError(f"teacher {reference}: {', '.join(twice)} is there more than once: state it once")
    options = dict(stated)
    if unknown := set(options) - set(known):
        expected = f"expected {', '.join(known)}" if known else "it takes no options"
        raise ValueError(f"teacher {reference}: unknown {', '.join(sorted(unknown))}: {expected}")
    return name, options


def _unknown(reference: str) -> str:
    """Return the error message for a reference that names no network."""
    names = [*VITPOSE_HUB, *(f"student:{name}" for name in BUNDLED), "oracle", "none"]
    near = difflib.get_close_matches(reference, names, n=2)
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    return (
        f"unknown teacher {reference!r}: {hint}expected {', '.join(names)}, vitpose:FOLDER, "
        "onnx:FILE?frame=udp|stride, student:RUN or module:factory"
    )
