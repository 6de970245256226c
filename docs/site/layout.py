#!/usr/bin/env -S python3 -B
# lk-parallel | SPDX-License-Identifier: MIT
"""layout.py FILE: the layout for Doxygen, with the pages of the guide at the side in the order of its index. A page that
the index leaves out, or has too many, stops the build. Runs in the root of the repository.
"""
import sys

import pages

names = pages.names()
order = pages.guide()
there = {path for path in names if path.startswith(pages.GUIDE) and path != pages.INDEX}
if there != {path for path, _ in order}:
    sys.exit(f"{pages.INDEX} and the pages of the guide differ in: {', '.join(sorted(there ^ {path for path, _ in order}))}")
tabs = [f'<tab type="user" visible="yes" url="@ref {names[path]}" title="{title}"/>' for path, title in order]
with open(sys.argv[1], encoding="utf-8") as layout:
    print(layout.read().replace("<!-- the pages of the guide -->", "\n      ".join(tabs)), end="")
