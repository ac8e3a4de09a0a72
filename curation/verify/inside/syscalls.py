"""Numbers of the system calls that sandboxed programs may make, by architecture, from the kernel's own headers.

What is not named here does not exist for a judged program.
"""

from __future__ import annotations

import os

__all__ = ["ARCHITECTURES", "PLAIN", "numbers"]

_X86_64 = {
    "read": 0, "write": 1, "readv": 19, "writev": 20, "pread64": 17, "pwrite64": 18, "preadv": 295, "pwritev": 296,
    "lseek": 8, "close": 3, "fstat": 5, "newfstatat": 262, "stat": 4, "lstat": 6, "statx": 332, "dup": 32, "dup2": 33,
    "dup3": 292, "pipe": 22, "pipe2": 293, "poll": 7, "ppoll": 271, "select": 23, "pselect6": 270,
    "epoll_create1": 291, "epoll_ctl": 233, "epoll_wait": 232, "epoll_pwait": 281, "eventfd2": 290, "sendfile": 40,
    "copy_file_range": 326, "recvfrom": 45, "getsockname": 51, "getsockopt": 55, "shutdown": 48, "open": 2,
    "openat": 257, "access": 21, "faccessat": 269, "faccessat2": 439, "getcwd": 79, "chdir": 80, "fchdir": 81,
    "mkdir": 83, "mkdirat": 258, "rmdir": 84, "unlink": 87, "unlinkat": 263, "rename": 82, "renameat": 264,
    "renameat2": 316, "symlink": 88, "symlinkat": 266, "link": 86, "linkat": 265, "readlink": 89, "readlinkat": 267,
    "getdents64": 217, "truncate": 76, "ftruncate": 77, "fallocate": 285, "fsync": 74, "fdatasync": 75, "statfs": 137,
    "fstatfs": 138, "umask": 95, "creat": 85, "fadvise64": 221, "brk": 12, "mmap": 9, "munmap": 11, "mprotect": 10,
    "mremap": 25, "madvise": 28, "msync": 26, "mincore": 27, "membarrier": 324, "clock_gettime": 228,
    "clock_getres": 229, "clock_nanosleep": 230, "nanosleep": 35, "gettimeofday": 96, "time": 201, "times": 100,
    "alarm": 37, "setitimer": 38, "getitimer": 36, "pause": 34, "getpid": 39, "gettid": 186, "getppid": 110,
    "getuid": 102, "geteuid": 107, "getgid": 104, "getegid": 108, "getresuid": 118, "getresgid": 120,
    "getgroups": 115, "getpgid": 121, "getpgrp": 111, "getsid": 124, "getrlimit": 97, "getrusage": 98,
    "getrandom": 318, "sysinfo": 99, "uname": 63, "sched_yield": 24, "sched_getaffinity": 204, "getcpu": 309,
    "futex": 202, "set_robust_list": 273, "get_robust_list": 274, "rseq": 334, "set_tid_address": 218,
    "rt_sigaction": 13, "rt_sigprocmask": 14, "rt_sigreturn": 15, "rt_sigpending": 127, "rt_sigsuspend": 130,
    "rt_sigtimedwait": 128, "sigaltstack": 131, "restart_syscall": 219, "exit": 60, "exit_group": 231,
    "arch_prctl": 158, "close_range": 436, "clone": 56, "clone3": 435, "fcntl": 72, "ioctl": 16, "kill": 62,
    "tgkill": 234, "prctl": 157, "prlimit64": 302, "sendto": 44, "socketpair": 53, "execve": 59,
    "execveat": 322, "fork": 57,
    "vfork": 58, "wait4": 61, "waitid": 247, "chmod": 90, "fchmod": 91, "fchmodat": 268, "setpgid": 109,
    "setsid": 112, "sched_setaffinity": 203, "utimensat": 280,
}  # fmt: skip
_AARCH64 = {
    "read": 63, "write": 64, "readv": 65, "writev": 66, "pread64": 67, "pwrite64": 68, "preadv": 69, "pwritev": 70,
    "lseek": 62, "close": 57, "fstat": 80, "newfstatat": 79, "statx": 291, "dup": 23, "dup3": 24, "pipe2": 59,
    "ppoll": 73, "pselect6": 72, "epoll_create1": 20, "epoll_ctl": 21, "epoll_pwait": 22, "eventfd2": 19,
    "sendfile": 71, "copy_file_range": 285, "recvfrom": 207, "getsockname": 204, "getsockopt": 209, "shutdown": 210,
    "openat": 56, "faccessat": 48, "faccessat2": 439, "getcwd": 17, "chdir": 49, "fchdir": 50, "mkdirat": 34,
    "unlinkat": 35, "renameat": 38, "renameat2": 276, "symlinkat": 36, "linkat": 37, "readlinkat": 78,
    "getdents64": 61, "truncate": 45, "ftruncate": 46, "fallocate": 47, "fsync": 82, "fdatasync": 83, "statfs": 43,
    "fstatfs": 44, "umask": 166, "fadvise64": 223, "brk": 214, "mmap": 222, "munmap": 215, "mprotect": 226,
    "mremap": 216, "madvise": 233, "msync": 227, "mincore": 232, "membarrier": 283, "clock_gettime": 113,
    "clock_getres": 114, "clock_nanosleep": 115, "nanosleep": 101, "gettimeofday": 169, "times": 153,
    "setitimer": 103, "getitimer": 102, "getpid": 172, "gettid": 178, "getppid": 173, "getuid": 174, "geteuid": 175,
    "getgid": 176, "getegid": 177, "getresuid": 148, "getresgid": 150, "getgroups": 158, "getpgid": 155,
    "getsid": 156, "getrlimit": 163, "getrusage": 165, "getrandom": 278, "sysinfo": 179, "uname": 160,
    "sched_yield": 124, "sched_getaffinity": 123, "getcpu": 168, "futex": 98, "set_robust_list": 99,
    "get_robust_list": 100, "rseq": 293, "set_tid_address": 96, "rt_sigaction": 134, "rt_sigprocmask": 135,
    "rt_sigreturn": 139, "rt_sigpending": 136, "rt_sigsuspend": 133, "rt_sigtimedwait": 137, "sigaltstack": 132,
    "restart_syscall": 128, "exit": 93, "exit_group": 94, "close_range": 436, "clone": 220, "clone3": 435,
    "fcntl": 25, "ioctl": 29, "kill": 129, "tgkill": 131, "prctl": 167, "prlimit64": 261, "sendto": 206,
    "socketpair": 199, "execve": 221,
    "execveat": 281, "wait4": 260, "waitid": 95, "fchmod": 52, "fchmodat": 53, "setpgid": 154,
    "setsid": 157, "sched_setaffinity": 122, "utimensat": 88,
}  # fmt: skip

