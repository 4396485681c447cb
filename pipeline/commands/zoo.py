"""`kdcache zoo`: the students of Table 1, their costs beside the paper's."""

import json
from typing import Any

import click

TOLERANCE = 0.05  # Table 1 prints one decimal


@click.command()
@click.argument("backbones", nargs=-1)
@click.option("--head", type=click.Choice(["subpixel", "lateral"]), default="subpixel", show_default=True)
@click.option("--input-size", type=(int, int), default=(256, 192), show_default=True, metavar="HEIGHT WIDTH")
@click.option("--json", "as_json", is_flag=True, help="Print JSON in place of a table.")
def command(backbones: tuple[str, ...], head: str, input_size: tuple[int, int], as_json: bool) -> None:
    """Print parameters and costs of BACKBONES (names of Table 1, or timm:NAME), by default the fourteen of Table 1.

    GFlops is Table 1's count: 2 per multiply-accumulate, plus biases, norms, activations and pools. GMACs counts
    multiply-accumulates alone, which other tables print as FLOPs.
    """
    from student.models.backbones import student_names

    rows = [zoo_row(backbone, head, input_size) for backbone in backbones or student_names()]
    if as_json:
        click.echo(json.dumps(rows, indent=1))
        return
    for line in zoo_lines(rows):
        click.echo(line)


def zoo_row(backbone: str, head: str, input_size: tuple[int, int]) -> dict[str, Any]:
    """Costs of one student, and the paper's where this is a student of the paper: its head and its input size."""
    import torch

    from student.models.backbones import resolve
    from student.models.flops import count_costs
    from student.models.paper import paper_row
    from student.models.student import create_student, untrained_settings

    with torch.device("meta"):
        costs = count_costs(create_student(untrained_settings(backbone, head, input_size)), input_size)
    paper = paper_row(backbone) if head == "subpixel" and input_size == (256, 192) else None
    library, model = resolve(backbone)
    return {
        "name": paper.name if paper else backbone,
        "backbone": f"{library} {model}",
        "params_m": round(costs.params_m, 3),
        "params_m_paper": paper.params_m if paper else None,
        "gflops": round(costs.gflops, 3),
        "gflops_paper": paper.gflops if paper else None,
        "gmacs": round(costs.gmacs, 3),
    }


def zoo_lines(rows: list[dict[str, Any]]) -> list[str]:
    """The table, and a last line that says how many rows meet the paper's."""
    form = "{:<16}{:<38}{:>10}{:>8}{:>10}{:>8}{:>9}"
    lines = [form.format("name", "backbone", "Params M", "paper", "GFlops", "paper", "GMACs")]
    lines += [
        form.format(
            row["name"],
            row["backbone"],
            f"{row['params_m']:.3f}",
            "-" if row["params_m_paper"] is None else row["params_m_paper"],
            f"{row['gflops']:.3f}",
            "-" if row["gflops_paper"] is None else row["gflops_paper"],
            f"{row['gmacs']:.3f}",
        )
        for row in rows
    ]
    of_paper = [row for row in rows if row["params_m_paper"] is not None]
    if of_paper:
        met = sum(
            all(abs(row[key] - row[f"{key}_paper"]) <= TOLERANCE for key in ("params_m", "gflops")) for row in of_paper
        )
        lines.append(f"{met} of {len(of_paper)} within {TOLERANCE} on both columns")
    return lines
