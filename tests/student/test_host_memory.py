"""What is left of a machine's memory, of a container's, and of a container's in another one."""

from pathlib import Path

from student.host_memory import available_bytes

GIB = 2**30


def write(folder: Path, **files: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)


def test_the_smallest_of_machine_and_groups_counts(tmp_path: Path) -> None:
    proc, groups = tmp_path / "proc", tmp_path / "cgroup"
    assert available_bytes(proc, groups) is None
    write(proc, meminfo=f"MemTotal: {64 * 2**20} kB\nMemAvailable:   {32 * 2**20} kB\n")
    assert available_bytes(proc, groups) == 32 * GIB
    write(proc / "self", cgroup="0::/job/step\n")
    write(groups, memory__max="max\n", memory__current="5\n")
    assert available_bytes(proc, groups) == 32 * GIB
    write(groups / "job", memory__max=f"{20 * GIB}\n", memory__current=f"{9 * GIB}\n")
    assert available_bytes(proc, groups) == 11 * GIB
    # pages of files that were read once can be dropped
    write(groups / "job", memory__stat=f"anon 5\ninactive_file {GIB}\nactive_file 7\n")
    assert available_bytes(proc, groups) == 12 * GIB
    write(groups / "job" / "step", memory__max=f"{4 * GIB}\n", memory__current=f"{5 * GIB}\n")
    assert available_bytes(proc, groups) == 0


def test_groups_of_version_1(tmp_path: Path) -> None:
    proc, groups = tmp_path / "proc", tmp_path / "cgroup"
    write(proc / "self", cgroup="7:cpu,cpuacct:/other\n5:memory:/docker/a\n")
    write(groups / "memory", memory__limit_in_bytes=f"{2**63 - 4096}\n", memory__usage_in_bytes="1\n")
    group = groups / "memory" / "docker" / "a"
    write(group, memory__limit_in_bytes=f"{8 * GIB}\n", memory__usage_in_bytes=f"{3 * GIB}\n")
    write(group, memory__stat=f"total_inactive_file {GIB}\n")
    assert available_bytes(proc, groups) == 6 * GIB


def test_this_machine_tells() -> None:
    found = available_bytes()
    assert found is None or found > 0
