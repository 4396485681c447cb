"""Find the network that a reference names. Each kind imports its framework only when it is requested."""

from pipeline.teachers.flipped import Flipped
from pipeline.teachers.names import VITPOSE_HUB, VITPOSE_NOT_ON_HUB, unknown_teacher
from student.pose_network import PoseNetwork


def load_network(reference: str, device: str = "auto", flip: bool = False, threads: int | None = None) -> PoseNetwork:
    """Return the network that `reference` names (pipeline/teachers/names.py); its weights are read at its first crop.

    device: auto, cpu, cuda or cuda:N. flip: average with the mirrored crop's heatmaps. threads: CPU threads, None for
    the library's own choice.
    Raises ValueError for a reference that names nothing, FileNotFoundError for weights that are missing.
    """
    network = _find(reference, device, threads)
    return Flipped(network) if flip else network


def _find(reference: str, device: str, threads: int | None) -> PoseNetwork:
    kind, _, rest = reference.partition(":")
    if reference == "none":
        from pipeline.teachers.blank import BlankTeacher

        return BlankTeacher()
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
