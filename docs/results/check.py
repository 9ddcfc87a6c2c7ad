#!/usr/bin/env python3
"""Verifies that docs/RESULTS.md quotes what the pages of docs/results say.

    python3 docs/results/check.py [--mutate]

A table row's numbers must stand on a page that its last cell links: the numbers of each cell one behind the other
(parts between semicolons apart) in one line of it, which contains one of the keys (code) behind the link where there
are any. The numbers of a paragraph or list item must stand on the page that is linked next after them, or on one of
several that are linked together. Commands, commits and dates must be those of the index
(docs/results/README.md), and its commands those of make.sh. Every page is in the index, every plot is shown or
linked, and every link leads somewhere.

Prints what is wrong and ends with status 1. --mutate alters each number of RESULTS.md in turn and says which
alterations would not be noticed. Needs only Python itself and bash.
"""

import functools
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
RESULTS = HERE.parent / "RESULTS.md"
MOST_LINES = 200
# Neither pages nor plots.
TOOLS = {"README.md", "make.sh", "check.py"}

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"`([^`]*)`")
COMMIT = re.compile(r"\b(?=[0-9a-f]*\d)[0-9a-f]{7}\b")
# A number of its own: not a part of a name (WRN-16-1, p95, 64-bit) or of a size (640x480).
NAME = re.compile(r"(?:\b\d+-)?[A-Za-z][\w.-]*")
NUMBER = re.compile(
    r"(?<![\w.])[-+]?(?:(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?|\.\d+)(?:e[-+]?\d+)?(?!\w|\.\d)"
)


def numbers(text):
    """The numbers of a text in their order, as they are compared: without thousands separators, .91 as 0.91."""
    found = (match.replace(",", "") for match in NUMBER.findall(NAME.sub(" ", text)))
    return [re.sub(r"^([-+]?)\.", r"\g<1>0.", number) for number in found]


def stands_in(part, whole):
    """Whether numbers stand one behind the other among others."""
    return any(whole[at : at + len(part)] == part for at in range(len(whole) - len(part) + 1))


def plain(line):
    """A line without the marks of tables and with single spaces, for keys."""
    return " ".join(line.replace("|", " ").replace("*", "").split())


@functools.cache
def page_lines(path):
    """Each line of a page: its text for keys, its numbers."""
    return [(plain(line), numbers(line)) for line in path.read_text(encoding="utf-8").splitlines()]


def pages_of(text):
    """The pages of results that a text links, of those that are there."""
    paths = ((RESULTS.parent / target).resolve() for target in LINK.findall(text))
    return [path for path in paths if path.parent == HERE and path.is_file()]


def prose(text):
    """What of a text is quoted: without links, code, commits and the level of the intervals."""
    return COMMIT.sub(" ", CODE.sub(" ", LINK.sub(" ", text))).replace("95 % interval", " ").replace("95 % bootstrap", " ")


def check_row(row):
    *cells, source = [cell.strip() for cell in row.strip().strip("|").split("|")]
    lines = [line for page in pages_of(source) for line in page_lines(page)]
    keys = [plain(key) for key in CODE.findall(source)]
    for key in keys:
        if not any(key in text for text, _ in lines):
            yield f"no line has the key `{key}`: {row}"
    lines = [has for text, has in lines if not keys or any(key in text for key in keys)]
    for cell in cells:
        parts = [numbers(part) for part in prose(cell).split(";")]
        if any(parts) and not any(all(stands_in(part, has) for part in parts) for has in lines):
            yield f"no such line has `{cell}`: {row}"


def check_prose(block, index):
    pages = []
    # What stands before links that follow each other, and these links.
    for found in re.finditer(rf"(.*?)((?:{LINK.pattern}(?:, )?)+|$)", block):
        clause, links = found.group(1), found.group(2)
        pages = pages_of(links) or pages
        there = {number for page in pages for _, has in page_lines(page) for number in has}
        if missing := set(numbers(prose(clause))) - there:
            yield f"not on a page that is linked behind it: {', '.join(sorted(missing))}: {block}"
    for commit in COMMIT.findall(CODE.sub(" ", block)):
        if commit not in index:
            yield f"commit {commit} is not in docs/results/README.md: {block}"


def index_rows(text):
    """Page, command, commit and date of each row of an index."""
    rows = {}
    for line in text.splitlines():
        found = re.match(r"\| \[[^\]]*\]\(([^)]+)\) .*\| `([^`]+)` \| (\w+) \| (\S+) \|$", line)
        if found:
            name, *rest = found.groups()
            rows[name.rsplit("/", 1)[-1]] = tuple(rest)
    return rows


