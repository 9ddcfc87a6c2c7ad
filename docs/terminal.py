"""A terminal's screen as an SVG: reads what `tmux capture-pane -e -p` wrote from the standard input.

    python3 docs/terminal.py COLUMNS <SCREEN >IMAGE.svg

docs/terminal.sh makes the image of README.md with it. Needs only Python itself. Supports the control
sequences that the dashboard uses: colours of any kind, bold, dim, italic, underlined, reversed.
"""

import html
import re
import sys

CELL_WIDTH, CELL_HEIGHT, FONT_SIZE, MARGIN = 8.4, 17, 14, 14
INK, PAPER = "#d8dee9", "#14181f"
# The sixteen colours, quiet enough for a page.
PALETTE = (
    "#2a303b", "#e06c75", "#8fbf6f", "#e0b860", "#6aa7e8", "#c58ae0", "#5fc0c8", "#c8ced8",
    "#7a8494", "#ff8a92", "#a9dc88", "#ffd580", "#8cc2ff", "#dda8f5", "#80dce4", "#ffffff",
)
PLAIN = {"ink": None, "paper": None, "bold": False, "dim": False, "italic": False, "underlined": False,
         "reversed": False}
SWITCHES = {1: ("bold", True), 2: ("dim", True), 3: ("italic", True), 4: ("underlined", True),
            7: ("reversed", True), 23: ("italic", False), 24: ("underlined", False), 27: ("reversed", False),
            39: ("ink", None), 49: ("paper", None)}


def colour_256(number):
    if number < 16:
        return PALETTE[number]
    if number >= 232:
        return "#" + f"{8 + 10 * (number - 232):02x}" * 3
    number -= 16
    levels = (0, 95, 135, 175, 215, 255)
    return "#" + "".join(f"{levels[part]:02x}" for part in (number // 36, number // 6 % 6, number % 6))


def restyle(style, codes):
    """The style after a sequence of SGR codes."""
    codes = [int(code or 0) for code in codes]
    style = dict(style)
    while codes:
        code = codes.pop(0)
        if code == 0:
            style = dict(PLAIN)
        elif code == 22:
            style["bold"] = style["dim"] = False
        elif code in SWITCHES:
            name, value = SWITCHES[code]
            style[name] = value
        elif code in (38, 48):
            kind = codes.pop(0)
            if kind == 5:
                colour = colour_256(codes.pop(0))
            else:
                colour = "#" + "".join(f"{codes.pop(0):02x}" for _ in range(3))
            style["ink" if code == 38 else "paper"] = colour
        else:
            for first, name, offset in ((30, "ink", 0), (90, "ink", 8), (40, "paper", 0), (100, "paper", 8)):
                if first <= code < first + 8:
                    style[name] = PALETTE[code - first + offset]
    return style


def runs(line, style):
    """Pieces of a line of one style, and the style after it."""
    pieces = []
    for part in re.split(r"(\x1b\[[0-9;:]*m)", line):
        if part.startswith("\x1b["):
            style = restyle(style, re.split("[;:]", part[2:-1]))
        elif part:
            pieces.append((part, style))
    return pieces, style


def piece_of(text, style, x, y):
    """The SVG of a piece of a line, without the blanks at its ends, so that an image stays small."""
    ink, paper = style["ink"] or INK, style["paper"]
    if style["reversed"]:
        ink, paper = paper or PAPER, ink
    drawn = []
    if paper:
        drawn.append(f'<rect x="{x:.1f}" y="{y}" width="{len(text) * CELL_WIDTH:.1f}" '
                     f'height="{CELL_HEIGHT}" fill="{paper}"/>')
    # Wide gaps are left out instead of drawn: fonts differ in the width of a blank.
    for word in re.finditer(r"\S+(?: \S+)*", text):
        words = word.group()
        marks = f' fill="{ink}"' if ink != INK else ""
        for name, mark in (("bold", ' font-weight="bold"'), ("dim", ' opacity="0.6"'),
                           ("italic", ' font-style="italic"'), ("underlined", ' text-decoration="underline"')):
            marks += mark if style[name] else ""
        drawn.append(
            f'<text x="{x + word.start() * CELL_WIDTH:.1f}" y="{y + CELL_HEIGHT - 4}" '
            f'textLength="{len(words) * CELL_WIDTH:.1f}" lengthAdjust="spacingAndGlyphs"{marks}>'
            f"{html.escape(words, quote=False)}</text>")
    return "\n".join(drawn)


def main():
    columns = int(sys.argv[1])
    # Not splitlines: that would take other signs for line ends, too.
    lines = sys.stdin.read().rstrip("\n").split("\n")
    width = columns * CELL_WIDTH + 2 * MARGIN
    height = len(lines) * CELL_HEIGHT + 2 * MARGIN
    print(f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height}" '
          f'viewBox="0 0 {width:.0f} {height}">')
    print(f'<rect width="100%" height="100%" rx="8" fill="{PAPER}"/>')
    print(f'<g fill="{INK}" font-size="{FONT_SIZE}" '
          "font-family=\"'DejaVu Sans Mono', Menlo, Consolas, 'Liberation Mono', monospace\">")
    style = PLAIN
    for row, line in enumerate(lines):
        pieces, style = runs(line, style)
        column = 0
        for text, of_text in pieces:
            piece = piece_of(text, of_text, MARGIN + column * CELL_WIDTH, MARGIN + row * CELL_HEIGHT)
            if piece:
                print(piece)
            column += len(text)
    print("</g>\n</svg>")


if __name__ == "__main__":
    main()
