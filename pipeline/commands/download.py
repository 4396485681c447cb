"""`kdcache download`: fetch COCO 2017, or a detector's boxes of val2017."""

from pathlib import Path

import click

from pipeline.commands.shared_options import LocalPath


@click.command()
@click.argument("what", type=click.Choice(["coco", "detections"]))
@click.argument("destination", type=LocalPath(file_okay=False))
@click.option("--keep", is_flag=True, help="Keep COCO's zip files after unpacking.")
@click.option(
    "--receipt",
    type=LocalPath(dir_okay=False),
    help="Write the list of what is there now to this file, as JSON.",
)
def command(what: str, destination: Path, keep: bool, receipt: Path | None) -> None:
    """Fetch COCO 2017 (`coco`: 20.4 GB) or the usual person boxes of val2017 (`detections`: 16 MB) to DESTINATION.

    Interrupted downloads resume where they stopped; sizes and checksums are checked; what exists is left as it is.
    Where COCO is on your disk already, set data.root in the configuration to its folder instead.
    """
    from cache_tools.files import write_json
    from pipeline.download import download_coco, download_detections

    paths = download_coco(destination, keep=keep) if what == "coco" else [download_detections(destination)]
    for path in paths:
        click.echo(path)
    if receipt is not None:
        write_json(receipt, {"what": what, "paths": [str(path) for path in paths]})
