"""`kdcache doctor`: print what is installed and on what machine, or check a GPU."""

import json
import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

from pipeline.commands.shared_options import PATH, json_option


@click.command("doctor")
@click.option("--gpu", is_flag=True, help="Run the tests of a GPU and measure it, in eight minutes; in a checkout.")
@click.option("--out", type=PATH, help="Folder of gpu.json and gpu.md, for --gpu.  [default: results]")
@json_option
def command(gpu: bool, out: Path | None, as_json: bool) -> None:
    """Print versions, GPU and driver, what is not installed and which extra brings it, where the tests' data are.

    Exit code of --gpu: 0 where all tests passed and every target was met, else 1.
    """
    if out is not None and not gpu:
        raise click.UsageError("--out is for --gpu")
    if as_json and gpu:
        raise click.UsageError("--json is not for --gpu, which writes gpu.json")
    facts = installation()
    click.echo(json.dumps(facts, indent=1) if as_json else text(facts))
    if gpu:
        from pipeline.gpu_check import check_gpu

        sys.exit(0 if check_gpu(out or Path("results")) else 1)


def installation() -> dict[str, Any]:
    """Return the machine, the packages, and the folder of the tests' data."""
    import platform

    from pipeline.installation import missing_for_gpu_check, packages
    from pipeline.version import __version__

    facts: dict[str, Any] = {"kdcache": __version__, "Python": platform.python_version(), "machine": {}}
    if find_spec("torch") is not None:
        facts["machine"] = torch_machine()
    facts["packages"] = [{"module": p.module, "version": p.version, "extra": p.extra} for p in packages()]
    facts["missing for --gpu"] = missing_for_gpu_check()
    folder = Path(os.environ.get("KDCACHE_TEST_DATA", Path(__file__).parents[3] / "shared" / "data"))
    facts["test data"] = {"folder": str(folder), "found": (folder / "coco").is_dir()}
    return facts


def torch_machine() -> dict[str, Any]:
    """Return what torch computes on, and whether it compiles for it."""
    from pipeline.installation import machine
    from student.compilation import WORTH_COMPILING, choose_compilation
    from student.device import torch_device

    device = torch_device("auto")
    return {
        "computes on": str(device),
        **machine(device),
        "train.compile: auto": str(choose_compilation("auto", device, WORTH_COMPILING)),
    }


def text(facts: dict[str, Any]) -> str:
    """Return the facts as lines; a missing package with the command that installs it."""
    lines = [f"kdcache {facts['kdcache']}, Python {facts['Python']}", ""]
    shown = facts["machine"] or {"computes on": "nothing: torch is not installed"}
    lines += [f"  {name:<20} {value}" for name, value in shown.items() if name not in ("kdcache", "Python")]
    lines += ["", "packages"]
    missing: dict[str, list[str]] = {}
    for package in facts["packages"]:
        lines.append(f"  {package['module']:<20} {package['version'] or 'missing':<12} {package['extra']}".rstrip())
        if package["version"] is None:
            missing.setdefault(package["extra"], []).append(package["module"])
    for extra, modules in missing.items():
        install = f"pip install 'kdcache[{extra}]'" if extra else "pip install kdcache"
        lines.append(f"missing: {', '.join(modules)}: {install}")
    data = facts["test data"]
    state = "found" if data["found"] else "not found; KDCACHE_TEST_DATA names their folder, tests on them are skipped"
    lines += ["", f"data of the tests: {data['folder']}, {state}"]
    if facts["missing for --gpu"]:
        lines.append(f"--gpu cannot run: {', '.join(facts['missing for --gpu'])} missing")
    return "\n".join(lines)
