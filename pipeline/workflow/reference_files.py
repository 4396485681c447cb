"""Files that a network's reference and a student's settings name: jobs that read them depend on them."""

from collections.abc import Iterable
from pathlib import Path
from urllib.parse import parse_qsl

from cache_tools.skeletons import built_in_names
from pipeline.teachers.names import BUNDLED, kind_of
from student.settings import StudentSettings


def reference_files(reference: str) -> list[Path]:
    """Return the files that a reference (pipeline/teachers/names.py) reads in this folder or by their paths.

    A file that must be there is returned even where it is missing, so that Snakemake names it before anything runs.
    Weights of the hub, of installed packages and of kdcache itself are not files of the user. ValueError for a
    reference of no kind.
    """
    kind, rest = kind_of(reference)
    name, _, query = rest.partition("?")
    skeleton = dict(parse_qsl(query)).get("skeleton")
    beside = [] if skeleton is None or skeleton in built_in_names() else [Path(skeleton)]
    if kind == "onnx":
        return [*_of_onnx(Path(name)), *beside]
    if kind == "vitpose" and reference.startswith("vitpose:"):
        return [*_of_vitpose(Path(name)), *beside]
    if kind == "student" and name not in BUNDLED:
        return [Path(name) / "run.json", Path(name) / "best.safetensors", *beside]
    if kind == "python":
        return [*_of_module(name.partition(":")[0]), *beside]
    return beside


def initial_weights(students: Iterable[StudentSettings]) -> list[Path]:
    """Return the files of weights from which students start, each once."""
    named = dict.fromkeys(Path(student.model.weights) for student in students)
    return [path for path in named if path.is_file()]


def _of_onnx(path: Path) -> list[Path]:
    # 0.2 s, which only configurations with such a teacher need
    from pipeline.teachers.onnx_files import files_of

    try:
        return list(files_of(path))
    except (OSError, ValueError):
        # the command says what is wrong with it
        return [path]


def _of_vitpose(folder: Path) -> list[Path]:
    from pipeline.teachers.vitpose_files import weight_files

    names = ("preprocessor_config.json", "model.safetensors.index.json")
    beside = [path for path in (folder / name for name in names) if path.is_file()]
    try:
        return [folder / "config.json", *beside, *weight_files(folder)]
    except (OSError, ValueError):
        # as above
        return [folder / "config.json", *beside]


def _of_module(module: str) -> list[Path]:
    """Return the file of a module in the working folder; nothing where it is an installed one."""
    path = Path(*module.split("."))
    return [file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()]
