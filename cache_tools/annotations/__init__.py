"""COCO keypoint annotation files, read strictly: what a file says is understood or refused, with its place."""

from cache_tools.annotations.annotation_file import AnnotationFile, read_annotation_file, read_coco
from cache_tools.annotations.categories import Category
from cache_tools.annotations.ids import whole_number

__all__ = ["AnnotationFile", "Category", "read_annotation_file", "read_coco", "whole_number"]
