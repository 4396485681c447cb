"""A student trained here as the teacher of others: teacher assistants, self-distillation, the demo's own teacher."""

from pathlib import Path

import pipeline
from pipeline.teachers.names import BUNDLED
from student.trained_student import TrainedStudent

BUNDLED_LICENCE = "Apache-2.0"


class StudentTeacher(TrainedStudent):
    """The best weights of a run's folder, or of a student that comes with kdcache."""

    def __init__(self, run: str, device: str = "auto", threads: int | None = None) -> None:
        """Find the student. run: a folder that `kdcache train` wrote, or one of BUNDLED."""
        super().__init__(run_folder(run), device=device, threads=threads)
        if run in BUNDLED:
            self.licence = BUNDLED_LICENCE


def run_folder(run: str) -> Path:
    """Return the folder of a run, or of a student that comes with kdcache: `demo` is its teacher."""
    if run not in BUNDLED:
        return Path(run)
    return Path(pipeline.__file__).parent / "demo" / {"demo": "teacher"}.get(run, run)