ARCHITECTURES = {"x86_64": (0xC000003E, _X86_64), "aarch64": (0xC00000B7, _AARCH64)}
"""Audit code and numbers of each architecture; codes from ``linux/audit.h``."""

PLAIN = (
    "read", "write", "readv", "writev", "pread64", "pwrite64", "preadv", "pwritev", "lseek", "close", "fstat",
    "newfstatat", "stat", "lstat", "statx", "dup", "dup2", "dup3", "pipe", "pipe2", "poll", "ppoll", "select",
    "pselect6", "epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait", "eventfd2", "sendfile", "copy_file_range",
    "recvfrom", "getsockname", "getsockopt", "shutdown", "access", "faccessat", "faccessat2",
    "getcwd", "chdir", "fchdir", "mkdir", "mkdirat", "rmdir", "unlink", "unlinkat", "rename", "renameat", "renameat2",
    "symlink", "symlinkat", "link", "linkat", "readlink", "readlinkat", "getdents64", "truncate", "ftruncate",
    "fallocate", "fsync", "fdatasync", "statfs", "fstatfs", "umask", "creat", "fadvise64", "brk", "mmap", "munmap",
    "mprotect", "mremap", "madvise", "msync", "mincore", "membarrier", "clock_gettime", "clock_getres",
    "clock_nanosleep", "nanosleep", "gettimeofday", "time", "times", "alarm", "setitimer", "getitimer", "pause",
    "getpid", "gettid", "getppid", "getuid", "geteuid", "getgid", "getegid", "getresuid", "getresgid", "getgroups",
    "getpgid", "getpgrp", "getsid", "getrlimit", "getrusage", "getrandom", "sysinfo", "uname", "sched_yield",
    "sched_getaffinity", "getcpu", "futex", "set_robust_list", "get_robust_list", "rseq", "set_tid_address",
    "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "rt_sigpending", "rt_sigsuspend", "rt_sigtimedwait",
    "sigaltstack", "restart_syscall", "exit", "exit_group", "arch_prctl", "close_range",
)  # fmt: skip
"""Calls allowed whatever their arguments: they act on what the process has already been given."""


def numbers(machine: str = "") -> tuple[int, dict[str, int]] | None:
    """Return audit code and call numbers of this machine (or of ``machine``); None if it is another architecture."""
    return ARCHITECTURES.get(machine or os.uname().machine)
