#!/usr/bin/env -S python3 -B
# lk-parallel | SPDX-License-Identifier: MIT
"""layout.py FILE: the layout for Doxygen, with the pages of the guide at the side in the order of its index. A page that
the index leaves out stops the build. Runs in the root of the repository.
"""
import sys

import pages

names = pages.names()
order = pages.guide()
left_out = [path for path in names if path.startswith(pages.GUIDE) and path not in {pages.INDEX, *dict(order)}]
if left_out:
    sys.exit(f"{pages.INDEX} leaves out: {', '.join(left_out)}")
tabs = [f'<tab type="user" visible="yes" url="@ref {names[path]}" title="{title}"/>' for path, title in order]
with open(sys.argv[1], encoding="utf-8") as layout:
    print(layout.read().replace("<!-- the pages of the guide -->", "\n      ".join(tabs)), end="")
