"""The pictures of the report, as SVG by gnuplot; none where it is missing."""

import shutil
import subprocess

from shared import targets

_HEAD = """
set terminal svg size {width},{height} noenhanced font 'sans,12' background '#ffffff'
set border 3 lc rgb '#666666'
set tics nomirror
set grid ytics lc rgb '#dddddd' lt 1
set key top left
"""
_COLOURS = ("#1b6ca8", "#c0504d", "#7f7f7f", "#9bbb59", "#8064a2", "#f79646",
            "#4bacc6", "#333333")


def is_there():
    return shutil.which("gnuplot") is not None


def _draw(text, width=720, height=360):
    """The SVG element, without what stands before it in a file."""
    if not is_there():
        return ""
    done = subprocess.run(
        ["gnuplot"], input=_HEAD.format(width=width, height=height) + text,
        capture_output=True, text=True, timeout=60)
    if done.returncode != 0:
        print(f"no picture: gnuplot: {done.stderr.strip()}")
        return ""
    return done.stdout[done.stdout.index("<svg"):]


def _block(name, rows):
    lines = "\n".join(" ".join(f'"{each}"' if isinstance(each, str)
                               else str(each) for each in row)
                      for row in rows)
    return f"${name} << END\n{lines}\nEND\n"


def bars(rows, key, title):
    """One bar a server."""
    data = [(row["name"], row[key]) for row in rows
            if row.get(key) is not None]
    return "" if not data else _draw(
        _block("rows", data) +
        "set style data histograms\nset style fill solid 0.9\n"
        "set boxwidth 0.7\nset yrange [0:*]\nset xtics rotate by -15\n"
        f"set title '{title}'\nunset key\n"
        f"plot $rows using 2:xtic(1) lc rgb '{_COLOURS[0]}'\n")


def distribution(histograms):
    """Which share of the connections took longer than that."""
    blocks, parts = "", []
    measured = [each for each in histograms.items() if each[1]]
    for number, (name, buckets) in enumerate(measured):
        left = total = sum(times for _, times in buckets)
        data = []
        for end_us, times in buckets:
            data.append((end_us, 100 * left / total))
            left -= times
        blocks += _block(f"line{number}", data)
        colour = _COLOURS[number % len(_COLOURS)]
        parts.append(f"$line{number} using 1:2 with lines lw 2 "
                     f"lc rgb '{colour}' title '{name}'")
    if not parts:
        return ""
    return _draw(
        blocks + "set logscale xy\nset yrange [0.001:100]\n"
        "set key bottom left\nset xlabel 'µs from connect to the end'\n"
        "set ylabel '% that took longer'\n"
        f"set title 'Durations'\nplot {', '.join(parts)}\n")


def curve(lines, what, most):
    """Cost at each size against that at the smallest."""
    blocks, parts = "", []
    for number, (name, rows) in enumerate(lines.items()):
        times = [targets.ratio(row["cpu_us"], rows[0]["cpu_us"])
                 for row in rows]
        if times[0] is None:
            continue
        blocks += _block(f"line{number}",
                         [(i, f"{row['size']:,}", times[i])
                          for i, row in enumerate(rows)
                          if times[i] is not None])
        parts.append(f"$line{number} using 1:3:xtic(2) with linespoints lw 2 "
                     f"pt 7 lc rgb '{_COLOURS[number]}' title '{name}'")
    parts.append(f"{most} lc rgb '#c0504d' dt 2 title 'target'")
    return _draw(
        blocks + "set yrange [0:2]\nset offsets 0.3,0.3,0,0\n"
        f"set xlabel '{what}'\nset ylabel 'times the smallest'\n"
        "set title 'CPU of one connection'\n"
        f"plot {', '.join(parts)}\n")
