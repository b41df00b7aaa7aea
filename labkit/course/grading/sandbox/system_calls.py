"""The system calls that are refused inside the box, as a seccomp filter.

Memory that a process holds without having it mapped (memfd, System V shared memory) escapes every
limit of a process; further namespaces and io_uring open large parts of the kernel; sockets to the
host of a virtual machine (vsock) are not part of a network namespace. None of these is needed to
train a network, and a program that asks for them is told that this kernel does not have them.
"""

from __future__ import annotations

import errno
import struct

__all__ = ["MACHINES", "seccomp_filter"]

# An instruction of the Berkeley Packet Filter is (code, jump if true, jump if false, k).
LOAD, EQUAL, AT_LEAST, ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
NUMBER, ARCHITECTURE, FIRST_ARGUMENT = 0, 4, 16  # offsets in struct seccomp_data (little-endian)
ALLOW, KILL, FAIL = 0x7FFF0000, 0x80000000, 0x00050000
NEW_NAMESPACE = 0x7E020000  # CLONE_NEWNS, …CGROUP, …UTS, …IPC, …USER, …PID and …NET
X32 = 0x40000000  # a second set of numbers on x86-64
FAMILIES = (1, 2, 10, 16)  # AF_UNIX, AF_INET, AF_INET6, AF_NETLINK

MACHINES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}  # the kernel's number of the architecture
# The numbers of each system call, in the order of MACHINES.
CLONE, SOCKET = (56, 220), (41, 198)
REFUSED = {
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "shmget": (29, 194),
    "semget": (64, 190),
    "msgget": (68, 186),
    "unshare": (272, 97),
    "setns": (308, 268),
    "clone3": (
        435,
        435,
    ),  # its flags lie in memory, where a filter cannot look; programs fall back to clone
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "pidfd_getfd": (438, 438),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
}


def seccomp_filter(machine: str) -> bytes:
    """Return the filter for ``machine``, one of :data:`MACHINES`, as bubblewrap's ``--seccomp`` takes it.

    Raises:
        KeyError: if the numbers of the machine's system calls are not known here.
    """
    architecture, column = MACHINES[machine], list(MACHINES).index(machine)
    program = [
        (LOAD, 0, 0, ARCHITECTURE),
        (EQUAL, 1, 0, architecture),
        (RETURN, 0, 0, KILL),
        (LOAD, 0, 0, NUMBER),
        (AT_LEAST, 0, 1, X32),
        (RETURN, 0, 0, FAIL | errno.ENOSYS),
    ]
    for numbers in REFUSED.values():
        program += [(EQUAL, 0, 1, numbers[column]), (RETURN, 0, 0, FAIL | errno.ENOSYS)]
    program += [
        (EQUAL, 0, 4, CLONE[column]),
        (LOAD, 0, 0, FIRST_ARGUMENT),
        (ANY_BIT, 0, 1, NEW_NAMESPACE),
        (RETURN, 0, 0, FAIL | errno.EPERM),
        (RETURN, 0, 0, ALLOW),
        (EQUAL, 1, 0, SOCKET[column]),
        (RETURN, 0, 0, ALLOW),
        (LOAD, 0, 0, FIRST_ARGUMENT),
    ]
    for family in FAMILIES:
        program += [(EQUAL, 0, 1, family), (RETURN, 0, 0, ALLOW)]
    program.append((RETURN, 0, 0, FAIL | errno.EAFNOSUPPORT))
    return b"".join(struct.pack("<HBBI", *instruction) for instruction in program)
