"""The system calls that are refused inside the box, as a seccomp filter.

Memory that a process holds without having it mapped (memfd, System V shared memory) escapes every
limit of a process; further namespaces and io_uring open large parts of the kernel; sockets to the
host of a virtual machine (vsock) are not part of a network namespace. None of these is needed to
train a network, and a program that asks for them is told that this kernel does not have them.
"""

from __future__ import annotations

import errno
import struct
from dataclasses import dataclass

__all__ = ["MACHINES", "seccomp_filter"]

# An instruction of the Berkeley Packet Filter is (code, jump if true, jump if false, k).
LOAD, EQUAL, AT_LEAST, ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
NUMBER, ARCHITECTURE, FIRST_ARGUMENT = 0, 4, 16  # offsets in struct seccomp_data (little-endian)
ALLOW, KILL, FAIL = 0x7FFF0000, 0x80000000, 0x00050000
NEW_NAMESPACE = 0x7E020000  # CLONE_NEWNS, …CGROUP, …UTS, …IPC, …USER, …PID and …NET
X32 = 0x40000000  # a second set of numbers on x86-64
FAMILIES = (1, 2, 10, 16)  # AF_UNIX, AF_INET, AF_INET6, AF_NETLINK

# Numbers on every machine: the mount interface since Linux 5.2, clone3, io_uring, pidfd_getfd, memfd_secret.
REFUSED_EVERYWHERE = (428, 429, 430, 431, 432, 433, 442, 435, 425, 426, 427, 438, 447)


@dataclass(frozen=True)
class Machine:
    """The numbers of one architecture.

    Attributes:
        refused: memfd_create, shmget, semget, msgget, unshare, setns, mount, umount2, pivot_root, ptrace,
            process_vm_readv, process_vm_writev, add_key, request_key, keyctl, bpf, perf_event_open and
            userfaultfd.
    """

    architecture: int
    clone: int
    socket: int
    refused: tuple[int, ...]


MACHINES = {
    "x86_64": Machine(
        0xC000003E,
        56,
        41,
        (319, 29, 64, 68, 272, 308, 165, 166, 155, 101, 310, 311, 248, 249, 250, 321, 298, 323),
    ),
    "aarch64": Machine(
        0xC00000B7,
        220,
        198,
        (279, 194, 190, 186, 97, 268, 40, 39, 41, 117, 270, 271, 217, 218, 219, 280, 241, 282),
    ),
}


def seccomp_filter(machine: str) -> bytes:
    """Return the filter for ``machine``, one of :data:`MACHINES`, as bubblewrap's ``--seccomp`` takes it.

    Raises:
        KeyError: if the numbers of the machine's system calls are not known here.
    """
    numbers = MACHINES[machine]
    program = [
        (LOAD, 0, 0, ARCHITECTURE),
        (EQUAL, 1, 0, numbers.architecture),
        (RETURN, 0, 0, KILL),
        (LOAD, 0, 0, NUMBER),
        (AT_LEAST, 0, 1, X32),
        (RETURN, 0, 0, FAIL | errno.ENOSYS),
    ]
    for number in (*numbers.refused, *REFUSED_EVERYWHERE):
        program += [(EQUAL, 0, 1, number), (RETURN, 0, 0, FAIL | errno.ENOSYS)]
    program += [
        (EQUAL, 0, 4, numbers.clone),
        (LOAD, 0, 0, FIRST_ARGUMENT),
        (ANY_BIT, 0, 1, NEW_NAMESPACE),
        (RETURN, 0, 0, FAIL | errno.EPERM),
        (RETURN, 0, 0, ALLOW),
        (EQUAL, 1, 0, numbers.socket),
        (RETURN, 0, 0, ALLOW),
        (LOAD, 0, 0, FIRST_ARGUMENT),
    ]
    for family in FAMILIES:
        program += [(EQUAL, 0, 1, family), (RETURN, 0, 0, ALLOW)]
    program.append((RETURN, 0, 0, FAIL | errno.EAFNOSUPPORT))
    return b"".join(struct.pack("<HBBI", *instruction) for instruction in program)
