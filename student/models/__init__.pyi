from .backbones import Backbone as Backbone
from .backbones import FeatureMaps as FeatureMaps
from .backbones import create_backbone as create_backbone
from .backbones import resolve_backbone as resolve_backbone
from .backbones import student_names as student_names
from .flops import Costs as Costs
from .flops import count_costs as count_costs
from .heads import LateralHead as LateralHead
from .heads import SubPixelHead as SubPixelHead
from .heads import conv_block as conv_block
from .network_mode import evaluation_mode as evaluation_mode
from .paper import PaperRow as PaperRow
from .paper import paper_row as paper_row
from .paper import paper_rows as paper_rows
from .pretrained import load_pretrained as load_pretrained
from .pretrained import read_state as read_state
from .pretrained import weights_file as weights_file
from .student import PoseStudent as PoseStudent
from .student import create_student as create_student
from .student import untrained_settings as untrained_settings

__all__ = [
    "Backbone",
    "Costs",
    "FeatureMaps",
    "LateralHead",
    "PaperRow",
    "PoseStudent",
    "SubPixelHead",
    "conv_block",
    "count_costs",
    "create_backbone",
    "create_student",
    "evaluation_mode",
    "load_pretrained",
    "paper_row",
    "paper_rows",
    "read_state",
    "resolve_backbone",
    "student_names",
    "untrained_settings",
    "weights_file",
]
