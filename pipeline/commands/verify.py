"""`kdcache verify`: check a store, and compare its teacher's heatmaps again on a sample."""

import json
import sys
from pathlib import Path
from typing import Any

import click

from pipeline.commands.shared_options import PATH, device_option, json_option, reject_ignored
from pipeline.commands.store_text import error_text
from pipeline.printable import printable


@click.command("verify")
@click.argument("store")
@click.option("--annotations", type=PATH, help="COCO file that the rows must agree with.")
@click.option(
    "--forget-damaged",
    "forget",
    is_flag=True,
    help="Remove damaged shards from the ledger: the next `build` makes them again.",
)  # fmt: skip
@click.option(
    "--recompute", type=click.IntRange(min=1), metavar="N", help="Run the teacher again on N random rows and compare."
)
@click.option("--teacher", metavar="REF", help="The teacher that made the store, for --recompute.")
@click.option("--images", type=PATH, help="Folder of the photos: compare stored crops with them, and for --recompute.")
@click.option(
    "--compare",
    type=click.IntRange(min=0),
    default=256,
    show_default=True,
    metavar="N",
    help="Rows whose crops are compared with --images, those of recently changed photos among them; 0: all.",
)
@click.option("--seed", default=0, show_default=True, help="Seed of the rows of --recompute.")
@device_option
@json_option
def command(
    store: str,
    annotations: Path | None,
    forget: bool,
    recompute: int | None,
    teacher: str | None,
    images: Path | None,
    compare: int,
    seed: int,
    device: str,
    as_json: bool,
) -> None:
    """Check every object of STORE against its checksum, every code against its codec, the rows against the annotations.

    With --images, stored crops are compared with crops that are cut again from the photos.

    Exit code 0: whole; 1: something is damaged or missing, or photos are others, and each place is named.
    """
    if images is None:
        reject_ignored(click.get_current_context(), ["compare"], "there are no --images to compare with")
    from cache_tools.store.verify import find_unnamed, forget_damaged, verify_store
    from cache_tools.store.writer import HeatmapStore

    if recompute and not (teacher and images):
        raise click.UsageError("--recompute needs --teacher and --images")
    found = verify_store(store, annotations)
    report: dict[str, Any] = {"store": store, "damage": [str(damage) for damage in found]}
    if forget and found:
        report["forgotten"] = forget_damaged(HeatmapStore.open(store, mode="r+"), found)
    if not found and (unnamed := find_unnamed(HeatmapStore.open(store))):
        report["remarks"] = [
            f"{len(unnamed)} ledger entries do not name their store, because kdcache 0.1 wrote them: a shard of "
            "another store that was copied here with its entry would not be noticed"
        ]
    if images is not None and not found:
        report |= compared_photos(store, images, compare)
    if recompute and found:
        # damaged rows would disagree with any teacher
        report["recomputed"] = None
    elif recompute and teacher and images:
        from pipeline.fidelity.recompute import recompute_rows
        from pipeline.teachers.load import load_network
        from pipeline.teachers.translated import renamed_joints

        opened = HeatmapStore.open(store)
        network = load_network(
            teacher,
            device,
            flip=opened.spec.teacher.flip,
            skeleton=opened.spec.skeleton,
            renamed=renamed_joints(opened.spec),
            probed=True,
        )
        report["recomputed"] = recompute_rows(opened, network, images, recompute, seed=seed)
    click.echo(json.dumps(report, indent=1) if as_json else printable("\n".join(report_lines(report))))
    photos = report.get("photos")
    sys.exit(1 if found or (photos and photos["differing"]) else 0)


def compared_photos(url: str, images: Path, count: int) -> dict[str, Any]:
    """Return {"photos": rows that were compared, and photos that differ}; nothing where the store holds no crops."""
    import numpy as np

    from cache_tools.store.photo_comparison import choose_rows, find_differing
    from cache_tools.store.reader import StoreReader

    store = StoreReader.open(url)
    if store.spec.crops is None:
        return {}
    rows = np.arange(store.rows)
    chosen = choose_rows(store, images, rows, count or len(rows))
    return {"photos": {"rows": len(chosen), "differing": find_differing(store, images, chosen)}}


def report_lines(report: dict[str, Any]) -> list[str]:
    """Return the report as text."""
    damage: list[str] = report["damage"]
    lines = [*damage, f"{report['store']}: {len(damage)} damaged places" if damage else f"{report['store']} is whole"]
    lines += [f"remark: {remark}" for remark in report.get("remarks", [])]
    if "forgotten" in report:
        lines.append(
            f"shards removed from the ledger: {report['forgotten'] or 'none'}; run the same `kdcache build` again"
        )
    if photos := report.get("photos"):
        lines += [f"{text}: not the photo that the crop was cut from" for text in photos["differing"]]
        differing = len(photos["differing"])
        advice = "give the folder that the store was built from, or build another store"
        what = f"{differing} differ; {advice}" if differing else "equal"
        lines.append(f"crops of {photos['rows']} rows compared with the photos: {what}")
    if "recomputed" not in report:
        return lines
    recomputed = report["recomputed"]
    if recomputed is None:
        return [*lines, "not recomputed: the teacher runs again once nothing is damaged"]
    recorded = recomputed["recorded_rmse_at_peaks"]
    lines.append(f"teacher again on {recomputed['rows']} rows (recorded {recorded:.4f}):")
    for what, error in (("crops", recomputed), ("views", recomputed["views"])):
        if error is not None:
            lines.append(f"  {what}: {error_text(error)}")
    return lines
