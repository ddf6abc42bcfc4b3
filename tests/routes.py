"""Routes of loopback, by rtnetlink(7): executing ip for each takes far longer.
"""

import os
import socket
import struct

RTM_NEWROUTE, RTM_DELROUTE = 24, 25
NLMSG_ERROR, NLM_F_REQUEST, NLM_F_ACK = 2, 1, 4
NLM_F_REPLACE, NLM_F_CREATE = 0x100, 0x400
RTA_DST, RTA_OIF, RTA_PRIORITY, RTA_PREFSRC, RTA_METRICS = 1, 4, 6, 7, 8
RTAX_QUICKACK = 15
RT_TABLE_LOCAL, RTPROT_KERNEL, RTN_LOCAL = 255, 2, 2
RT_SCOPE_UNIVERSE, RT_SCOPE_HOST = 0, 254
LOOPBACK = 1  # the first device of every namespace


def _attribute(kind, value):
    if isinstance(value, int):
        value = struct.pack("=I", value)
    pad = -len(value) % 4
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(pad)


def _route(sock, kind, flags, destination, scope, *attributes):
    """One request and its answer; raises OSError as the kernel says."""
    address, _, bits = destination.partition("/")
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    packed = socket.inet_pton(family, address)
    body = struct.pack("=BBBBBBBBI", family, int(bits or 8 * len(packed)), 0,
                       0, RT_TABLE_LOCAL, RTPROT_KERNEL, scope, RTN_LOCAL, 0)
    body += _attribute(RTA_DST, packed) + _attribute(RTA_OIF, LOOPBACK)
    body += b"".join(_attribute(*one) for one in attributes)
    sock.send(struct.pack("=IHHII", 16 + len(body), kind,
                          NLM_F_REQUEST | NLM_F_ACK | flags, 0, 0) + body)
    answer = sock.recv(65536)
    _, what, _, _, _, error = struct.unpack_from("=IHHIIi", answer)
    assert what == NLMSG_ERROR
    if error != 0:
        raise OSError(-error, f"{destination}: {os.strerror(-error)}")


def quickack(sock):
    """All of loopback acknowledges at once; sock is a NETLINK_ROUTE one."""
    now = (RTA_METRICS, _attribute(RTAX_QUICKACK, 1))
    source = (RTA_PREFSRC, socket.inet_aton("127.0.0.1"))
    for destination in "127.0.0.0/8", "127.0.0.1":
        _route(sock, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, destination,
               RT_SCOPE_HOST, source, now)
    # In place of the kernel's own, which has metric 0.
    _route(sock, RTM_NEWROUTE, NLM_F_CREATE, "::1", RT_SCOPE_UNIVERSE,
           (RTA_PRIORITY, 1), now)
    try:
        _route(sock, RTM_DELROUTE, 0, "::1", RT_SCOPE_UNIVERSE,
               (RTA_PRIORITY, 0))
    except ProcessLookupError:
        pass  # there is none
