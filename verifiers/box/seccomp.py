"""A filter on system calls, for what neither namespaces nor Landlock keep from a submission.

It denies what no program here needs and what has opened holes before: tracing, mounting, new
namespaces, keys, BPF, io_uring, shared memory that outlives a process, families of sockets that
reach past a network namespace (vsock does). On a rung without namespaces it also denies sockets,
pretends that leaving the process group or changing a file's mode worked, and bounds signals.
"""

from __future__ import annotations

import ctypes
import errno
import struct

from . import system

ARCHITECTURE = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
X32 = 0x40000000
KILL, ERRNO, ALLOW = 0x80000000, 0x00050000, 0x7FFF0000
LOAD, JEQ, JGE, JSET, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
NUMBER, ARCH, ARGUMENTS = 0, 4, 16
NEW_NAMESPACES = 0x7E020080
FAMILIES = (1, 2, 10)  # unix, inet, inet6

# name: (x86_64, aarch64); None where the architecture lacks it
DENIED: dict[str, tuple[int | None, int | None]] = {
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271),
    "process_madvise": (440, 440), "kcmp": (312, 272), "pidfd_getfd": (438, 438),
    "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51),
    "open_tree": (428, 428), "move_mount": (429, 429), "fsopen": (430, 430),
    "fsconfig": (431, 431), "fsmount": (432, 432), "fspick": (433, 433),
    "mount_setattr": (442, 442), "unshare": (272, 97), "setns": (308, 268),
    "bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282),
    "add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219),
    "open_by_handle_at": (304, 265), "name_to_handle_at": (303, 264),
    "init_module": (175, 105), "finit_module": (313, 273), "delete_module": (176, 106),
    "kexec_load": (246, 104), "reboot": (169, 142), "swapon": (167, 224), "swapoff": (168, 225),
    "acct": (163, 89), "quotactl": (179, 60), "syslog": (103, 116),
    "settimeofday": (164, 170), "clock_settime": (227, 112), "adjtimex": (159, 171),
    "clock_adjtime": (305, 266), "sethostname": (170, 161), "setdomainname": (171, 162),
    "shmget": (29, 194), "msgget": (68, 186), "semget": (64, 190), "mq_open": (240, 180),
    "fanotify_init": (300, 262), "vhangup": (153, 58), "personality": (135, 92),
    "setpriority": (141, 140), "ioprio_set": (251, 30), "iopl": (172, None), "ioperm": (173, None),
    "modify_ldt": (154, None),
}  # fmt: skip
ABSENT: dict[str, tuple[int | None, int | None]] = {
    "clone3": (435, 435), "memfd_create": (319, 279), "memfd_secret": (447, 447),
    "io_uring_setup": (425, 425), "io_uring_enter": (426, 426), "io_uring_register": (427, 427),
}  # fmt: skip
PRETENDED: dict[str, tuple[int | None, int | None]] = {
    "setsid": (112, 157), "setpgid": (109, 154),
    "chmod": (90, None), "fchmod": (91, 52), "fchmodat": (268, 53), "fchmodat2": (452, 452),
    "chown": (92, None), "fchown": (93, 55), "lchown": (94, None), "fchownat": (260, 54),
    "utime": (132, None), "utimes": (235, None), "utimensat": (280, 88), "futimesat": (261, None),
    "setxattr": (188, 5), "lsetxattr": (189, 6), "fsetxattr": (190, 7),
    "removexattr": (197, 14), "lremovexattr": (198, 15), "fremovexattr": (199, 16),
}  # fmt: skip
SCHEDULING: dict[str, tuple[int | None, int | None]] = {
    "prlimit64": (302, 261), "sched_setaffinity": (203, 122), "sched_setscheduler": (144, 119),
    "sched_setparam": (142, 118), "sched_setattr": (314, 274),
}  # fmt: skip
SIGNALS: dict[str, tuple[int | None, int | None]] = {
    "tkill": (200, 130), "rt_sigqueueinfo": (129, 138), "rt_tgsigqueueinfo": (297, 240),
    "pidfd_send_signal": (424, 424),
}  # fmt: skip
MMAP, MAP_SHARED, MAP_ANONYMOUS, SHARED_LIMIT = (9, 222), 0x01, 0x20, 1 << 16
SOCKET, CLONE, KILLING, TGKILL = (41, 198), (56, 220), (62, 129), (234, 131)


