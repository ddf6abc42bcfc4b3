"""BSD, GNU inetd and xinetd say `+`, and then find out that a program cannot
be executed; here nobody hears `+` from what will not run."""

import os
import pathlib
import shutil
import socket
import tempfile

import pytest

from mux import IS_ROOT, OK, REFUSAL, converse, service

MIB = b"\r\nbehind\0\xff" * 116509

ELF = pathlib.Path("/bin/cat").read_bytes()
LOADER = b"/lib64/ld-linux-x86-64.so.2" if b"/lib64/ld-linux" in ELF else \
    b"/lib/ld-linux-aarch64.so.1"


def write_program(path, content, mode=0o755):
    fresh = path.with_suffix(".fresh")
    fresh.write_bytes(content)
    fresh.chmod(mode)
    fresh.replace(path)


def put_fifo(path):
    path.unlink()
    os.mkfifo(path, 0o755)


def put_directory(path):
    path.unlink()
    path.mkdir(0o755)


def put_link(path):
    path.unlink()
    path.symlink_to("nowhere")


def put_loop(path):
    path.unlink()
    path.symlink_to(path.name)


UNEXECUTABLE = {
    "removed": pathlib.Path.unlink,
    "no-x": lambda path: path.chmod(0o644),
    "nobodys": lambda path: path.chmod(0o000),
    "fifo": put_fifo,
    "directory": put_directory,
    "dangling-link": put_link,
    "loop": put_loop,
    "empty": lambda path: write_program(path, b""),
    "text": lambda path: write_program(path, b"echo +\n"),
    "short": lambda path: write_program(path, b"\x7fELF"),
    "cut": lambda path: write_program(path, ELF[:64]),
    "other-class": lambda path: write_program(
        path, ELF[:4] + bytes([3 - ELF[4]]) + ELF[5:]),
    "other-machine": lambda path: write_program(
        path, ELF[:18] + b"\x08\0" + ELF[20:]),
    "no-loader": lambda path: write_program(
        path, ELF.replace(LOADER, b"/nowhere".ljust(len(LOADER), b"/"))),
    "no-interpreter": lambda path: write_program(path, b"#!/nowhere/sh\n"),
    "bare-interpreter": lambda path: write_program(path, b"#!\n"),
    "interpreter-is-directory": lambda path: write_program(path,
                                                           b"#!/tmp\n"),
    "interpreter-is-itself": lambda path: write_program(
        path, b"#!" + os.fsencode(path) + b"\n"),
    "no-way": lambda path: path.parent.chmod(0o700 if IS_ROOT else 0o600),
}


@pytest.fixture(scope="module")
def breakable(shared_mux_factory):
    """Programs that were fine when the policy was loaded."""
    with tempfile.TemporaryDirectory(prefix="tcpmuxd-test-") as directory:
        os.chmod(directory, 0o755)
        services, programs = [], {}
        for key in [*UNEXECUTABLE, "fine"]:
            home = pathlib.Path(directory, key)
            home.mkdir()
            home.chmod(0o755)
            programs[key] = home / "program"
            shutil.copy("/bin/cat", programs[key])
            programs[key].chmod(0o755)
            services.append(service(key, f"exec {programs[key]}"))
        yield shared_mux_factory(*services), programs
        for program in programs.values():
            program.parent.chmod(0o755)


@pytest.mark.parametrize("key", UNEXECUTABLE)
def test_inetd_unexecutable_service_gets_no_plus(breakable, key):
    """The others say `+Go` first, and then find out."""
    mux, programs = breakable
    assert mux.request(key, b"x") == (OK, b"x")
    UNEXECUTABLE[key](programs[key])
    for tail in b"", MIB:
        assert mux.raw(key.encode() + b"\r\n" + tail) == REFUSAL
    with mux.connect() as sock:
        sock.sendall(key.encode() + b"\r\nx")
        sock.send(b"!", socket.MSG_OOB)
        assert converse(sock, MIB) == REFUSAL
    mux.wait_log("refuse", reason="launch", step="program", service=key,
                 count=3)
    assert mux.request("fine", b"x") == (OK, b"x")


def test_replaced_program_runs_from_the_next_connection(breakable):
    """A descriptor opened at load would keep running the vulnerable one."""
    mux, programs = breakable
    write_program(programs["fine"], b"#!/bin/sh\necho new one\nexec cat\n")
    assert mux.request("fine", b"x") == (OK, b"new one\nx")
    write_program(programs["fine"], ELF)
    assert mux.request("fine", b"x") == (OK, b"x")
