from .build import build as build
from .job import BuildJob as BuildJob
from .job import Expectation as Expectation

__all__ = ["BuildJob", "Expectation", "build"]