def install(program: bytes) -> None:
    """Put a filter on this process and all its children, for good.

    Raises OSError where the kernel has no such filter.
    """
    code = ctypes.create_string_buffer(program, len(program))
    head = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(program) // 8,
                                                   ctypes.addressof(code)))  # fmt: skip
    system.prctl(system.PR_SET_NO_NEW_PRIVS, 1)
    system.prctl(system.PR_SET_SECCOMP, 2, ctypes.addressof(head))


def _op(code: int, value: int, yes: int = 0, no: int = 0) -> bytes:
    return struct.pack("HBBI", code, yes, no, value & 0xFFFFFFFF)


def _give(number: int) -> bytes:
    return _op(RETURN, ERRNO | number)


def program(alone: bool, pid: int = 0) -> bytes:
    """The filter as BPF. Raises OSError where there is none for this machine.

    `alone`: no namespaces stand behind it. `pid` is the only process that may be signalled, itself
    and its group; 0 for any.
    """
    if system.MACHINE not in ARCHITECTURE:
        raise OSError(errno.ENOSYS, f"no system call filter for {system.MACHINE}")
    column = list(ARCHITECTURE).index(system.MACHINE)
    rules = [
        _op(LOAD, ARCH), _op(JEQ, ARCHITECTURE[system.MACHINE], 1), _op(RETURN, KILL),
        _op(LOAD, NUMBER), _op(JGE, X32, 0, 1), _give(errno.ENOSYS),
    ]  # fmt: skip
    plain = [(DENIED, errno.EPERM), (ABSENT, errno.ENOSYS)]
    if alone:
        plain.append((PRETENDED, 0))
    if pid:
        plain.append((SIGNALS, errno.EPERM))
    for table, number in plain:
        for call in table.values():
            if (code := call[column]) is not None:
                rules += [_op(JEQ, code, 0, 1), _give(number)]

    def judged(call: int, argument: int, *checks: bytes) -> None:
        body = [_op(LOAD, ARGUMENTS + 8 * argument), *checks]
        rules.extend([_op(JEQ, call, 0, len(body)), *body])

    allow, deny = _op(RETURN, ALLOW), _give(errno.EPERM)
    judged(CLONE[column], 0, _op(JSET, NEW_NAMESPACES, 1), allow, deny)
    families = [_op(JEQ, family, len(FAMILIES) - n) for n, family in enumerate(FAMILIES)]
    no_family = _give(errno.EAFNOSUPPORT)
    if alone:
        rules.extend([_op(JEQ, SOCKET[column], 0, 1), _give(errno.EACCES)])
    else:
        judged(SOCKET[column], 0, *families, no_family, allow)
    for codes in SCHEDULING.values():
        code = codes[column]
        assert code is not None
        judged(code, 0, _op(JEQ, 0, 1), deny, allow)
    # memory that is shared without a file is nobody's once the process that filled it has ended
    shared = [
        _op(LOAD, ARGUMENTS + 24), _op(JSET, MAP_ANONYMOUS, 0, 6), _op(JSET, MAP_SHARED, 0, 5),
        _op(LOAD, ARGUMENTS + 12), _op(JGE, 1, 2, 0), _op(LOAD, ARGUMENTS + 8),
        _op(JGE, SHARED_LIMIT, 0, 1), _give(errno.ENOMEM), allow,
    ]  # fmt: skip
    rules.extend([_op(JEQ, MMAP[column], 0, len(shared)), *shared])
    if pid:
        own = [_op(JEQ, value, n) for n, value in ((3, 0), (2, pid), (1, -pid))]
        judged(KILLING[column], 0, *own, deny, allow)
        judged(TGKILL[column], 0, _op(JEQ, pid, 1), deny, allow)
    return b"".join([*rules, allow])
