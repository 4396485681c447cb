"""Count the floating-point operations of a student or a teacher: twice its multiply-accumulates, on the meta device."""

from functools import cache

from cache_tools.skeletons import COCO, Skeleton
from student.models.flops import count_costs
from student.models.student import create_student
from student.settings import ModelSettings
from student.torch_versions import on_meta_device


def student_flop(settings: ModelSettings, joints: int) -> float:
    """Return the FLOP of one forward pass of a student of that many joints."""
    # weights change no count, and none are read on the meta device
    return _student_flop(settings.model_copy(update={"weights": "none"}).model_dump_json(), joints)


@cache
def _student_flop(settings: str, joints: int) -> float:
    model = ModelSettings.model_validate_json(settings)
    # names change no count
    skeleton = Skeleton(names=tuple(map(str, range(joints))))
    with on_meta_device():
        return 2.0 * count_costs(create_student(model, skeleton), model.input_size).macs


@cache
def teacher_flop(reference: str, folded: bool = True) -> float | None:
    """Return the FLOP of one pass of a teacher; None for one that cannot be counted, or that does not exist yet.

    folded: a mixture of experts as kdcache runs it, dense for COCO; False: with all its experts, as it is published.
    """
    kind, _, rest = reference.partition(":")
    if reference.startswith("vitpose-plus-"):
        return _vitpose_flop(reference.partition("?")[0].removeprefix("vitpose-plus-"), folded)
    if kind == "student" and rest:
        from pipeline.teachers.student_run import StudentTeacher

        try:
            teacher = StudentTeacher(rest, "cpu")
            return student_flop(teacher.settings.model, len(teacher.skeleton or COCO))
        except FileNotFoundError:
            return None
    return None


def _vitpose_flop(size: str, folded: bool) -> float:
    from pipeline.teachers.vitpose import fold, plus_network

    network = plus_network(size)
    if folded:
        with on_meta_device():
            network.model = fold(network.model)
    return 2.0 * count_costs(network, (256, 192)).macs
