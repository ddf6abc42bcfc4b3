"""tcpmuxd -T: the policy in force, as a policy that means the same."""

import os
import re
import subprocess
import tempfile

import pytest

from mux import IS_ROOT, policy, program, service, write_policy

CAT = "exec /bin/cat"
OK, BAD, OUTPUT = 0, 1, 74
EXAMPLE = os.path.join(os.path.dirname(__file__), os.pardir, os.pardir,
                       "policy", "example.policy")


def run(text, *words, stdout=subprocess.PIPE):
    """(exit status, standard output, standard error) of tcpmuxd -T."""
    with tempfile.TemporaryDirectory(prefix="tcpmuxd-test-") as directory:
        os.chmod(directory, 0o755)
        path = write_policy(directory, text)
        done = subprocess.run(
            [program("tcpmuxd"), "-T", "-f", path, *words], text=True,
            stdin=subprocess.DEVNULL, stdout=stdout, stderr=subprocess.PIPE,
            timeout=30)
        return done.returncode, done.stdout, done.stderr.replace(path, "FILE")


def test_what_is_printed_is_the_policy():
    """And so it is printed again as it is."""
    with open(EXAMPLE) as file:
        text = re.sub(r"(?m)^(include|net .* file) .*$", "net blocked ::1",
                      file.read())
    status, first, said = run(text, "-s")
    assert (status, said) == (OK, "")
    assert "defaults" not in first
    assert run(first, "-s") == (OK, first, "")
    # What finger inherits, and what nobody says.
    finger = first[first.index("service finger/2 disabled {"):]
    assert "\tallow @office\n" in finger and "\tper-source 8\n" in finger


def test_it_is_the_policy_that_would_be_served():
    text = policy(service("cat", CAT, "summary 'a \"b\"'"), port=10001)
    status, printed, said = run(text)
    assert (status, said) == (OK, "")
    assert '\tsummary "a \\"b\\""\n' in printed
    assert run(printed, "-v") == (OK, printed, "")


@pytest.mark.parametrize("lines, told", [
    (("umsak 077",), "umsak"),
    (("chdir /nowhere/at/all",), "/nowhere/at/all"),
])
def test_a_bad_policy_is_not_printed(lines, told):
    status, printed, said = run(policy(service("cat", CAT, *lines)))
    assert (status, printed) == (BAD, "")
    assert said.startswith("FILE:") and told in said


def test_what_is_included_is_part_of_it():
    """As one text; the prefixes of a net's file stay where they are."""
    with tempfile.TemporaryDirectory(prefix="tcpmuxd-test-") as directory:
        os.chmod(directory, 0o755)
        listed = os.path.join(directory, "list")
        with open(listed, "w") as file:
            file.write("192.0.2.1\n")
        with open(os.path.join(directory, "a.policy"), "w") as file:
            file.write(f"net far file {listed}\nnet far ::1\n" +
                       service("included", CAT, allow="@far"))
        os.chmod(listed, 0o644)
        os.chmod(file.name, 0o644)
        status, printed, said = run(policy() + f"include {directory}\n")
        assert (status, said) == (OK, "")
        assert f"net far file {listed}\nnet far ::1\n" in printed
        assert "service included {" in printed and "include " not in printed
        assert run(printed) == (OK, printed, "")


def test_warnings_do_not_get_into_it():
    text = policy(service("cat", CAT, "allow any", allow="192.0.2.1"))
    status, printed, said = run(text, "-t")
    assert status == OK and printed.startswith("policy 1\n")
    assert ": warning: " in said and "warning" not in printed


def test_without_the_system():
    text = policy(service("cat", "exec /nowhere", user="no-such-user"))
    assert run(text)[:2] == (BAD, "")
    status, printed, _ = run(text, "-s")
    assert status == OK and "\tuser no-such-user\n" in printed


def test_output_that_cannot_be_written():
    text = policy(service("cat", CAT))
    with open("/dev/full", "w") as full:
        status, _, said = run(text, stdout=full)
    assert status == OUTPUT
    assert said == "tcpmuxd: standard output: No space left on device\n"
    ours, theirs = os.pipe()
    os.close(ours)
    try:
        status, _, said = run(text, stdout=theirs)
    finally:
        os.close(theirs)
    assert status == OUTPUT
    assert said == "tcpmuxd: standard output: Broken pipe\n"


def test_files_are_put_together(tmp_path):
    """What is included becomes part of it; the files of nets stay files."""
    os.chmod(tmp_path, 0o755)
    (tmp_path / "list").write_text("192.0.2.0/24\n")
    (tmp_path / "more.policy").write_text(
        f"net a file {tmp_path}/list\n"
        + service("included", CAT, allow="@a", user="daemon" if IS_ROOT
                  else None))
    os.chmod(tmp_path / "list", 0o644)
    os.chmod(tmp_path / "more.policy", 0o644)
    text = policy(service("cat", CAT),
                  top=(f"include {tmp_path}/more.policy",))
    status, printed, said = run(text)
    assert (status, said) == (OK, "")
    assert "include " not in printed and "service included {" in printed
    assert f"\nnet a file {tmp_path}/list\n" in printed
    assert run(printed) == (OK, printed, "")
