#!/usr/bin/env -S python3 -B
# lk-parallel | SPDX-License-Identifier: MIT
"""examples.py: declares the programs in examples/ to Doxygen, each with the paragraph that stands on top of it. Runs in
the root of the repository.
"""
import os
import re
import sys

for name in sorted(os.listdir("examples")):
    if not name.endswith(".cpp"):
        continue
    with open(f"examples/{name}", encoding="utf-8") as program:
        paragraph = re.search(r"\n\n((?:// .*\n)+)", program.read())
    if not paragraph:
        sys.exit(f"examples/{name}: no paragraph says what it is about")
    print(f"/** @example {name}\n{re.sub('^// ', '', paragraph.group(1), flags=re.MULTILINE)}*/\n")
