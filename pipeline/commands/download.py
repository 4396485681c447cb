"""`kdcache download`: COCO 2017, or the detector's boxes of val2017."""

from pathlib import Path

import click


@click.command()
@click.argument("what", type=click.Choice(["coco", "detections"]))
@click.argument("destination", type=click.Path(file_okay=False, path_type=Path))
@click.option("--keep", is_flag=True, help="Keep COCO's zip files after unpacking.")
@click.option("--receipt", type=click.Path(dir_okay=False, path_type=Path), help="Write what is there now, as JSON.")
def command(what: str, destination: Path, keep: bool, receipt: Path | None) -> None:
    """Fetch COCO 2017 (`coco`: 20.4 GB) or the usual person boxes of val2017 (`detections`: 16 MB) to DESTINATION.

    Interrupted downloads go on where they stopped; size and checksum are checked; what is already there is left alone.
    Whoever has COCO needs none of this: set data.root in the configuration to its folder.
    """
    from pipeline.download import download_coco, download_detections

    there = download_coco(destination, keep=keep) if what == "coco" else [download_detections(destination)]
    for path in there:
        click.echo(path)
    if receipt:
        from cache_tools.files import write_json

        write_json(receipt, {"what": what, "paths": [str(path) for path in there]})
