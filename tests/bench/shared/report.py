"""What was measured, for people and for programs.

show prints one part on the terminal. results.json keeps each part as it was
last measured, with its time and its build; report.html is made of that alone.
"""

import contextlib
import html
import json
import os
import platform
import time

from shared import plots, targets

COLUMNS = (("rate", "a second", "{:.0f}"), ("p50_us", "p50 µs", "{:.0f}"),
           ("p99_us", "p99 µs", "{:.0f}"), ("p999_us", "p99.9 µs", "{:.0f}"),
           ("first_us", "first µs", "{:.0f}"),
           ("cpu_us", "CPU µs", "{:.2f}"), ("user_us", "user", "{:.2f}"),
           ("system_us", "system", "{:.2f}"),
           ("memory_kb", "KiB", "{:.0f}"))
NONE = "n/a"
_STYLE = """
body { font: 15px/1.45 sans-serif; max-width: 60em; margin: 2em auto;
       padding: 0 1em; color: #222 }
table { border-collapse: collapse; margin: 1em 0 }
th, td { padding: .2em .7em; border-bottom: 1px solid #ddd; text-align: right }
th:first-child, td:first-child { text-align: left }
.met { color: #26734d } .MISSED { color: #b00020; font-weight: bold }
.note { color: #666 }
"""


def _ratios(row, ours):
    """What a row's rate and CPU are in times of tcpmuxd's, the other way."""
    if ours is None or row is ours:
        return ["", ""]
    return [_times(ours[key], row[key], ".2f") + " ×"
            for key in ("rate", "cpu_us")]


def _times(one, other, form):
    value = targets.ratio(one, other)
    return NONE if value is None else format(value, form)


def _table(rows, ours, first):
    """Its header and its cells, as text."""
    columns = [column for column in COLUMNS
               if any(column[0] in row for row in rows)]
    ours = next((row for row in rows if row["name"] == ours), None)
    head = [first, *(title for _, title, _ in columns)]
    if ours is not None:
        head += ["tcpmuxd: rate", "CPU"]
    else:
        head += ["× smallest"]
    body = []
    for row in rows:
        cells = [row["name"] if row["size"] is None else f"{row['size']:,}"]
        cells += [NONE if row.get(key) is None else form.format(row[key])
                  for key, _, form in columns]
        cells += (_ratios(row, ours) if ours is not None else
                  [_times(row["cpu_us"], rows[0]["cpu_us"], ".3f")])
        body.append(cells)
    return head, body


def tables(part):
    """(caption, header, rows) of each table that a part has."""
    if part["kind"] == "servers":
        yield ("", *_table(part["rows"], part["ours"], ""))
    elif part["kind"] == "curve":
        for name, rows in part["lines"].items():
            yield (name, *_table(rows, None, ""))


def show(name, part):
    print(f"\n{name}: {part['title']}")
    for caption, head, body in tables(part):
        if caption:
            print(f"  {caption}")
        widths = [max(len(row[i]) for row in [head, *body])
                  for i in range(len(head))]
        for row in [head, *body]:
            print("  " + row[0].ljust(widths[0]) + "".join(
                f"  {cell:>{width}}"
                for cell, width in zip(row[1:], widths[1:])))
    for note in part["notes"]:
        print(f"  {note}")
    for target in part["targets"]:
        print(f"  {target['claim']}: {target['measured']}; target: "
              f"{target['target']}: {targets.verdict(target)}")
    print(flush=True)


def machine():
    with open("/proc/cpuinfo") as file:
        models = [line.partition(":")[2].strip() for line in file
                  if line.startswith("model name")]
    return {"kernel": platform.release(), "cpus": os.cpu_count(),
            "cpu": models[0] if models else platform.machine()}


def read(path):
    """What results.json has of earlier runs, or nothing."""
    with contextlib.suppress(OSError, ValueError), open(path) as file:
        found = json.load(file)
        if "parts" in found:
            return found
    return {"parts": {}}


def write(path, results):
    with open(f"{path}.new", "w") as file:
        json.dump(results, file, indent=1)
        file.write("\n")
    os.replace(f"{path}.new", path)


# --- report.html -------------------------------------------------------------

def _html_table(head, body):
    def row(cells, tag):
        return "<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>"
                                for cell in cells) + "</tr>"
    return ("<table>" + row(head, "th") +
            "".join(row(cells, "td") for cells in body) + "</table>")


def _html_targets(parts):
    rows = []
    for name, part in parts.items():
        for target in part["targets"]:
            verdict = targets.verdict(target)
            cells = "".join(f"<td>{html.escape(target[key])}</td>"
                            for key in ("claim", "target", "measured"))
            rows.append(f'<tr><td><a href="#{name}">{name}</a></td>{cells}'
                        f'<td class="{verdict}">{verdict}</td></tr>')
    return ("<table><tr><th>part</th><th>what</th><th>target</th>"
            "<th>measured</th><th></th></tr>" + "".join(rows) + "</table>")


def _pictures(part, ratio):
    if part["kind"] == "servers":
        yield plots.bars(part["rows"], "rate", "connections a second")
        yield plots.bars(part["rows"], "cpu_us", "µs of CPU for one")
        found = part.get("histograms", {})
        yield plots.distribution({row["name"]: found[row["name"]]
                                  for row in part["rows"]
                                  if row["name"] in found})
    elif part["kind"] == "curve":
        yield plots.curve(part["lines"], part["what"], ratio)


def _html_part(name, part, ratio):
    when = time.strftime("%F %H:%M", time.localtime(part["when"]))
    text = [f'<h2 id="{name}">{name}</h2>',
            f"<p>{html.escape(part['title'])}</p>"]
    for caption, head, body in tables(part):
        text.append(f"<h3>{html.escape(caption)}</h3>" if caption else "")
        text.append(_html_table(head, body))
    if "text" in part:
        text.append(f"<pre>{html.escape(part['text'])}</pre>")
    text += _pictures(part, ratio)
    notes = [*part["notes"], f"Measured {when}, {part['version']}, medians "
             f"of {part['rounds_made']} rounds."]
    text.append(f'<p class="note">{html.escape(" ".join(notes))}</p>')
    text += [f'<p class="MISSED">{html.escape(problem)}</p>'
             for problem in part["problems"]]
    return "\n".join(text)


def write_html(path, results, ratio):
    """ratio: how much a curve may rise."""
    parts = results["parts"]
    about = results["machine"]
    peers = ", ".join(f"{name} {version}" for name, version
                      in results["peers"].items()) or "none"
    left_out = "; ".join(f"{name}: {why}" for name, why
                         in results["left_out"].items())
    body = [f"<p>{html.escape(about['cpu'])}, {about['cpus']} processors, "
            f"Linux {html.escape(about['kernel'])}. Peers: "
            f"{html.escape(peers)}.</p>"]
    if left_out:
        body.append(f"<p>Left out: {html.escape(left_out)}.</p>")
    body.append(_html_targets(parts))
    body += [_html_part(name, part, ratio) for name, part in parts.items()]
    with open(path, "w") as file:
        file.write('<!DOCTYPE html>\n<html lang="en"><meta charset="utf-8">'
                   f"<title>tcpmuxd: the bench</title><style>{_STYLE}</style>"
                   "<h1>tcpmuxd: the bench</h1>\n" + "\n".join(body) +
                   "</html>\n")
