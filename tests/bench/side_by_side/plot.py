#!/usr/bin/env python3
# lk-parallel | SPDX-License-Identifier: MIT
"""Draws the figures of side_by_side as bars: plot.py FIGURES.jsonl > figures.svg

One group for each workload, one bar for each contestant: tasks a second as a share of the fastest of the group, but for
those marked as a limit, which are drawn hollow. Needs nothing but Python 3."""
import json
import sys
from html import escape

WIDTH, LEFT, BAR, GAP = 760, 190, 16, 30


def read(path):
    groups = {}
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            figure = json.loads(line)
            if "tasks_per_second" in figure:
                groups.setdefault(figure["workload"], []).append((figure["contestant"], figure["tasks_per_second"]))
    return groups


def label(rate):
    for unit, size in (("M", 1e6), ("k", 1e3)):
        if rate >= size:
            return f"{rate / size:.3g} {unit}/s"
    return f"{rate:.3g} /s"


def draw(groups):
    rows, y = [], 10
    for workload, bars in groups.items():
        fastest = max(rate for _, rate in bars)
        rows.append(f'<text x="10" y="{y + 14}" class="workload">{escape(workload)}</text>')
        y += 20
        for contestant, rate in bars:
            length = (WIDTH - LEFT - 90) * rate / fastest
            kind = "limit" if contestant.startswith("limit") else "ours" if contestant.startswith("lk ") else "other"
            rows.append(f'<text x="{LEFT - 8}" y="{y + 12}" text-anchor="end">{escape(contestant)}</text>')
            rows.append(f'<rect x="{LEFT}" y="{y}" width="{length:.1f}" height="{BAR - 3}" class="{kind}"/>')
            rows.append(f'<text x="{LEFT + length + 6:.1f}" y="{y + 12}">{label(rate)}</text>')
            y += BAR
        y += GAP - BAR
    style = ("text{font:12px sans-serif;fill:#222}.workload{font-weight:bold}.ours{fill:#2a6fb0}.other{fill:#b8bcc2}"
             ".limit{fill:none;stroke:#b8bcc2}")
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{y}" viewBox="0 0 {WIDTH} {y}">'
            f'<style>{style}</style><rect width="100%" height="100%" fill="#fff"/>' + "".join(rows) + "</svg>")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    print(draw(read(sys.argv[1])))
