"""Find the network that a reference names. Each kind imports its framework only when it is requested."""

from collections.abc import Mapping

from cache_tools.skeletons import Skeleton
from pipeline.teachers.flipped import Flipped
from pipeline.teachers.names import kind_of
from pipeline.teachers.probe import probed_network
from pipeline.teachers.translated import translated
from student.pose_network import PoseNetwork


def load_network(
    reference: str,
    device: str = "auto",
    flip: bool = False,
    threads: int | None = None,
    skeleton: Skeleton | None = None,
    renamed: Mapping[str, str] | None = None,
    probed: bool = False,
) -> PoseNetwork:
    """Return the network that `reference` names (pipeline/teachers/names.py); its weights are read at its first crop.

    device: auto, cpu, cuda or cuda:N. flip: average with the mirrored crop's heatmaps. threads: CPU threads, None for
    the library's own choice. skeleton, renamed: the joints that its heatmaps are to be of (translated.py); None: its
    own. probed: refuse, at its first batch, values of another range than a heatmap's (probe.py).
    Raises ValueError for a reference that names nothing and for joints that it does not know, FileNotFoundError for
    weights that are missing.
    """
    network = _find(reference, device, threads, skeleton)
    if probed:
        network = probed_network(network)
    if flip:
        # before the translation, by the network's own mirror order: a skeleton of one leg still gets both passes
        network = Flipped(network)
    return network if skeleton is None else translated(network, skeleton, renamed)


def _find(reference: str, device: str, threads: int | None, skeleton: Skeleton | None) -> PoseNetwork:
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

        return OracleTeacher(name, skeleton)
    from pipeline.teachers.blank import BlankTeacher

    return BlankTeacher(name, skeleton)
