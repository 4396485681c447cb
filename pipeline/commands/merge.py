"""`kdcache merge`: join stores of different persons."""

import json

import click

from pipeline.commands.shared_options import json_option


@click.command("merge")
@click.argument("stores", nargs=-1, required=True)
@click.option("--out", required=True, metavar="STORE", help="The new store: a folder or a url.")
@json_option
def command(stores: tuple[str, ...], out: str, as_json: bool) -> None:
    """Join STORES, built of different persons by the same teacher with the same options, into one.

    Codes are copied as they are. After an interruption, the same command resumes. --json prints the receipt.
    """
    from cache_tools.store.merge import merge_stores

    receipt = merge_stores(stores, out)
    if as_json:
        click.echo(json.dumps(receipt, indent=1))
    else:
        click.echo(f"{out}: {receipt['rows']} rows of {len(stores)} stores, digest {receipt['digest'][:16]}")
