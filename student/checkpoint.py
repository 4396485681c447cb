"""A run's folder: what was trained, its weights, and what it needs to go on after a kill.

run.json            settings, data, versions, steps, seconds, results; `finished` tells whether the run is over
best.safetensors    weights with the best AP so far, or the last ones when AP is not measured while training
last.safetensors    weights at the end; the averaged ones where `train.ema_decay` is set
resume.pt           model, optimiser and average after some step; gone when the run has finished
log.jsonl           one line every few steps and one every evaluation
tensorboard/        the same numbers
"""

import io
import json
import os
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from student.augment_recipes import recipe
from student.models.student import PoseStudent, create_student
from student.settings import StudentSettings

FORMAT = 1
# What a run may change when it goes on: speed and safety, not results.
FREE = tuple(
    f"train.{name}"
    for name in ("workers", "checkpoint_minutes", "log_steps", "evaluate_epochs", "evaluate_persons", "compile")
)
State = Literal["new", "unfinished", "finished"]
OUTPUTS = ("best.safetensors", "last.safetensors", "resume.pt", "log.jsonl")  # beside run.json


def write_atomically(path: Path, data: bytes) -> None:
    """The file as a whole or not at all: a temporary name, then a rename."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_bytes(data)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_record(run: Path, record: Mapping[str, Any]) -> None:
    """Write run.json."""
    run.mkdir(parents=True, exist_ok=True)
    write_atomically(run / "run.json", json.dumps({"format": FORMAT, **record}, indent=2).encode())


def read_record(run: str | Path) -> dict[str, Any]:
    """run.json of a run's folder; FileNotFoundError or ValueError when it is none."""
    path = Path(run) / "run.json"
    if not path.is_file():
        raise FileNotFoundError(f"{run} is no run: it has no run.json; expected a folder that `kdcache train` wrote")
    try:
        record = json.loads(path.read_bytes())
    except ValueError as error:
        raise ValueError(f"{path} is not JSON ({error}): train again with --overwrite") from error
    if isinstance(record, dict) and record.get("format") == FORMAT and not isinstance(record.get("settings"), dict):
        raise ValueError(f"{path} has no settings: train again with --overwrite")
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        found = record.get("format") if isinstance(record, dict) else type(record).__name__
        raise ValueError(f"{path} has format {found!r}: this version reads format {FORMAT}")
    return record


def state_of(run: Path, settings: StudentSettings, data: Mapping[str, Any], overwrite: bool = False) -> State:
    """How far a folder's run has come; ValueError naming each differing field when it is the run of something else.

    data: what the run is trained on, as it stands in run.json: a change there is a change of the run, too.
    overwrite: another run counts as none.
    """
    if not (run / "run.json").is_file():
        if run.is_dir() and {*run.iterdir()} - {*_leftovers(run)}:
            raise ValueError(f"{run} is a folder without run.json, yet not empty: give another --out, or remove it")
        return "new"
    try:
        record = read_record(run)
    except ValueError:
        if overwrite:
            return "new"
        raise
    expected = {**flat(resolved(settings)), **flat(data, "data.")}
    found = {**flat(record["settings"]), **flat(record.get("data", {}), "data.")}
    names = sorted((expected.keys() | found.keys()) - {*FREE, "name"})
    differing = [n for n in names if expected.get(n) != found.get(n)]
    if differing and overwrite:
        return "new"
    if differing:
        lines = "\n".join(f"  {n}: found {found.get(n)!r}, asked for {expected.get(n)!r}" for n in differing)
        raise ValueError(f"{run} holds another run:\n{lines}\ngive another --out, or --overwrite to begin again")
    return "finished" if record.get("finished") else "unfinished"


def resolved(settings: StudentSettings) -> dict[str, Any]:
    """The settings as JSON, with the augmentation's numbers in place of its name."""
    return settings.model_copy(update={"augment": recipe(settings.augment)}).model_dump(mode="json")


def flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one, with dotted names."""
    leaves: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping) and value:
            leaves |= flat(value, f"{prefix}{key}.")
        else:
            leaves[prefix + key] = value
    return leaves


def begin_again(run: Path, record: Mapping[str, Any]) -> None:
    """Put a new run in place of what the folder holds of another, and remove nothing that no run wrote.

    Killed between any two lines, the folder holds the old run without its last save, or the new one at its start.
    """
    (run / "resume.pt").unlink(missing_ok=True)
    write_record(run, record)
    for name in OUTPUTS:
        (run / name).unlink(missing_ok=True)
    board = run / "tensorboard"
    for events in board.glob("events.out.*"):
        events.unlink()
    if board.is_dir() and not any(board.iterdir()):
        board.rmdir()


def sweep(run: Path) -> None:
    """Remove temporaries that a killed process left."""
    for path in _leftovers(run):
        path.unlink(missing_ok=True)


def _leftovers(run: Path) -> list[Path]:
    return [path for name in ("run.json", *OUTPUTS) for path in run.glob(f".{name}.*")]  # see write_atomically


def save_weights(path: Path, module: nn.Module) -> None:
    """Weights of `module` as safetensors."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in module.state_dict().items()}
    write_atomically(path, safetensors.torch.save(tensors))


def load_weights(module: nn.Module, path: Path) -> None:
    """Weights into `module`; ValueError names what is missing, too many or of another shape."""
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist: the run was stopped before it saved weights, or was moved")
    try:
        tensors = safetensors.torch.load(path.read_bytes())
    except SafetensorError as error:
        raise ValueError(f"{path} is damaged ({error}): train again, or copy it again") from error
    problems = misfits(module.state_dict(), tensors)
    if problems:
        more = f"\n  ... and {len(problems) - 8} more" if len(problems) > 8 else ""
        lines = "\n".join(f"  {p}" for p in problems[:8])
        raise ValueError(f"{path} does not fit the model that run.json describes:\n{lines}{more}")
    module.load_state_dict(tensors)


def misfits(expected: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> list[str]:
    """What keeps the weights `found` from being those `expected`, one line each."""
    problems = [f"{name} is missing" for name in expected if name not in found]
    problems += [f"{name} is not part of the model" for name in found if name not in expected]
    for name in expected.keys() & found.keys():
        if expected[name].shape != found[name].shape:
            problems.append(f"{name} is {tuple(found[name].shape)}, expected {tuple(expected[name].shape)}")
    return sorted(problems)


def load_student(
    run: str | Path, weights: Literal["best", "last"] = "best", device: str | torch.device = "cpu"
) -> tuple[PoseStudent, StudentSettings]:
    """The student of a run's folder, ready to predict, and its settings.

    Raises FileNotFoundError when there is no such run or it has no weights yet, ValueError when they don't fit.
    """
    settings = StudentSettings.model_validate(read_record(run)["settings"])
    student = create_student(settings.model, pretrained=False)
    load_weights(student, Path(run) / f"{weights}.safetensors")
    return student.to(device).eval(), settings


def save_resume(run: Path, state: Mapping[str, Any]) -> None:
    """Everything that the next step depends on: tensors, numbers and names only."""
    buffer = io.BytesIO()
    torch.save(dict(state), buffer)
    write_atomically(run / "resume.pt", buffer.getvalue())


def load_resume(run: Path, device: torch.device) -> dict[str, Any] | None:
    """What `save_resume` saved, or None when the run was killed before the first time."""
    path = run / "resume.pt"
    if not path.is_file():
        return None
    try:
        return torch.load(path, map_location=device, weights_only=True)
    except (RuntimeError, EOFError, OSError, pickle.UnpicklingError) as error:
        raise ValueError(f"{path} is damaged ({error}): begin again with --overwrite") from error


def append_log(run: Path, entry: Mapping[str, Any]) -> None:
    """One line in log.jsonl, in one write, so that a reader never sees half of it."""
    line = json.dumps(entry) + "\n"
    with open(run / "log.jsonl", "ab", buffering=0) as file:
        file.write(line.encode())


def read_log(run: str | Path) -> list[dict[str, Any]]:
    """Every entry of log.jsonl, in order of steps; a last line that was cut off with the power is left out."""
    path = Path(run) / "log.jsonl"
    lines = path.read_bytes().splitlines() if path.is_file() else []
    if lines and not _is_json(lines[-1]):
        lines.pop()
    return [json.loads(line) for line in lines]


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


def cut_log(run: Path, step: int) -> None:
    """Forget what was logged after `step`: the run goes on from there and will say it again."""
    kept = [json.dumps(entry) for entry in read_log(run) if entry["step"] <= step]
    write_atomically(run / "log.jsonl", "".join(line + "\n" for line in kept).encode())
