#!/usr/bin/env -S python3 -B
# lk-parallel | SPDX-License-Identifier: MIT
"""header_filter.py FILE: the header as Doxygen is to read it, line for line. Runs in the root of the repository.

What belongs to the library alone is left out: the namespaces of the rooms, private members, members that are defaulted,
deleted or refuse to compile, friends, and deduction guides. The fixed labels of docstrings ("Throws: ") become
paragraphs, and the paragraph on top of the header becomes its description.
"""
import os
import re
import sys

ROOMS = ["front"] + [entry.name for entry in os.scandir("include/lk/parallel") if entry.is_dir()]
ROOM = re.compile(rf"^namespace (?:lk::parallel::)?({'|'.join(ROOMS)}) {{")
LABEL = re.compile(r"(^\s*/// |[.;:)] )((?:Blocks|Threads|Fork|Throws|Lifetime|Units|Source)(?:, (?:Lifetime|Units))?): ")
UNNAMED = re.compile(r"^ *friend |= (?:delete|default);|\) && {|\) -> invoker<|^  writer(?:&|\() ?.*writer&& other\)")

# What users name although it is in a room's namespace, and what is beside it there and is not for them.
KEPT = {"wire/cursor.hpp": "wire", "wire/codec.hpp": "wire", "report/progress_state.hpp": "report"}
INTERNAL = re.compile(r"^(?:\[\[noreturn|class nested\b|inline constexpr unsigned max_depth"
                      r"|template .*\b(?:consteval|check_bools|decode_into|decode_flat|decode_members)\b)")


def kept_room(path):
    return next((room for end, room in KEPT.items() if path.endswith(end)), None)


def left_out_from(path, line):
    """Where something to be left out begins: what its last line looks like, and whether that line is left out, too."""
    room = ROOM.match(line)
    if room and room.group(1) != kept_room(path):
        return re.compile(rf"}} // namespace (?:lk::parallel::)?{room.group(1)}\b"), True
    private = re.match(r"( *) private:$", line)
    if private:
        return re.compile(rf"{private.group(1)}}};"), False
    if UNNAMED.search(line) or INTERNAL.match(line):
        is_one_line = re.search("[;}]( //.*)?$", line)
        return re.compile("" if is_one_line else re.match(" *", line).group() + "};?$"), True
    return None


def docstring_line(line, is_first):
    if is_first:  # a sentence of its own
        line = re.sub(r"/// Units: (.)", lambda m: "/// " + m.group(1).upper(), line)
    return LABEL.sub(lambda m: f"{m.group(1)}@label{{{m.group(2)}}} ", line)


def described(lines):
    """The lines, with the paragraph on top as the description of the file."""
    first = next(i for i, line in enumerate(lines) if i > 0 and line.startswith("// "))
    last = next(i for i in range(first, len(lines) + 1) if i == len(lines) or not lines[i].startswith("//"))
    top = ["/// @header " + lines[first][3:]] + ["/" + line for line in lines[first + 1 : last]]
    return lines[:first] + top + lines[last:]


def filtered(path, lines):
    docstring = []  # goes the way of the declaration that follows it
    left_out = None
    for line in lines:
        if left_out is None and re.match(r"\s*///(?!<)", line):
            docstring.append(docstring_line(line, not docstring))
            continue
        left_out = left_out or left_out_from(path, line)
        is_last = left_out and left_out[0].match(line)
        is_kept = left_out is None or (is_last and not left_out[1])
        yield from docstring if is_kept else ["\n"] * len(docstring)
        yield line if is_kept else "\n"
        docstring = []
        if is_last:
            left_out = None
    yield from docstring


with open(sys.argv[1], encoding="utf-8") as header:
    sys.stdout.writelines(filtered(sys.argv[1], described(header.readlines())))
