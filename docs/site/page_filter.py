#!/usr/bin/env -S python3 -B
# lk-parallel | SPDX-License-Identifier: MIT
"""page_filter.py FILE: a Markdown page as Doxygen is to read it. Runs in the root of the repository.

Headings get the anchors that they have on a code host, links between pages and to examples lead to their places on the
site, and links to other files of the repository become plain text. A link to a file that is not there stops the build.
Names of the API lead to their descriptions, and pages of the guide to their neighbours in the order of its index.
"""
import os
import re
import sys

import pages

PAGES = pages.names()
API = pages.api()


def slug(heading):
    text = re.sub(r"[`*]|\[([^]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
    return re.sub(r"[^\w\- ]", "", text).replace(" ", "-")


def anchor(page, heading):
    return f"{PAGES[page]}-{slug(heading)}"


def link(page, text, target):
    """The link as Doxygen needs it."""
    if re.match(r"[a-z]+:", target):
        return f"[{text}]({target})"
    path, _, fragment = target.partition("#")
    path = os.path.normpath(os.path.join(os.path.dirname(page), path)) if path else page
    if not os.path.exists(path):
        sys.exit(f"{page}: a link leads to {path}, which is not there")
    if path in PAGES:
        html = PAGES[path] + ".html"
        if fragment:
            html += f"#{PAGES[path]}-{fragment}"
        return f'<a href="{html}">{text}</a>'
    if path.startswith("examples/") and path.endswith(".cpp"):
        return f'<a href="{os.path.basename(path)[:-4]}_8cpp-example.html">{text}</a>'
    return f"`{text}`" if "`" not in text else text


def name(text):
    """A word of code, which leads to its description where it is a name of the API."""
    return f'<code>@ref {API[text]} "{text}"</code>' if text in API else f"`{text}`"


def filtered_line(page, line):
    line = re.sub(r"(?<=\w)@(?=\w)", r"\\@", line) if "`" not in line else line  # nDCG@k is no command of Doxygen
    heading = re.match(r"(#+) (.*)$", line)
    if heading:
        identity = PAGES[page] if heading.group(1) == "#" else anchor(page, heading.group(2))
        plain = line.replace("`", "")  # Doxygen shows marks in titles as they are
        if PAGES[page] != "index":
            return f"{plain} {{#{identity}}}"
        # The sections of the front page are kept out of the tree at the side, which begins with the guide.
        level = len(heading.group(1)) - 1
        return plain if level == 0 else f"@anchor {identity}\n<h{level}>{plain.lstrip('# ')}</h{level}>"
    line = re.sub(r"(?<!\[)`([\w:]+)`", lambda m: name(m.group(1)), line)
    return re.sub(r"(?<!!)\[([^]]+)\]\(([^)\s]+)\)", lambda m: link(page, m.group(1), m.group(2)), line)


def neighbours(page):
    """Lines with links to the pages before and after this one."""
    order = pages.guide()
    at = next((i for i, (path, _) in enumerate(order) if path == page), None)
    if at is None:
        return
    yield '\n<div class="neighbours">'
    for i, arrow in ((at - 1, "← {}"), (at + 1, "{} →")):
        is_there = 0 <= i < len(order)
        text = f'<a href="{PAGES[order[i][0]]}.html">{arrow.format(order[i][1])}</a>' if is_there else ""
        yield f"<span>{text}</span>"
    yield "</div>"


def filtered(page, text):
    in_block = False
    for line in text.splitlines():
        if line.startswith("```"):
            in_block = not in_block
        yield line if in_block else filtered_line(page, line)
    yield from neighbours(page)


PAGE = os.path.relpath(sys.argv[1])
with open(PAGE, encoding="utf-8") as source:
    print("\n".join(filtered(PAGE, source.read())))
