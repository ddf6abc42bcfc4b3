"""System calls that fail, and tcpmuxds that are to end by themselves.

    mux_factory(..., preexec=Failing("landlock_restrict_self"))
    status, said = run_to_end(text, preexec=Failing("mount"))

The system calls fail by a seccomp filter that is laid on before tcpmuxd
starts, and that all its processes inherit.
"""

import contextlib
import ctypes
import ctypes.util
import errno
import os
import subprocess
import tempfile

import mux

CLONE_NEWUSER = 0x10000000
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_NO_NEW_PRIVS, _MASKED_EQUAL = 3, 7


class _Comparison(ctypes.Structure):
    _fields_ = [("arg", ctypes.c_uint), ("op", ctypes.c_int),
                ("mask", ctypes.c_uint64), ("datum", ctypes.c_uint64)]


def _library():
    name = ctypes.util.find_library("seccomp") or "libseccomp.so.2"
    library = ctypes.CDLL(name, use_errno=True)
    library.seccomp_init.restype = ctypes.c_void_p
    library.seccomp_init.argtypes = [ctypes.c_uint32]
    library.seccomp_load.argtypes = [ctypes.c_void_p]
    library.seccomp_attr_set.argtypes = [ctypes.c_void_p, ctypes.c_int,
                                         ctypes.c_uint32]
    library.seccomp_rule_add_array.argtypes = [
        ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_uint,
        ctypes.POINTER(_Comparison)]
    return library


class Failing:
    """For preexec=: from here on these system calls fail.

    bits: only where (argument, bits) are all set in that argument. equal:
    only where these arguments have these values, by their numbers. error=0:
    they say 0. Root keeps the right to gain privileges, for others there is
    none to lose.
    """

    def __init__(self, *calls, error=errno.EPERM, bits=None, equal=None):
        self._library = _library()
        self._filter = self._library.seccomp_init(_ALLOW)
        assert self._filter is not None
        wanted = [] if bits is None else [
            _Comparison(bits[0], _MASKED_EQUAL, bits[1], bits[1])]
        wanted += [_Comparison(number, _MASKED_EQUAL, 0xFFFFFFFF, value)
                   for number, value in (equal or {}).items()]
        conditions = (_Comparison * len(wanted))(*wanted)
        for call in calls:
            number = self._library.seccomp_syscall_resolve_name(call.encode())
            assert number >= 0, call
            self._check(self._library.seccomp_rule_add_array(
                self._filter, _ERRNO | error, number,
                len(wanted), conditions))

    @staticmethod
    def _check(result):
        if result != 0:
            raise OSError(-result, f"libseccomp: {os.strerror(-result)}")

    def __call__(self):
        # By now this may be somebody else.
        self._check(self._library.seccomp_attr_set(
            self._filter, _NO_NEW_PRIVS, os.geteuid() != 0))
        self._check(self._library.seccomp_load(self._filter))


def run_to_end(text, *args, argv0=None, netns=None, user=None, preexec=None,
               timeout=30):
    """(exit status, stderr's lines as mux.parse_line has them).

    text: the policy, or None for none; argv0: another tcpmuxd.
    """
    with tempfile.TemporaryDirectory(prefix="tcpmuxd-test-") as directory:
        os.chmod(directory, 0o755)
        mux._give_to(directory, user)
        words = [argv0 or mux.program("tcpmuxd"), *args]
        if text is not None:
            words += ["-f", mux.write_policy(directory, text, user)]
        with netns.entered() if netns else contextlib.nullcontext():
            done = subprocess.run(words, stdin=subprocess.DEVNULL, text=True,
                                  capture_output=True, timeout=timeout,
                                  cwd="/", preexec_fn=preexec,
                                  **mux._identity(user))
    assert done.stdout == ""
    return done.returncode, [mux.parse_line(line)
                             for line in done.stderr.splitlines()]
