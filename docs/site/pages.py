# lk-parallel | SPDX-License-Identifier: MIT
"""The Markdown pages of the site, their names on it, and the order of the guide. Paths are from the repository's root."""
import os
import re

GUIDE = "docs/guide"
INDEX = f"{GUIDE}/index.md"


def names():
    """The name of each page on the site."""
    found = {"README.md": "index"}
    for folder in ("docs", GUIDE, "docs/design"):
        for name in sorted(os.listdir(folder)):
            if name.endswith(".md"):
                found[f"{folder}/{name}"] = f"{os.path.basename(folder)}_{name[:-3]}".replace("-", "_")
    return found


def guide():
    """Path and title of each page of the guide, in the order of its index."""
    with open(INDEX, encoding="utf-8") as index:
        rows = re.findall(r"^\| \[([^]]+)\]\(([\w-]+\.md)\)", index.read(), re.MULTILINE)
    return [(f"{GUIDE}/{name}", title) for title, name in rows]


def api():
    """What the API by topic calls each name, and its full name."""
    with open("docs/site/api.dox", encoding="utf-8") as topics:
        return {short: full for full, short in re.findall(r'@ref (lk::[\w:]+) "([\w:]+)"', topics.read())}
