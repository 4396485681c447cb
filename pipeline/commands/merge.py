"""`kdcache merge`: join stores of different persons."""

import json

import click


@click.command("merge")
@click.argument("stores", nargs=-1, required=True)
@click.option("--out", required=True, metavar="STORE", help="The new store: a folder or a url.")
@click.option("--json", "as_json", is_flag=True, help="Print the new store's receipt as JSON.")
def command(stores: tuple[str, ...], out: str, as_json: bool) -> None:
    """Join STORES, built of different persons by the same teacher with the same options, into one.

    Nothing is encoded anew; interrupted, the same command resumes.
    """
    from cache_tools.store.merge import merge_stores

    receipt = merge_stores(stores, out)
    if as_json:
        click.echo(json.dumps(receipt, indent=1))
    else:
        click.echo(f"{out}: {receipt['rows']} rows of {len(stores)} stores, digest {receipt['digest'][:16]}")
