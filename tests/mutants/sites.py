"""Where the code has defences, and what it is without one of them.

    sites.py            write list.txt anew
    sites.py --check    is list.txt what the code says? (`make lint`)

Reads C as it is written here (clang-format's), not all of C. A site is a
condition, an operand of && or ||, a statement, a row of a table or a limit.
Its name, file:function:ordinal:kind, survives lines that move. The kinds:

    never, always   the condition, or what is returned, is so whatever is asked
    gone            the operand has no say: true beside &&, false beside ||
    call            the statement is left out
    row             the table's row is left out; 0 where others count on it
    pin             an argument of a filter's row may be anything
    limit           a thousand times as much
"""

import collections
import pathlib
import re
import sys
import textwrap

ROOT = pathlib.Path(__file__).resolve().parents[2]
LIST = pathlib.Path(__file__).with_name("list.txt")

CONDITIONS = """
    src/parent/recheck.c src/core/access.c src/core/verdict.c src/core/acl.c
    src/core/hours.c src/core/message.c src/core/wire.h src/core/image.c
    src/core/image_check.c src/core/image_check_service.c
    src/core/image_check_set.c src/core/name.c src/core/pass.c
    src/parent/admit.c src/parent/penalty.c src/core/rate.c src/core/source.c
    src/core/claim.c src/sys/file.c src/loader/paths.c src/loader/files.c
    src/launcher/launch.c src/launcher/base.c src/launcher/become.c
    src/parser/confine.c src/sys/identity.c src/sys/drop.c src/sys/filter.c
    src/parent/settle.c src/parent/listen.c
    src/launcher/place.c src/launcher/isolate.c src/launcher/limits.c
    src/launcher/init.c src/launcher/filter.c src/launcher/plan.c
    src/launcher/program.c src/sys/restore.c src/sys/landlock.c
    src/sys/filter_enter.c src/sys/cgroup.c src/sys/namespace.c
""".split()
STATEMENTS = """
    src/parent/recheck.c src/parent/admit.c src/parent/penalty.c
    src/parent/settle.c src/parent/listen.c src/core/claim.c
    src/launcher/base.c src/launcher/become.c src/launcher/place.c
    src/launcher/isolate.c src/launcher/limits.c src/launcher/init.c
    src/launcher/filter.c src/launcher/plan.c src/sys/landlock.c
    src/sys/filter_enter.c src/sys/cgroup.c src/sys/namespace.c
""".split()
# What tells people, and copies: no defence.
NOT_STATEMENTS = re.compile(r"(log_|settle_log|memcpy|memmove|log_session)")
TABLES = {
    "src/parent/recheck.c": {"access_refusals"},
    "src/core/image_check.c": {"checks"},
    "src/parser/allowed.c": {"rows"},
    "src/parser/confine.c": {"room_steps", "limits"},
    "src/loader/profile_default.c": {"rows"},
    "src/loader/profile_offline.c": {"rows"},
    "src/loader/profile_stdio.c": {"rows"},
    "src/launcher/launch.c": {"steps"},
    "src/launcher/base.c": {"steps"},
    "src/parent/listen.c": {"options"},
    "src/launcher/isolate.c": {"namespaces", "mounts"},
    "src/launcher/limits.c": {"resources"},
    "src/launcher/init.c": {"calls"},
    "src/launcher/filter.c": {"programs"},
    "src/sys/landlock.c": {"rights", "accesses"},
}
# The others' rows refuse: one without its pins refuses more.
PINS = {"src/parser/allowed.c", "src/loader/profile_stdio.c"}
LIMITS = "src/parent/limits.h"
# What the compiler counts on, or would make tables a thousand times as large.
BUILT_LIMITS = {"LIMIT_KEEPALIVE_S", "LIMIT_USER_TIMEOUT_MS",
                "LIMIT_LINGER_SLOTS"}
# Made by another build; all others by a number in the same one.
BUILT = {"row", "pin"}

Token = collections.namedtuple("Token", "text begin end")
Site = collections.namedtuple("Site", "name file kind begin end text")

