"""Memory that this process may still take: what the machine has left, and what the control groups around it allow."""

from pathlib import Path

PROC, CGROUPS = Path("/proc"), Path("/sys/fs/cgroup")
#: names of a control group's files: limit, use, and the line of memory.stat with what can be dropped from the cache
VERSION_2 = ("memory.max", "memory.current", "inactive_file")
VERSION_1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")


def available_bytes(proc: Path = PROC, cgroups: Path = CGROUPS) -> int | None:
    """Return the bytes that can be taken without swapping or reaching a limit; None where the system does not tell.

    proc, cgroups: the folders in which Linux shows them. A container's limit is that of its control group, or of one
    around it.
    """
    found = [_of_machine(proc / "meminfo")]
    found += [_of_group(folder, VERSION_2) for folder in _folders(proc, cgroups, "")]
    found += [_of_group(folder, VERSION_1) for folder in _folders(proc, cgroups / "memory", "memory")]
    return min((number for number in found if number is not None), default=None)


def _of_machine(meminfo: Path) -> int | None:
    lines = _lines(meminfo)
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")), None)


def _folders(proc: Path, top: Path, controller: str) -> list[Path]:
    """Return the folders of this process's control group and of those around it; controller: "" for version 2."""
    entries = [line.split(":", 2) for line in _lines(proc / "self" / "cgroup")]
    paths = [path for _, controllers, path in entries if controller in controllers.split(",")]
    group = top / paths[0].lstrip("/") if paths else top
    return [group, *(parent for parent in group.parents if parent.is_relative_to(top))]


def _of_group(folder: Path, names: tuple[str, str, str]) -> int | None:
    """Return what a control group has left; None where it has no limit, or no such files."""
    limit, used = (_lines(folder / name) for name in names[:2])
    if not limit or not used or not limit[0].isdigit():
        return None
    droppable = (int(line.split()[1]) for line in _lines(folder / "memory.stat") if line.startswith(names[2] + " "))
    return max(0, int(limit[0]) - int(used[0]) + next(droppable, 0))


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []
