"""What services say on stderr: a line an event, however it comes."""

import re

import mux as muxes

CAT = muxes.service("cat", "exec /bin/cat")


def script(open_path, text):
    path = open_path / "script"
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)
    return path


def said(mux_factory, open_path, text):
    """The texts of a service that runs this script, in order."""
    mux = mux_factory(
        muxes.service("say", f"exec {script(open_path, text)}"), CAT)
    mux.request("say")
    mux.wait_log("exit", service="say")
    return [line["text"] for line in mux.logs("stderr", service="say")]


def test_a_line_in_pieces_is_one_event(mux_factory, open_path):
    assert said(mux_factory, open_path,
                "printf one >&2; sleep 0.1; printf ' and\\ntwo' >&2\n"
                "sleep 0.1; printf '\\n\\nthree' >&2\n"
                ) == ["one and", "two", "three"]


def test_a_long_line_is_cut_and_all_there(mux_factory, open_path):
    texts = said(mux_factory, open_path,
                 "head -c 3000 /dev/zero | tr '\\0' a >&2; echo >&2\n")
    assert "".join(texts) == "a" * 3000
    assert all(len(text) <= 512 for text in texts)


def test_all_of_a_last_pipeful_is_there(mux_factory, open_path):
    texts = said(mux_factory, open_path,
                 "i=0; while [ $i -lt 900 ]; do echo $i; i=$((i+1)); "
                 "done >&2\n")
    assert texts == [str(i) for i in range(900)]


def test_a_turn_takes_a_share_of_a_flood(mux_factory, open_path):
    """Twenty services that never stop complaining hold nobody up: one read is
    more lines than a turn takes, so no turn has a second one."""
    path = script(open_path, "read go\nexec yes >&2\n")
    mux = mux_factory(muxes.service("flood", f"exec {path}", "sessions 20",
                                    "per-source 20"),
                      admission=("allow any", "per-source 100"))
    floods = [mux.connect() for _ in range(20)]
    for flood in floods:
        flood.sendall(b"flood\r\n")
        assert flood.recv(3) == muxes.OK
    for flood in floods:
        flood.sendall(b"go\n")
    muxes.eventually(lambda: len(mux.named("yes")) == 20)
    mux.wait_log("stderr")
    with muxes.turns(mux, open_path / "trace", "read") as turns:
        for _ in range(40):
            mux.refused("nobody-here")
    assert len(turns) > 40
    assert max(len(re.findall(r'^read.*, "y\\n.* = \d{3,}$', turn, re.M))
               for turn in turns) == 1
    for flood in floods:
        flood.close()
