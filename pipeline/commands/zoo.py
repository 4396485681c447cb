"""`kdcache zoo`: the students of Table 1, their costs beside the paper's."""

import json
from typing import Any

import click

from pipeline.commands.shared_options import json_option, untrained_student_options

#: Table 1 prints one decimal
PAPER_TOLERANCE = 0.05


@click.command("zoo")
@click.argument("backbones", nargs=-1)
@untrained_student_options
@json_option
def command(backbones: tuple[str, ...], head: str, input_size: tuple[int, int], as_json: bool) -> None:
    """Print parameters and costs of BACKBONES (names of Table 1, or timm:NAME), by default the fourteen of Table 1.

    GFlops is Table 1's count: 2 per multiply-accumulate, plus biases, norms, activations and pools. GMACs counts
    only multiply-accumulates, which other tables print as FLOPs.
    """
    from student.models.backbones import student_names

    rows = [zoo_row(backbone, head, input_size) for backbone in backbones or student_names()]
    click.echo(json.dumps(rows, indent=1) if as_json else zoo_text(rows))


def zoo_row(backbone: str, head: str, input_size: tuple[int, int]) -> dict[str, Any]:
    """Return the costs of one student, and the paper's where the paper has this head and input size."""
    from cache_tools.skeletons import COCO
    from student.models.backbones import resolve_backbone
    from student.models.flops import count_costs
    from student.models.paper import paper_row
    from student.models.student import create_student, untrained_settings
    from student.torch_versions import on_meta_device

    with on_meta_device():
        costs = count_costs(create_student(untrained_settings(backbone, head, input_size), COCO), input_size)
    paper = paper_row(backbone) if head == "subpixel" and input_size == (256, 192) else None
    library, model = resolve_backbone(backbone)
    return {
        "name": paper.name if paper else backbone,
        "backbone": f"{library} {model}",
        "params_m": round(costs.params_m, 3),
        "params_m_paper": paper.params_m if paper else None,
        "gflops": round(costs.gflops, 3),
        "gflops_paper": paper.gflops if paper else None,
        "gmacs": round(costs.gmacs, 3),
    }


def zoo_text(rows: list[dict[str, Any]]) -> str:
    """Return the table, and a last line that says how many rows agree with the paper's."""
    from tabulate import tabulate

    table = tabulate(
        [list(row.values()) for row in rows],
        headers=["name", "backbone", "Params M", "paper", "GFlops", "paper", "GMACs"],
        tablefmt="plain",
        floatfmt=("", "", ".3f", "", ".3f", "", ".3f"),
        missingval="-",
        colalign=("left", "left", "right", "right", "right", "right", "right"),
    )
    of_paper = [row for row in rows if row["params_m_paper"] is not None]
    if not of_paper:
        return table
    agreeing = [row for row in of_paper if _agrees(row, "params_m") and _agrees(row, "gflops")]
    return f"{table}\n{len(agreeing)} of {len(of_paper)} within {PAPER_TOLERANCE} on both columns"


def _agrees(row: dict[str, Any], key: str) -> bool:
    return bool(abs(row[key] - row[f"{key}_paper"]) <= PAPER_TOLERANCE)
