from .annotation_summary import summarize_annotations as summarize_annotations
from .annotation_summary import summarize_skeleton as summarize_skeleton
from .boxes import PersonBoxes as PersonBoxes
from .boxes import annotated as annotated
from .boxes import detected as detected
from .boxes_file import BoxEntry as BoxEntry
from .boxes_file import BoxesFile as BoxesFile
from .boxes_file import read_boxes_file as read_boxes_file
from .coco_labels import CocoLabels as CocoLabels
from .photo_boxes import PhotoBoxes as PhotoBoxes
from .photo_boxes import find_boxes as find_boxes
from .photo_files import find_photos as find_photos
from .photo_files import photo_folder as photo_folder
from .photo_names import PhotoNames as PhotoNames
from .photo_names import relative_names as relative_names
from .subjects import Subjects as Subjects
from .subjects import from_annotations as from_annotations
from .subjects import from_photos as from_photos
from .subjects import whole_groups as whole_groups

__all__ = [
    "BoxEntry",
    "BoxesFile",
    "CocoLabels",
    "PersonBoxes",
    "PhotoBoxes",
    "PhotoNames",
    "Subjects",
    "annotated",
    "detected",
    "find_boxes",
    "find_photos",
    "from_annotations",
    "from_photos",
    "photo_folder",
    "read_boxes_file",
    "relative_names",
    "summarize_annotations",
    "summarize_skeleton",
    "whole_groups",
]
