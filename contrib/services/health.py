#!/usr/bin/python3 -IS
"""Tells how this machine is, in one line of JSON (policy.d/python3.policy).

    health.py [DIRECTORY]...

Uptime and load, memory, and how full the file system of each DIRECTORY is, in
seconds and bytes. What a client sends is not read.
"""

import json
import os
import sys


def proc(name):
    with open(f"/proc/{name}", encoding="ascii") as file:
        return file.read()


def memory():
    """What there is, and what can be had without swapping."""
    kilobytes = dict(line.split()[:2] for line in
                     proc("meminfo").splitlines())
    return {name: int(kilobytes[key]) * 1024 for name, key in (
        ("total", "MemTotal:"), ("available", "MemAvailable:"))}


def disk(path):
    is_now = os.statvfs(path)
    return {"total": is_now.f_blocks * is_now.f_frsize,
            "available": is_now.f_bavail * is_now.f_frsize}


def main(directories):
    print(json.dumps({
        "host": os.uname().nodename,
        "uptime": float(proc("uptime").split()[0]),
        "load": [float(word) for word in proc("loadavg").split()[:3]],
        "processors": os.cpu_count(),
        "memory": memory(),
        "disks": {path: disk(path) for path in directories}}))


if __name__ == "__main__":
    main(sys.argv[1:])