def blocks(text):
    """The table rows without their heads, and the paragraphs and list items, each as one line."""
    block, previous = "", ""
    for line in [*text.splitlines(), ""]:
        starts = not line or line.startswith(("#", "|", "- ", "!["))
        if starts and block:
            yield block
            block = ""
        if line.startswith("|") and not line.startswith("|---"):
            if previous.startswith("|"):
                yield line
        elif line and not line.startswith(("#", "|", "!")):
            block = f"{block} {line.strip()}".strip()
        previous = line


def check_text(text, index):
    """What is wrong in the text of RESULTS.md."""
    rows = index_rows(index)
    for name, row in index_rows(text).items():
        if rows.get(name) != row:
            yield f"command, commit or date of {name} are not those of docs/results/README.md"
    for label, target in re.findall(r"\[([\w-]+)\]\(results/([^)]+)\.(?:txt|md)\)", text):
        if label != target:
            yield f"the link to {target} is called {label}"
    linked = {path.name for path in pages_of(text)}
    for name in sorted(linked - set(rows) - TOOLS):
        yield f"{name} is quoted and docs/results/README.md has no row with its command and commit"
    for block in blocks(text):
        if not block.startswith("|"):
            yield from check_prose(block, index)
        elif not index_rows(block):
            yield from check_row(block)
    if len(text.splitlines()) > MOST_LINES:
        yield f"RESULTS.md has {len(text.splitlines())} lines, at most {MOST_LINES} are wanted"


def check_folder(text, index):
    """What is wrong with the index, the links and make.sh."""
    links = set()
    for page in [RESULTS, *sorted(HERE.glob("*.md"))]:
        for target in LINK.findall(page.read_text(encoding="utf-8")):
            if "://" in target:
                continue
            path = (page.parent / target.split("#")[0]).resolve()
            links.add(path)
            if not path.exists():
                yield f"{page.name} links {target}, which is not there"
    indexed = {(HERE / target).resolve() for target in LINK.findall(index)}
    for path in sorted(HERE.iterdir()):
        if path.is_file() and path.name not in TOOLS and path not in indexed:
            yield f"docs/results/README.md does not list {path.name}"
    for path in sorted((HERE / "plots").iterdir()):
        if path not in links:
            yield f"plots/{path.name} is shown nowhere"
    listed = subprocess.run([HERE / "make.sh", "--list"], check=True, capture_output=True, text=True).stdout
    commands = dict(line.split("\t") for line in listed.splitlines())
    for name, (command, *_) in index_rows(index).items():
        page = name.rsplit(".", 1)[0]
        made = commands.pop(page, None)
        if command not in (made, f"docs/results/make.sh {page}") or made is None:
            yield f"docs/results/README.md has `{command}` for {page}, make.sh has `{made}`"
    for page in commands:
        yield f"make.sh makes {page}, of which docs/results/README.md has no row"


def mutate(text, index):
    """Alters the last digit of each number in turn; prints which alterations are not noticed."""
    tried, unnoticed = 0, []
    for match in re.finditer(r"\d(?!\d)", text):
        at = match.start()
        altered = text[:at] + str((int(text[at]) + 1) % 10) + text[at + 1 :]
        tried += 1
        wrong = next(check_text(altered, index), None) or next(
            (target for target in LINK.findall(altered) if not (RESULTS.parent / target).exists()), None
        )
        if wrong is None:
            line = text.count("\n", 0, at) + 1
            unnoticed.append(f"line {line}: ...{text[max(0, at - 30) : at + 20]!r}")
    print(f"{tried} digits altered one at a time, {tried - len(unnoticed)} noticed; not noticed:")
    print("\n".join(unnoticed) or "none")


def main():
    text, index = RESULTS.read_text(encoding="utf-8"), (HERE / "README.md").read_text(encoding="utf-8")
    wrong = [*check_text(text, index), *check_folder(text, index)]
    for what in wrong:
        print(f"results: {what}", file=sys.stderr)
    if wrong:
        sys.exit(1)
    print(f"results: all that docs/RESULTS.md quotes stands on {len({path.name for path in pages_of(text)} - TOOLS)} pages")
    if sys.argv[1:] == ["--mutate"]:
        mutate(text, index)


if __name__ == "__main__":
    main()
