from .agreement import Agreement as Agreement
from .agreement import Calibration as Calibration
from .agreement import Comparison as Comparison
from .agreement import fit_calibration as fit_calibration
from .agreement import measure_agreement as measure_agreement
from .angles import NOTICE as NOTICE
from .angles import LegAngles as LegAngles
from .angles import measure_angles as measure_angles
from .coco_places import measured_network as measured_network
from .definition import AngleDefinition as AngleDefinition
from .definition import define_angle as define_angle
from .evaluate import AngleEvaluation as AngleEvaluation
from .evaluate import AnnotatedLegs as AnnotatedLegs
from .evaluate import evaluate_exact as evaluate_exact
from .evaluate import evaluate_network as evaluate_network
from .evaluate import with_visible_legs as with_visible_legs
from .figure import agreement_figure as agreement_figure
from .figure import write_agreement_figure as write_agreement_figure
from .fit import FitRule as FitRule
from .fit import find_fitted_joints as find_fitted_joints
from .joints import Joints as Joints
from .joints import find_joints as find_joints
from .overlay import leg_picture as leg_picture
from .overlay import write_leg_overlays as write_leg_overlays
from .quality import FLAG_MEANINGS as FLAG_MEANINGS
from .quality import Limits as Limits
from .quality import find_flags as find_flags
from .quality import limits_of as limits_of
from .reference import ReferenceComparison as ReferenceComparison
from .reference import compare_with_reference as compare_with_reference
from .reference import read_angles as read_angles
from .report import evaluation_json as evaluation_json
from .report import evaluation_markdown as evaluation_markdown
from .standing_people import StandingPeople as StandingPeople
from .standing_people import render_people as render_people
from .table import LegRow as LegRow
from .table import LegSettings as LegSettings
from .table import leg_rows as leg_rows
from .table import legs_csv as legs_csv
from .table import legs_json as legs_json
from .table import legs_text as legs_text
from .table import read_calibration as read_calibration
from .table import write_legs as write_legs

__all__ = [
    "FLAG_MEANINGS",
    "NOTICE",
    "Agreement",
    "AngleDefinition",
    "AngleEvaluation",
    "AnnotatedLegs",
    "Calibration",
    "Comparison",
    "FitRule",
    "Joints",
    "LegAngles",
    "LegRow",
    "LegSettings",
    "Limits",
    "ReferenceComparison",
    "StandingPeople",
    "agreement_figure",
    "compare_with_reference",
    "define_angle",
    "evaluate_exact",
    "evaluate_network",
    "evaluation_json",
    "evaluation_markdown",
    "find_fitted_joints",
    "find_flags",
    "find_joints",
    "fit_calibration",
    "leg_picture",
    "leg_rows",
    "legs_csv",
    "legs_json",
    "legs_text",
    "limits_of",
    "measure_agreement",
    "measure_angles",
    "measured_network",
    "read_angles",
    "read_calibration",
    "render_people",
    "with_visible_legs",
    "write_agreement_figure",
    "write_leg_overlays",
    "write_legs",
]
