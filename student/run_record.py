"""run.json: what a run trained, on what, and how far it has come.

A run's folder holds

    run.json            settings, data, versions, steps, seconds, results; `finished` says whether the run is over
    best.safetensors    weights with the best AP so far, or the last ones when AP is not measured while training
    last.safetensors    weights at the end; the averaged ones where `train.ema_decay` is set
    resume.pt           model, optimiser and average after some step; gone when the run has finished
    log.jsonl           one line every few steps and one every evaluation
    tensorboard/        the same numbers
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cache_tools.files import PARTIAL, write_json
from cache_tools.skeletons import COCO, Skeleton
from student.augment_recipes import recipe
from student.settings import Name, StudentSettings, list_mistakes
from student.weights_file import find_damage

FORMAT: Literal[1] = 1
# Settings that a resumed run may change: they are of speed and safety, not of results.
FREE_SETTINGS = (
    "train.workers",
    "train.pixels",
    "train.pixels_gib",
    "train.checkpoint_minutes",
    "train.log_steps",
    "train.evaluate_epochs",
    "train.evaluate_persons",
    "train.compile",
    "train.cuda_graphs",
)
#: file that names the process which trains into a folder
LOCK = ".train-lock"
#: weights of a finished run
WEIGHTS = ("best.safetensors", "last.safetensors")
State = Literal["new", "unfinished", "finished"]


class RunData(BaseModel):
    """What a run depends on besides its settings: another value of it makes another run."""

    model_config = ConfigDict(extra="allow", frozen=True)

    stores: list[str] = Field([], description="Digests of the specs of the stores that it is trained from.")
    live_teacher: str | None = Field(None, description="Digest of the live teacher; null with cached heatmaps.")
    pixels: Literal["photos", "crops"] | None = Field(None, description="Photos, or crops of the store.")
    processes: int = Field(1, description="Number of processes that share each batch.")


class RunRecord(BaseModel):
    """The content of run.json. Fields of other versions are kept as they are."""

    model_config = ConfigDict(extra="allow", frozen=True)

    format: Literal[1] = Field(FORMAT, description="Version of this file's format.")
    name: Name = Field(description="Name of the student.")
    finished: bool = Field(False, description="Whether the run is over and its weights are final.")
    settings: StudentSettings = Field(description="All settings, with the augmentation's numbers in place of its name.")
    data: RunData = Field(RunData(), description="What else the run depends on.")
    skeleton: dict[str, Any] | None = Field(None, description="Skeleton of the heatmaps; left out: COCO's.")
    categories: list[int] | None = Field(None, description="Ids of the categories of its data; left out: 1.")
    teachers: list[dict[str, Any]] = Field([], description="URL and teacher of each store.")
    rows: int | None = Field(None, description="Rows of the stores that are trained on.")
    parameters: int | None = Field(None, description="Number of the network's parameters.")
    steps: int | None = Field(None, description="Steps of the whole run.")
    device: str | None = Field(None, description="Name of the device.")
    versions: dict[str, str] = Field({}, description="Versions of Python, kdcache, torch, timm and numpy.")
    seconds: float | None = Field(None, description="Seconds of training, without evaluations; of a finished run.")
    best: dict[str, Any] | None = Field(None, description="Step and metrics of the best weights; null without AP.")

    def pose_skeleton(self) -> Skeleton:
        """Return the skeleton of the student's heatmaps; ValueError where the record holds none that is valid."""
        return COCO if self.skeleton is None else Skeleton.from_json(self.skeleton)

    def to_json(self) -> dict[str, Any]:
        """Return the fields that were set, as JSON."""
        return {"format": self.format, **self.model_dump(mode="json", include=self.model_fields_set)}


def write_record(run: Path, record: RunRecord) -> None:
    """Write run.json."""
    write_json(run / "run.json", record.to_json())


def read_record(run: str | Path) -> RunRecord:
    """Read run.json of a run's folder; FileNotFoundError where there is none, ValueError where it is not valid."""
    path = Path(run) / "run.json"
    if not path.is_file():
        problem = "it has no run.json" if Path(run).is_dir() else "there is no such folder"
        raise FileNotFoundError(f"{run} is no run: {problem}; expected a folder that `kdcache train` wrote")
    try:
        document = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not JSON ({error}): train again with --overwrite") from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        found = document.get("format") if isinstance(document, dict) else type(document).__name__
        raise ValueError(f"{path} has format {found!r}: this version reads format {FORMAT}")
    try:
        return RunRecord.model_validate(document)
    except ValidationError as error:
        mistakes = "; ".join(line.strip() for line in list_mistakes(error).splitlines())
        raise ValueError(f"{path} is not valid ({mistakes:.600}): train again with --overwrite") from None


def run_state(run: Path, settings: StudentSettings, data: RunData, *, overwrite: bool = False) -> State:
    """Return how far the run in a folder has come.

    overwrite: another run, or a damaged one, counts as none.
    finished: its weights are there and whole; where they are not, the run is unfinished as long as it can be resumed,
    and else new.
    Raises ValueError, which names each field that differs, where the folder holds a run of other settings or data, and
    where it holds something that is no run.
    """
    if not (run / "run.json").is_file():
        if run.is_dir() and not all(PARTIAL in path.name or path.name == LOCK for path in run.iterdir()):
            raise ValueError(f"{run} is a folder without run.json, yet not empty: give another --out, or remove it")
        return "new"
    try:
        record = read_record(run)
    except ValueError:
        if overwrite:
            return "new"
        raise
    found = _comparable(record.settings, record.data)
    expected = _comparable(settings, data)
    names = sorted((expected.keys() | found.keys()) - {*FREE_SETTINGS, "name"})
    differing = [name for name in names if expected.get(name) != found.get(name)]
    if not differing:
        if record.finished and not damaged_weights(run):
            return "finished"
        can_resume = not record.finished or (run / "resume.pt").is_file()
        return "unfinished" if can_resume else "new"
    if overwrite:
        return "new"
    lines = "\n".join(f"  {n}: found {found.get(n)!r}, requested {expected.get(n)!r}" for n in differing)
    raise ValueError(f"{run} holds another run:\n{lines}\ngive another --out, or --overwrite to begin again")


def is_marked_finished(run: Path) -> bool:
    """Return whether run.json says that the run in a folder is finished; False where there is none that is valid."""
    try:
        return read_record(run).finished
    except (OSError, ValueError):
        return False


def damaged_weights(run: Path) -> list[str]:
    """Return what is wrong with the weights of a finished run, a text a file; nothing where all are there and whole."""
    damage = {name: find_damage(run / name) for name in WEIGHTS}
    return [f"{name} {what}" for name, what in damage.items() if what is not None]


def resolved(settings: StudentSettings) -> StudentSettings:
    """Return the settings with the augmentation's numbers in place of its name."""
    return settings.model_copy(update={"augment": recipe(settings.augment)})


def _comparable(settings: StudentSettings, data: RunData) -> dict[str, Any]:
    return {**_flat(resolved(settings).model_dump(mode="json")), **_flat(data.model_dump(mode="json"), "data.")}


def _flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested mappings as one, with dotted names."""
    leaves: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping) and value:
            leaves |= _flat(value, f"{prefix}{key}.")
        else:
            leaves[prefix + key] = value
    return leaves