TOKEN = re.compile(r"""
    (?P<skip>\s+|/\*.*?\*/|//[^\n]*|^[ \t]*\#(?:[^\n\\]|\\.)*$)
  | (?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|\w+
  |  ->|\+\+|--|<<=|>>=|\.\.\.|<<|>>|[-+*/%&|^<>=!]=|&&|\|\||.)
""", re.X | re.S | re.M)
OPENING, CLOSING = "([{", ")]}"
ASSIGNMENTS = {"=", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "<<=",
               ">>="}
COMPARISONS = {"==", "!=", "<", ">", "<=", ">="}
PIN = re.compile(r"FILTER_(INT|NULL|BITS|FROM|OTHER)$|READING$")


def tokens_of(source):
    tokens = []
    at = 0
    while at < len(source):
        match = TOKEN.match(source, at)
        at = match.end()
        if match["text"] is not None:
            tokens.append(Token(match["text"], match.start(), match.end()))
    return tokens


class Reader:
    """Reads one file into sites."""

    def __init__(self, path, source):
        self.path, self.source = path, source
        self.tokens = tokens_of(source)
        self.pair = self._pairs()
        self.sites = []
        self.function, self.is_bool = None, False
        self.counts = collections.Counter()

    def _pairs(self):
        pair, stack = {}, []
        for index, token in enumerate(self.tokens):
            if token.text in OPENING:
                stack.append(index)
            elif token.text in CLOSING:
                pair[stack.pop()] = index
        return pair

    def text(self, begin, end):
        """Of the tokens from begin to before end, in one line."""
        whole = self.source[self.tokens[begin].begin:self.tokens[end - 1].end]
        whole = re.sub(r"/\*.*?\*/", "", whole, flags=re.S)
        return re.sub(r"([(\[]) ", r"\1", " ".join(whole.split()))

    def add(self, begin, end, *kinds):
        self.counts[self.function] += 1
        for kind in kinds:
            name = ":".join((self.path, self.function,
                             str(self.counts[self.function]), kind))
            self.sites.append(Site(
                name, self.path, kind, self.tokens[begin].begin,
                self.tokens[end - 1].end, self.text(begin, end)))

    def shallow(self, begin, end):
        """Indices of the tokens outside all brackets."""
        at = begin
        while at < end:
            yield at
            at = self.pair.get(at, at) + 1

    def find(self, begin, end, wanted):
        return [at for at in self.shallow(begin, end)
                if self.tokens[at].text in wanted]

    def split(self, begin, end, separator):
        marks = self.find(begin, end, {separator})
        firsts = [begin] + [mark + 1 for mark in marks]
        return [(first, last) for first, last in zip(firsts, marks + [end])
                if first < last]

    def is_claim(self, begin, end):
        """Is it something that can be true?"""
        return (self.tokens[begin].text == "!" or
                bool(self.find(begin, end, COMPARISONS | {"&&", "||"})))

    # --- expressions --------------------------------------------------------

    def condition(self, begin, end, *kinds):
        self.add(begin, end, *(kinds or ("never", "always")))
        self.inside(begin, end)

    def inside(self, begin, end):
        """The sites within an expression; the whole has been seen to."""
        while begin < end and self.pair.get(begin) == end - 1:
            begin, end = begin + 1, end - 1
        if begin >= end:
            return
        assigned = self.find(begin, end, ASSIGNMENTS)
        if assigned:
            self.value(assigned[0] + 1, end)
            return
        question = self.find(begin, end, {"?"})
        if question:
            self.ternary(begin, question[0], end)
            return
        for operator in ("||", "&&"):
            operands = self.split(begin, end, operator)
            if len(operands) > 1:
                for operand in operands:
                    self.condition(*operand, "gone")
                return
        for at in self.shallow(begin, end):
            if at in self.pair:
                for part in self.split(at + 1, self.pair[at], ","):
                    self.value(*part)

    def ternary(self, begin, question, end):
        depth = 0
        for at in self.find(question + 1, end, {"?", ":"}):
            if self.tokens[at].text == "?":
                depth += 1
            elif depth == 0:
                break
            else:
                depth -= 1
        self.condition(begin, question)
        self.value(question + 1, at)
        self.value(at + 1, end)

    def value(self, begin, end):
        """An expression whose value is used."""
        if begin >= end:
            return
        if (not self.find(begin, end, ASSIGNMENTS | {"?"}) and
                self.is_claim(begin, end)):
            self.condition(begin, end)
        else:
            self.inside(begin, end)

    # --- statements ---------------------------------------------------------

    def block(self, begin, end):
        at = begin
        while at < end:
            at = self.statement(at, end)

    def statement(self, at, end):
        """Reads the statement at `at`; returns where the next begins."""
        word = self.tokens[at].text
        after = at + 1
        if word == "{":
            self.block(after, self.pair[at])
            return self.pair[at] + 1
        if word in ("else", "do", ";") or self.tokens[after].text == ":":
            return after if word in ("else", "do", ";") else after + 1
        if word in ("case", "default"):
            return self.find(at, end, {":"})[0] + 1
        if word in ("if", "while", "for", "switch"):
            self.head(word, after + 1, self.pair[after])
            return self.pair[after] + 1
        last = self.find(at, end, {";"})[0]
        if word == "return":
            if (self.is_bool and last > after and
                    self.tokens[after].text not in ("true", "false") and
                    not self.find(after, last, {"?"})):
                self.condition(after, last)
            else:
                self.value(after, last)
        else:
            self.plain(at, last)
        return last + 1

    def head(self, word, begin, end):
        if word == "if":
            self.condition(begin, end)
        elif word == "while":
            self.condition(begin, end, "never")
        elif word == "switch":
            self.inside(begin, end)
        else:
            parts = self.split(begin, end, ";")
            if len(parts) == 3:
                self.inside(*parts[0])
                self.inside(*parts[1])

    def plain(self, begin, end):
        words = [self.tokens[at].text for at in self.shallow(begin, end)]
        is_call = (end - 1 == self.pair.get(begin + 1) and
                   re.match(r"\w+$", words[0]) is not None)
        is_call = is_call or words[:1] == ["("] and len(words) > 2 and \
            self.text(begin, begin + 3) == "(void)" and "(" in words[1:]
        is_member = len(words) > 2 and words[1] == "->" and \
            bool(set(words) & ASSIGNMENTS)
        if self.path in STATEMENTS and (is_call or is_member):
            text = self.text(begin, end)
            if not NOT_STATEMENTS.match(text) and \
                    not re.match(r"\(void\)\w+$", text):
                self.add(begin, end + 1, "call")
        self.inside(begin, end)

    # --- tables -------------------------------------------------------------

    def table(self, name, begin, end):
        self.function = name
        for first, last in self.split(begin, end, ","):
            if self.tokens[first].text == "[":
                value = self.pair[first] + 2
                self.counts[name] += 1
                self._row(value, last, self.text(first, last), last)
                continue
            self.counts[name] += 1
            comma = last < end
            self._row(first, last + comma, self.text(first, last), last)
            if self.path in PINS:
                self._pins(first, last)

    def _row(self, begin, end, text, last):
        name = ":".join((self.path, self.function,
                         str(self.counts[self.function]), "row"))
        self.sites.append(Site(name, self.path, "row",
                               self.tokens[begin].begin,
                               self.tokens[end - 1].end, text))

    def _pins(self, begin, end):
        row = self.text(begin, end)
        for at in range(begin + 1, end - 1):
            if PIN.match(self.tokens[at].text):
                self.add(at, self.pair[at + 1] + 1, "pin")
                site = self.sites[-1]
                self.sites[-1] = site._replace(text=f"{site.text} of {row}")

    # --- a file -------------------------------------------------------------

    def read(self):
        at = 0
        tables = TABLES.get(self.path, ())
        wants_conditions = self.path in CONDITIONS
        while at < len(self.tokens):
            token = self.tokens[at]
            if (token.text == "{" and at and
                    self.source[token.begin - 1] == "\n"):
                if wants_conditions:
                    self._function(at)
                at = self.pair[at] + 1
            elif (token.text in tables and self.tokens[at + 1].text == "[" and
                  self.tokens[self.pair[at + 1] + 1].text == "="):
                brace = self.pair[at + 1] + 2
                self.table(token.text, brace + 1, self.pair[brace])
                at = self.pair[brace] + 1
            else:
                at = at + 1 if token.text == "{" else \
                    self.pair.get(at, at) + 1
        return self.sites

    def _function(self, brace):
        close = brace - 1
        back = {last: first for first, last in self.pair.items()}
        name = back[close] - 1
        self.function = self.tokens[name].text
        self.is_bool = self.tokens[name - 1].text == "bool"
        self.block(brace + 1, self.pair[brace])


