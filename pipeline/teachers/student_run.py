"""A student trained here as the teacher of others: teacher assistants, self-distillation, the demo's own teacher."""

from pathlib import Path

import pipeline
from student.trained_student import TrainedStudent

#: the run that `student:demo` names
DEMO = Path(pipeline.__file__).parent / "demo" / "teacher"
DEMO_LICENCE = "Apache-2.0"


class StudentTeacher(TrainedStudent):
    """The best weights of a run's folder, or of the demo's teacher."""

    def __init__(self, run: str, device: str = "auto", threads: int | None = None) -> None:
        """Find the student. run: a folder that `kdcache train` wrote, or `demo`."""
        super().__init__(DEMO if run == "demo" else run, device=device, threads=threads)
        if run == "demo":
            self.licence = DEMO_LICENCE
