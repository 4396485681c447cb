"""Weights of a student as safetensors, and the state from which a killed run is resumed."""

import io
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from cache_tools.files import write_bytes
from student.models.student import PoseStudent, create_student
from student.run_record import read_record
from student.settings import StudentSettings
from student.weights_file import ADVICE

#: weights of a run's folder: those with the best AP, or those at the end
Weights = Literal["best", "last"]
SHOWN = 8  # mistakes in an error message; a network has hundreds of tensors


def save_weights(path: Path, module: nn.Module) -> None:
    """Write the weights of `module` as safetensors."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in module.state_dict().items()}
    write_bytes(path, safetensors.torch.save(tensors))


def load_weights(module: nn.Module, path: Path) -> None:
    """Load the weights of a file into `module`.

    Raises FileNotFoundError without the file, and ValueError, which names tensors that are missing, unknown or of
    another shape.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist: {ADVICE}")
    try:
        tensors = safetensors.torch.load(path.read_bytes())
    except SafetensorError as error:
        raise ValueError(f"{path} is damaged ({error}): {ADVICE}") from error
    mismatches = _mismatches(module.state_dict(), tensors)
    if mismatches:
        lines = "\n".join(f"  {line}" for line in mismatches[:SHOWN])
        more = f"\n  ... and {len(mismatches) - SHOWN} more" if len(mismatches) > SHOWN else ""
        raise ValueError(f"{path} does not fit the model that run.json describes:\n{lines}{more}")
    module.load_state_dict(tensors)


def load_model(
    run: str | Path, weights: Weights = "best", device: str | torch.device = "cpu"
) -> tuple[PoseStudent, StudentSettings]:
    """Return the network of a run's folder, in evaluation mode on `device`, and its settings.

    Raises FileNotFoundError when there is no such run or it has no weights yet, ValueError when they do not fit.
    """
    record = read_record(run)
    settings = record.settings
    model = create_student(settings.model, record.pose_skeleton(), pretrained=False)
    load_weights(model, Path(run) / f"{weights}.safetensors")
    return model.to(device).eval(), settings


def save_resume(run: Path, state: Mapping[str, Any]) -> None:
    """Write resume.pt: everything that the next step depends on, as tensors, numbers and names."""
    buffer = io.BytesIO()
    torch.save(dict(state), buffer)
    write_bytes(run / "resume.pt", buffer.getvalue())


def load_resume(run: Path, device: torch.device) -> dict[str, Any] | None:
    """Read resume.pt; None where the run was killed before it was saved for the first time.

    Raises ValueError where the file is damaged.
    """
    path = run / "resume.pt"
    if not path.is_file():
        return None
    try:
        state: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
    except (RuntimeError, EOFError, OSError, pickle.UnpicklingError) as error:
        raise ValueError(f"{path} is damaged ({error}): begin again with --overwrite") from error
    return state


def _mismatches(expected: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> list[str]:
    """Return why `found` are not the weights of a network with those of `expected`, one line a tensor."""
    lines = [f"{name} is missing" for name in expected if name not in found]
    lines += [f"{name} is not part of the model" for name in found if name not in expected]
    for name in expected.keys() & found.keys():
        if expected[name].shape != found[name].shape:
            lines.append(f"{name} is {tuple(found[name].shape)}, expected {tuple(expected[name].shape)}")
    return sorted(lines)
