from .cost_file import Cost as Cost
from .estimate import CostEstimate as CostEstimate
from .estimate import estimate_costs as estimate_costs
from .estimate_report import estimate_text as estimate_text
from .loader import StepTimes as StepTimes
from .loader import time_loader as time_loader
from .network import SpeedSettings as SpeedSettings
from .network import network_cost as network_cost
from .network import student_cost as student_cost
from .network import teacher_cost as teacher_cost
from .network_flop import student_flop as student_flop
from .network_flop import teacher_flop as teacher_flop

__all__ = [
    "Cost",
    "CostEstimate",
    "SpeedSettings",
    "StepTimes",
    "estimate_costs",
    "estimate_text",
    "network_cost",
    "student_cost",
    "student_flop",
    "teacher_cost",
    "teacher_flop",
    "time_loader",
]
