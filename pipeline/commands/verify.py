"""`kdcache verify`: is a store whole, and does its teacher still say the same?"""

import json
import sys
from pathlib import Path

import click

from pipeline.commands.shared_options import device_option


@click.command("verify")
@click.argument("store")
@click.option("--annotations", type=click.Path(path_type=Path), help="COCO file that the rows should be.")
@click.option(
    "--forget-damaged", "forget", is_flag=True, help="Remove damaged shards from the ledger: `build` makes them again."
)
@click.option(
    "--recompute", type=click.IntRange(min=1), metavar="N", help="Run the teacher again on N random rows and compare."
)
@click.option("--teacher", metavar="REF", help="For --recompute.")
@click.option("--images", type=click.Path(path_type=Path), help="Folder of the photos, for --recompute.")
@click.option("--seed", default=0, show_default=True, help="Chooses the rows of --recompute.")
@device_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    store: str,
    annotations: Path | None,
    forget: bool,
    recompute: int | None,
    teacher: str | None,
    images: Path | None,
    seed: int,
    device: str,
    as_json: bool,
) -> None:
    """Check every object of STORE against its checksum, every code against its codec, the rows against the annotations.

    Exit code 0: whole; 1: something is damaged or missing, and each place is named.
    """
    from cache_tools.store import HeatmapStore, forget_damaged, verify_store

    if recompute and not (teacher and images):
        raise click.UsageError("--recompute needs --teacher and --images")
    found = verify_store(store, annotations)
    report: dict[str, object] = {"store": store, "damage": [str(damage) for damage in found]}
    if forget and found:
        report["forgotten"] = forget_damaged(HeatmapStore.open(store, mode="r+"), found)
    if recompute and found:
        report["recomputed"] = None  # nothing is to be learnt from damaged rows
    elif recompute and teacher and images:
        from pipeline.fidelity.recompute import recompute_rows

        report["recomputed"] = recompute_rows(store, teacher, images, recompute, seed, device)
    click.echo(json.dumps(report, indent=1) if as_json else "\n".join(lines_of(report)))
    sys.exit(1 if found else 0)


def lines_of(report: dict[str, object]) -> list[str]:
    """The report for people."""
    damage, again = report["damage"], report.get("recomputed")
    assert isinstance(damage, list)
    lines = [*damage, f"{report['store']}: {len(damage)} damaged places" if damage else f"{report['store']} is whole"]
    if "forgotten" in report:
        lines.append(
            f"shards removed from the ledger: {report['forgotten'] or 'none'}; run the same `kdcache build` again"
        )
    if "recomputed" in report and again is None:
        lines.append("not recomputed: the teacher is asked again once nothing is damaged")
    if isinstance(again, dict):
        lines.append(f"teacher again on {again['rows']} rows (recorded {again['recorded_rmse_at_peaks']:.4f}):")
        for what, error in (("crops", again), ("views", again["views"])):
            if error is not None:
                lines.append(
                    f"  {what}: RMSE at peaks {error['rmse_at_peaks']:.4f}, max {error['max_error']:.3f}, "
                    f"peaks shifted by {error['shift_median']:.3f} cells (99 %: {error['shift_p99']:.3f})"
                )
    return lines
