"""Teachers: anything that turns crops into heatmaps, behind one small protocol, found by a reference.

vitpose-plus-{small,base,large,huge}, vitpose-base, ...   ViTPose weights of the Hugging Face hub
vitpose:FOLDER[?licence=...]                              the same from a local folder
  vitpose-...?compile=1, vitpose:FOLDER?compile=1         either, by torch.compile
onnx:FILE?frame=udp|stride                                any ONNX file
student:RUN, student:demo                                 a student trained here; the small one that comes with kdcache
module:factory                                            Python: `factory(device)` gives an object that is a Teacher
none                                                      blank maps: a store of crops and labels alone
"""

import difflib
import hashlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol
from urllib.parse import parse_qsl

import numpy as np
from numpy.typing import NDArray

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

Crops = NDArray[np.uint8]  # (B, height, width, 3) RGB
Maps = NDArray[np.float32]  # (B, 17, cells down, cells across)


class Teacher(Protocol):
    """What a store must know of a teacher, and its one act. Sizes are (height, width)."""

    @property
    def name(self) -> str: ...
    @property
    def digest(self) -> str: ...  # sha256 over weights and preprocessing: equal exactly when the teachers are
    @property
    def licence(self) -> str: ...
    @property
    def input_size(self) -> tuple[int, int]: ...
    @property
    def heatmap_size(self) -> tuple[int, int]: ...
    @property
    def frame(self) -> str: ...  # "udp" or "stride": where a heatmap cell lies in the crop, see cache_tools/geometry.py
    @property
    def sigma(self) -> float: ...  # of its peaks, in heatmap cells
    def __call__(self, crops: Crops, /) -> Maps: ...  # (B, H, W, 3) -> (B, 17, h, w)


class Flipped:
    """The flip test as a teacher: the average of a crop's maps and its mirrored crop's maps, mirrored back."""

    def __init__(self, teacher: Teacher) -> None:
        self.teacher = teacher
        self.name, self.licence = teacher.name, teacher.licence
        self.input_size, self.heatmap_size = teacher.input_size, teacher.heatmap_size
        self.frame, self.sigma = teacher.frame, teacher.sigma

    @property
    def digest(self) -> str:
        """The teacher's own; a store says beside it whether maps are averaged."""
        return self.teacher.digest

    def __call__(self, crops: Crops) -> Maps:
        """Heatmaps (B, 17, h, w) of crops (B, H, W, 3): two passes of the teacher."""
        from student.prediction import predict_heatmaps

        return predict_heatmaps(self.teacher, crops, flip=True)


def load_teacher(reference: str, device: str = "auto", flip: bool = False, threads: int | None = None) -> Teacher:
    """The teacher that `reference` names; its weights are read when it first sees a crop.

    device: auto, cpu, cuda or cuda:N. threads: of the CPU, None for the library's own choice.
    Raises ValueError for a reference that names nothing, FileNotFoundError for weights that are not there.
    """
    teacher = _find(reference, device, threads)
    return Flipped(teacher) if flip else teacher


def _find(reference: str, device: str, threads: int | None) -> Teacher:
    kind, _, rest = reference.partition(":")
    if reference == "none":
        from pipeline.teachers.blank import NoTeacher

        return NoTeacher()
    if reference in VITPOSE_NOT_ON_HUB:
        raise ValueError(VITPOSE_NOT_ON_HUB[reference])
    if reference.partition("?")[0] in VITPOSE_HUB or (kind == "vitpose" and rest):
        from pipeline.teachers.vitpose import VitPoseTeacher

        return VitPoseTeacher(rest or reference, device, threads)
    if kind == "onnx" and rest:
        from pipeline.teachers.onnx_file import OnnxTeacher

        return OnnxTeacher(rest, device, threads)
    if kind == "student" and rest:
        from pipeline.teachers.student_run import StudentTeacher

        return StudentTeacher(rest, device, threads)
    if rest and kind not in ("onnx", "student", "vitpose"):
        from pipeline.teachers.python_factory import call_factory

        return call_factory(kind, rest, device)
    raise ValueError(unknown_teacher(reference, [*VITPOSE_HUB, "student:demo"]))


def absolute_reference(reference: str) -> str:
    """The same teacher for a process that runs in another folder."""
    kind, _, rest = reference.partition(":")
    path, mark, query = rest.partition("?")
    if kind not in ("onnx", "student", "vitpose") or path in ("", "demo"):
        return reference
    return f"{kind}:{os.path.abspath(path)}{mark}{query}"


def options_of(reference: str, known: Iterable[str]) -> tuple[str, dict[str, str]]:
    """What a reference names and the options after its `?`; ValueError for an option that is none of `known`."""
    name, _, query = reference.partition("?")
    options = dict(parse_qsl(query))
    if unknown := set(options) - set(known):
        raise ValueError(f"teacher {reference}: unknown {', '.join(sorted(unknown))}: expected {', '.join(known)}")
    return name, options


def unknown_teacher(reference: str, names: Iterable[str]) -> str:
    """What to say of a reference that names no teacher."""
    near = difflib.get_close_matches(reference, list(names), n=2)
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    return (
        f"unknown teacher {reference!r}: {hint}expected {', '.join(names)}, vitpose:FOLDER, "
        "onnx:FILE?frame=udp|stride, student:RUN, module:factory or none"
    )


def digest_of(*parts: str | Path) -> str:
    """sha256 over the content of files (Path) and over words (str), in the order given."""
    total = hashlib.sha256()
    for part in parts:
        if isinstance(part, Path):
            with part.open("rb") as file:
                total.update(hashlib.file_digest(file, "sha256").digest())
        else:
            total.update(hashlib.sha256(part.encode()).digest())
    return total.hexdigest()
