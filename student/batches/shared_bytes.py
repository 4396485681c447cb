"""Memory without a name that several processes of one host share: it is gone when the last of them ends or is killed.

It takes room only where it was written to.
"""

import logging
import mmap
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

logger = logging.getLogger(__name__)

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
#: of the random bytes at the end, by which a process sees that it opened what was meant
TOKEN_BYTES = 16


@dataclass(frozen=True)
class Address:
    """How other processes of the host find the memory, while the process that made it has it open."""

    process: int
    file: int
    token: bytes


class SharedBytes:
    """`size` bytes, zero at first. `address` is None where the system has no nameless memory to share."""

    def __init__(self, size: int, address: Address | None = None) -> None:
        """Make the memory, or open that of another process; OSError where it can't be opened."""
        self.address: Address | None = None
        self._file: int | None = None
        self._whole: NDArray[np.uint8]
        whole = size + TOKEN_BYTES
        if address is not None:
            file = os.open(f"/proc/{address.process}/fd/{address.file}", os.O_RDWR)
            try:
                self._map(file, whole)
            finally:
                os.close(file)
            if self._whole[size:].tobytes() != address.token:
                raise OSError(f"process {address.process} of this host shares other memory: expected its token")
        elif (nameless := nameless_file(whole)) is not None:
            self._file = nameless
            self._map(self._file, whole)
            self.address = Address(os.getpid(), self._file, os.urandom(TOKEN_BYTES))
            self._whole[size:] = np.frombuffer(self.address.token, np.uint8)
        else:
            # of this process only; the system gives pages when they are written to
            self._whole = np.zeros(whole, np.uint8)
        self.bytes = self._whole[:size]

    def forget(self) -> None:
        """Close the file after all who share the memory have opened it; the memory stays while it is used."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _map(self, file: int, size: int) -> None:
        if os.fstat(file).st_size != size:
            raise OSError(f"the shared memory has {os.fstat(file).st_size} bytes: expected {size}")
        self._whole = np.frombuffer(mmap.mmap(file, size), np.uint8)


def nameless_file(size: int) -> int | None:
    """Return an open file of `size` bytes in memory; None where the system has none, or limits files to fewer bytes."""
    if not hasattr(os, "memfd_create"):
        return None
    try:
        file = os.memfd_create("kdcache-pixels")
    except OSError:
        return None
    try:
        os.ftruncate(file, size)
    except OSError:
        # the limit of `ulimit -f` holds for it, too
        os.close(file)
        return None
    return file


#: returns the values that all processes gave it, in order of rank, and thereby waits for all of them
Gather = Callable[[Any], list[Any]]


def gather_alone(value: Any) -> list[Any]:
    """Return what `Gather` returns where there is one process."""
    return [value]


def share_bytes(size: int, gather: Gather) -> SharedBytes:
    """Return memory of `size` bytes that all processes of this host share; each calls this with the same size."""
    own, host = SharedBytes(size), host_name()
    addresses = [address for other, address in gather((host, own.address)) if other == host]
    shared, first = own, addresses[0]
    if first is not None and first != own.address:
        try:
            shared = SharedBytes(size, first)
        except OSError:
            # of another container on this kernel
            shared = own
    if shared is own and len(addresses) > 1 and (first is None or first != own.address):
        logger.warning("processes of this host share no decoded crops: this one keeps its own")
    gather(None)
    own.forget()
    return shared


def host_name() -> str:
    """Return a name that is equal in all processes of this host's present run, and nowhere else."""
    try:
        return BOOT_ID.read_text().strip()
    except OSError:
        return socket.gethostname()