def limits_of(source):
    for match in re.finditer(r"^#define (LIMIT_\w+) ([^/\n]*[^/\s])", source,
                             re.M):
        yield Site(f"{LIMITS}:{match[1]}:1:limit", LIMITS, "limit",
                   match.start(2), match.end(2), f"{match[1]} {match[2]}")


def sites_of(path):
    source = (ROOT / path).read_text()
    if path == LIMITS:
        return list(limits_of(source))
    return Reader(path, source).read()


def all_sites():
    """Every site, in the order of the list."""
    paths = dict.fromkeys([*CONDITIONS, *TABLES, LIMITS])
    return [site for path in paths for site in sites_of(path)]


# --- the code without a defence ----------------------------------------------

def is_built(site):
    """Is it made by a build of its own?"""
    return site.kind in BUILT or (
        site.kind == "limit" and site.name.split(":")[1] in BUILT_LIMITS)


def _around(site, number):
    """What stands before and behind the site, so that the number decides."""
    text = f"MUTANT({number})"
    if site.kind == "limit":
        return "(", f" * ({text} ? 1000 : 1))"
    if site.kind == "call":
        return f"{{ if (!{text}) {{ ", " } }"
    stays = site.kind == "always" or site.kind == "gone" and site.is_and
    return ("((", f") || {text})") if stays else ("((", f") && !{text})")


