"""Networks that draw heatmaps, found by a reference: weights of a teacher, an ONNX file, a student trained here.

A reference is what `--teacher` takes; `pipeline/teachers/names.py` lists its forms. Every network is a
`student.pose_network.PoseNetwork`; one of your own is a class like the one in docs/own_teacher.py.
"""

from pipeline.teachers.flipped import Flipped
from pipeline.teachers.load import load_network
from pipeline.teachers.names import VITPOSE_HUB, absolute_reference
from pipeline.teachers.probe import Probe, probe_network
from student.pose_network import digest_of

__all__ = [
    "VITPOSE_HUB",
    "Flipped",
    "Probe",
    "absolute_reference",
    "digest_of",
    "load_network",
    "probe_network",
]
