#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Draws what a terminal was sent (standard input) as an SVG picture (standard output)."""

import re
import sys
from html import escape

WIDTH, HEIGHT, BORDER = 7.8, 17, 14
COLOURS = {"31": "#ff7b72", "32": "#7ee787", "33": "#e3b341"}

lines = sys.stdin.read().replace("\r", "").rstrip("\n").split("\n")
columns = max(len(re.sub("\x1b\\[[0-9;]*m", "", line)) for line in lines)
width, height = columns * WIDTH + 2 * BORDER, len(lines) * HEIGHT + 2 * BORDER
print(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}" font-size="13" '
      'font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, \'DejaVu Sans Mono\', monospace">')
print("<!-- SPDX-License-Identifier: GPL-2.0-only -->")
print(f'<rect width="100%" height="100%" rx="8" fill="#0d1117"/>')
for number, line in enumerate(lines):
    y = BORDER + number * HEIGHT + 13
    column, style = 0, ""
    for piece in re.split("(\x1b\\[[0-9;]*m)", line):
        if piece.startswith("\x1b"):
            style = piece[2:-1]
            continue
        text = piece.strip(" ")
        if text:
            x = BORDER + (column + len(piece) - len(piece.lstrip(" "))) * WIDTH
            fill = COLOURS.get(style, "#8b949e" if style == "2" else "#e6edf3")
            weight = ' font-weight="bold"' if style == "1" else ""
            # The length is said, so that columns line up in any font.
            print(f'<text x="{x:.1f}" y="{y}" fill="{fill}"{weight} xml:space="preserve" '
                  f'textLength="{len(text) * WIDTH:.1f}">{escape(text)}</text>')
        column += len(piece)
print("</svg>")