def with_numbers(path, numbers):
    """The file with those of its sites that a number can switch off."""
    source = (ROOT / path).read_text()
    marks = []
    for order, site in enumerate(sites_of(path)):
        if is_built(site) or site.name not in numbers:
            continue
        before, behind = _around(Wrapped(site, source), numbers[site.name])
        size = site.end - site.begin
        marks.append(((site.begin, 1, -size, order), site.begin, before))
        marks.append(((site.end, 0, size, -order), site.end, behind))
    out, at = [], 0
    for _, where, text in sorted(marks):
        out += [source[at:where], text]
        at = where
    return "".join(out) + source[at:]


class Wrapped:
    """A site, and which operator an operand stands beside."""

    def __init__(self, site, source):
        self.kind, self.name = site.kind, site.name
        before = source[:site.begin].rstrip()
        behind = source[site.end:].lstrip()
        self.is_and = before.endswith("&&") or behind.startswith("&&")


def without(site, source):
    """A file's text without what a build of its own leaves out."""
    instead = {"pin": "{ 0 }", "limit": None, "row": ""}[site.kind]
    whole = source[site.begin:site.end]
    if site.kind == "limit":
        instead = f"({whole} * 1000)"
    elif site.kind == "row" and site.text.startswith("["):
        instead = "0"
    return source[:site.begin] + instead + source[site.end:]


def listed():
    return [line.split("\t")[0] for line in LIST.read_text().splitlines()
            if line and not line.startswith("#")]


def written():
    head = ("# Every defence that `make mutants` leaves out, one at a time: "
            "made from the\n# code by sites.py, checked by `make lint`.\n")
    return head + "".join(
        f"{site.name}\t{textwrap.shorten(site.text, 100, placeholder=' ...')}\n"
        for site in all_sites())


def main():
    text = written()
    if sys.argv[1:] == ["--check"]:
        if LIST.read_text() != text:
            print(f"{LIST.relative_to(ROOT)}: not what the code says: run "
                  "tests/mutants/sites.py, and look at what came and went")
            return 1
        return 0
    LIST.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
