#!/usr/bin/env -S python3 -B
# lk-parallel | SPDX-License-Identifier: MIT
"""check_links.py FOLDER: every link in the pages of a built site that stays in it leads to a file and, where it names
one, to an anchor there. Prints those that do not, and a count; ends with status 1 where there are any.
"""
import os
import re
import sys
from html.parser import HTMLParser
from urllib.parse import unquote, urlsplit


class Page(HTMLParser):
    """The links out of a page and the anchors in it."""

    def __init__(self, path):
        super().__init__()
        self.links, self.anchors = set(), set()
        with open(path, encoding="utf-8") as text:
            self.feed(text.read())

    def handle_starttag(self, tag, attrs):
        for name, value in attrs:
            if name == "id" or (name == "name" and tag == "a"):
                self.anchors.add(value)
            elif name in ("href", "src", "data") and value:
                self.links.add(value)


def broken_links(folder):
    with open(os.path.join(folder, "navtreedata.js"), encoding="utf-8") as tree:
        side = set(re.findall(r'"([^"]*\.html[^"]*|@ref[^"]*)"', tree.read().partition("var NAVTREEINDEX")[0]))
    pages = {name: Page(os.path.join(folder, name)) for name in sorted(os.listdir(folder)) if name.endswith(".html")}
    pages["index.html"].links |= side  # a script makes the links at the side
    for name, page in pages.items():
        for link in sorted(page.links):
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = unquote(parts.path) or name
            if not os.path.exists(os.path.join(folder, target)):
                yield f"{name}: {link}: there is no such file"
            elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].anchors:
                yield f"{name}: {link}: there is no such anchor"
    n_links = sum(len(page.links) for page in pages.values())
    print(f"check_links: {len(pages)} pages, {n_links} links", flush=True)


broken = list(broken_links(sys.argv[1]))
for line in broken:
    print(line, file=sys.stderr)
sys.exit(1 if broken else 0)
