"""A SLURM cluster of one pretended node with 64 processors and two GPUs, on the loopback, in a temporary folder."""

import contextlib
import getpass
import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.samples.server_process import program, start, start_on_free_ports, stop

LOOPBACK = "127.0.0.1"
ADVICE = "apt-get install --no-install-recommends slurm-wlm munge"
#: Without accounting (slurmdbd): the controller itself remembers an ended job for MinJobAge seconds.
CONFIGURATION = """
ClusterName=test
SlurmctldHost={host}({loopback})
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={folder}/munge/socket
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
PlugStackConfig=/dev/null
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SlurmdParameters=config_overrides
GresTypes=gpu
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
ReturnToService=2
KillWait=5
MinJobAge=300
NodeName={host} NodeAddr={loopback} CPUs=64 RealMemory=256000 Gres=gpu:2
PartitionName=main Nodes={host} Default=YES MaxTime=INFINITE
"""
GPUS = """
AutoDetect=off
NodeName={host} Name=gpu File=/dev/null
NodeName={host} Name=gpu File=/dev/zero
"""


class Slurm:
    """The daemons: munged, which signs messages, slurmctld, which has the queue, and slurmd, which runs jobs."""

    def __init__(self, folder: Path) -> None:
        """Describe them. folder: of their files."""
        self.folder = folder
        path = os.pathsep.join([str(folder / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]])
        #: variables of a shell that uses the cluster
        self.env = os.environ | {"SLURM_CONF": str(folder / "slurm.conf"), "PATH": path}
        self.daemons: list[subprocess.Popen[bytes]] = []

    def open(self) -> None:
        """Start them."""
        for name in ("bin", "munge", "state", "spool"):
            (self.folder / name).mkdir()
        # Snakemake starts it without variables of SLURM, which would have its configuration in /etc otherwise
        srun = self.folder / "bin/srun"
        srun.write_text(f'#!/bin/sh\nSLURM_CONF={self.env["SLURM_CONF"]} exec {program("srun", ADVICE)} "$@"\n')
        srun.chmod(0o755)
        self._start_munge()
        start_on_free_ports(self._start_slurm, 2)

    def _start_munge(self) -> None:
        munge = self.folder / "munge"
        (munge / "key").touch(0o400)
        (munge / "key").write_bytes(secrets.token_bytes(128))
        files = {"socket": "socket", "key-file": "key", "pid-file": "pid", "seed-file": "seed"}
        command = [program("munged", ADVICE), "--foreground", "--force", "--num-threads=2"]
        command += [f"--{option}={munge / name}" for option, name in files.items()]
        self.daemons.append(start(command, munge / "log", (munge / "socket").exists))

    def _start_slurm(self, ports: list[int]) -> None:
        values = {"folder": self.folder, "ports": ports, "loopback": LOOPBACK}
        values |= {"host": socket.gethostname().partition(".")[0], "user": getpass.getuser()}
        (self.folder / "slurm.conf").write_text(CONFIGURATION.format(**values))
        (self.folder / "gres.conf").write_text(GPUS.format(**values))
        controller = [program("slurmctld", ADVICE), "-D", "-c"]
        self.daemons.append(start(controller, self.folder / "slurmctld.log", self._answers, self.env))
        node = [program("slurmd", ADVICE), "-D"]
        self.daemons.append(start(node, self.folder / "slurmd.log", self._is_idle, self.env))

    def _answers(self) -> bool:
        return subprocess.run(["scontrol", "ping"], env=self.env, capture_output=True, check=False).returncode == 0

    def _is_idle(self) -> bool:
        return self.run("sinfo", "--noheader", "--format=%t").strip() == "idle"

    def run(self, *command: str) -> str:
        """Return what one of SLURM's commands prints; its return code is checked."""
        return subprocess.run(command, env=self.env, text=True, capture_output=True, check=True).stdout

    def jobs(self, comment: str, state: str) -> list[str]:
        """Return the ids of jobs in a state whose comment has that text: rule and wildcards of a job of Snakemake."""
        lines = self.run("squeue", "--noheader", f"--states={state}", "--format=%i|%k").splitlines()
        return [line.partition("|")[0] for line in lines if comment in line]

    def close(self) -> None:
        """Cancel all jobs, wait for the end of their processes, and stop the daemons."""
        if len(self.daemons) == 3:
            self.run("scancel", f"--user={getpass.getuser()}")
            end = time.monotonic() + 60
            while self.run("squeue", "--noheader", "--states=running,completing") and time.monotonic() < end:
                time.sleep(0.1)
        for daemon in reversed(self.daemons):
            stop(daemon)


@contextlib.contextmanager
def slurm_cluster(folder: Path) -> Iterator[Slurm]:
    """Run the cluster during the block; skip the test where it cannot be started."""
    for name in ("munged", "slurmctld", "slurmd"):
        program(name, ADVICE)
    if os.geteuid():
        pytest.skip("slurmd starts jobs as other users, which only root may")
    cluster = Slurm(folder)
    try:
        cluster.open()
        yield cluster
    finally:
        cluster.close()
