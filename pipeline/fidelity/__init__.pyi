from .figure import draw_fidelity as draw_fidelity
from .measure import Example as Example
from .measure import measure_fidelity as measure_fidelity
from .recompute import recompute_rows as recompute_rows
from .table import fidelity_table as fidelity_table

__all__ = ["Example", "draw_fidelity", "fidelity_table", "measure_fidelity", "recompute_rows"]
