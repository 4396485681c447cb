"""Find the network that a reference names. Each kind imports its framework only when it is requested."""

from pipeline.teachers.flipped import Flipped
from pipeline.teachers.names import kind_of
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
    kind, name = kind_of(reference)
    if kind == "vitpose":
        from pipeline.teachers.vitpose import VitPoseTeacher

        return VitPoseTeacher(name, device, threads)
    if kind == "onnx":
        from pipeline.teachers.onnx_file import OnnxTeacher

        return OnnxTeacher(name, device, threads)
    if kind == "student":
        from pipeline.teachers.student_run import StudentTeacher

        return StudentTeacher(name, device, threads)
    if kind == "python":
        from pipeline.teachers.python_factory import call_factory

        return call_factory(name, device)
    if kind == "oracle":
        from pipeline.teachers.oracle import OracleTeacher

        return OracleTeacher(name)
    from pipeline.teachers.blank import BlankTeacher

    return BlankTeacher(name)
