#!/usr/bin/env python3
"""Checks that nothing names something above it: no circle between the modules of a crate, and crates that depend
on lower ones only.

    .ci/module_graph.py            fails on a circle and on a crate that depends on a higher one
    .ci/module_graph.py --print    prints the graph of crates and that of each crate's modules

A module is one at the top of a crate. What it names is read from its sources: `use` and paths that begin with
`crate`, `super` or `self`. Tests and what stands under `#[cfg(test)]` may name anything. Python alone is needed.
"""

import pathlib
import re
import sys
import tomllib

# The crates of the program, each above those before it; those of one line do not know each other.
LAYERS = (
    ("parseye-command-line", "parseye-plot", "parseye-vision"),
    ("parseye-demo",),
    ("parseye-capture",),
    ("parseye-events",),
    ("parseye",),
)
# Beside them: the training needs what a model is and how one is evaluated, and nothing of a live run.
TRAIN = {"parseye-train": {"parseye-command-line", "parseye-demo", "parseye-plot", "parseye-vision"}}

PATH = r"(?:crate|super|self)(?:::[A-Za-z_][A-Za-z0-9_]*)*"
USE = re.compile(r"\buse\s+([^;]+);")
MENTION = re.compile(rf"(?<![\w:$]){PATH}")
MODULE = re.compile(r"(?:pub(?:\([^)]*\))?\s+)?mod\s+([a-z_][a-z0-9_]*)\s*([;{])")


class Unreadable(Exception):
    """What cannot be checked, with the file that it is in."""


def without_comments_and_text(source):
    """The source with comments, strings and characters blanked, so that braces and paths in them do not count."""
    pattern = re.compile(
        r"""//[^\n]*|/\*.*?\*/|b?r(#*)".*?"\1|b?"(?:\\.|[^"\\])*"|b?'(?:\\.[^']*|[^'\\])'""", re.DOTALL
    )
    return pattern.sub(lambda match: re.sub(r"[^\n]", " ", match.group()), source)


def end_of_block(source, start):
    """The position behind the brace that closes the one at or after `start`; or behind a semicolon before it."""
    depth = 0
    for position in range(start, len(source)):
        character = source[position]
        if character == ";" and depth == 0:
            return position + 1
        if character == "{":
            depth += 1
        elif character == "}":
            depth -= 1
            if depth == 0:
                return position + 1
    return len(source)


def without_tests(source):
    """The source without what is built for tests only."""
    attribute = re.compile(r"#\[cfg\((?:test|all\(test\b[^\]]*|any\(test\b[^\]]*)\)\]")
    parts, position = [], 0
    while match := attribute.search(source, position):
        parts.append(source[position : match.start()])
        position = end_of_block(source, match.end())
    return "".join(parts) + source[position:]


def expanded(tree, prefix=""):
    """The paths of a `use` tree: `a::{b, c::{d, e}}` is a::b, a::c::d and a::c::e."""
    tree = tree.strip()
    brace = tree.find("{")
    if brace < 0:
        return [prefix + re.split(r"\s+as\s+", tree)[0]]
    head, body = prefix + tree[:brace], tree[brace + 1 : tree.rindex("}")]
    paths, depth, branch = [], 0, ""
    for character in body + ",":
        if character == "," and depth == 0:
            if branch.strip():
                paths += expanded(branch, head)
            branch = ""
            continue
        depth += {"{": 1, "}": -1}.get(character, 0)
        branch += character
    return paths


def absolute(path, module):
    """A path as a list of names from the crate's root, or None where it begins elsewhere."""
    names = [name.strip() for name in path.split("::")]
    if names[0] == "crate":
        return names[1:]
    if names[0] == "self":
        return list(module) + names[1:]
    if names[0] != "super":
        return None
    here = list(module)
    while names and names[0] == "super":
        here, names = here[:-1], names[1:]
    return here + names


def inline_modules(source):
    """Modules within a file as (name, start of its body, end of it)."""
    found = []
    for match in MODULE.finditer(source):
        if match.group(2) == "{":
            found.append((match.group(1), match.end(), end_of_block(source, match.end() - 1)))
    return found


def module_at(position, file_module, inline):
    """The module that a position of a file is in."""
    return list(file_module) + [name for name, start, end in inline if start <= position < end]


def named(source, file_module):
    """The absolute paths that a file names."""
    source = without_tests(without_comments_and_text(source))
    inline = inline_modules(source)
    paths = []
    for match in USE.finditer(source):
        module = module_at(match.start(), file_module, inline)
        paths += [absolute(path, module) for path in expanded(match.group(1))]
    rest = USE.sub(lambda match: " " * len(match.group()), source)
    for match in MENTION.finditer(rest):
        paths.append(absolute(match.group(), module_at(match.start(), file_module, inline)))
    return [path for path in paths if path]


def sources(folder):
    """The files of a crate that are built without tests, each with its module."""
    for path in sorted(folder.rglob("*.rs")):
        names = list(path.relative_to(folder).with_suffix("").parts)
        if names[-1] in ("mod", "lib", "main"):
            names.pop()
        # A program's own file and those of further programs are above the library.
        if path.name == "main.rs" or names[:1] == ["bin"]:
            continue
        yield path, names


def test_modules(folder):
    """Modules of a crate that are declared under `#[cfg(test)]`, as tuples of names."""
    found = set()
    for path, names in sources(folder):
        text = without_comments_and_text(path.read_text(encoding="utf-8"))
        for match in re.finditer(r"#\[cfg\(test\)\]\s*(?:#\[[^\]]*\]\s*)*" + MODULE.pattern, text):
            found.add((*names, match.group(1)))
    return found


def exports(folder, top):
    """The modules of what the crate's root hands on: `pub use a::B` makes `crate::B` a name of `a`."""
    root = folder / "lib.rs"
    source = root.read_text(encoding="utf-8") if root.is_file() else ""
    owners = {}
    for match in USE.finditer(without_tests(without_comments_and_text(source))):
        for tree in expanded(match.group(1)):
            names = [name for name in tree.split("::") if name not in ("crate", "self")]
            if len(names) > 1 and names[0] in top:
                owners[names[-1]] = names[0]
    return owners


def modules(folder):
    """What each module at the top of a crate names of the others: {module: {other: a path it names}}."""
    tests = test_modules(folder)
    files = [(path, names) for path, names in sources(folder) if names]
    files = [item for item in files if not any(tuple(item[1][:n]) in tests for n in range(1, len(item[1]) + 1))]
    top = {names[0] for _, names in files}
    owners = exports(folder, top)
    graph = {name: {} for name in sorted(top)}
    for path, names in files:
        for target in named(path.read_text(encoding="utf-8"), names):
            other = target[0] if target[0] in top else owners.get(target[0])
            if other and other != names[0]:
                graph[names[0]].setdefault(other, f"{path.name} names {'::'.join(target)}")
    return graph


def circles(graph):
    """The circles of a graph, each as the list of its members: strongly connected ones of more than one."""
    index, low, stack, found = {}, {}, [], []

    def visit(node):
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in graph[node]:
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            members = stack[stack.index(node) :]
            del stack[stack.index(node) :]
            if len(members) > 1:
                found.append(sorted(members))

    for node in graph:
        if node not in index:
            visit(node)
    return found


def packages(root):
    """The workspace's packages: {name: (folder, names of those it is built with)}; for tests may be more."""
    with open(root / "Cargo.toml", "rb") as file:
        members = tomllib.load(file)["workspace"]["members"]
    found = {}
    for member in members:
        with open(root / member / "Cargo.toml", "rb") as file:
            manifest = tomllib.load(file)
        tables = [manifest.get("dependencies", {}), manifest.get("build-dependencies", {})]
        for target in manifest.get("target", {}).values():
            tables += [target.get("dependencies", {}), target.get("build-dependencies", {})]
        found[manifest["package"]["name"]] = (root / member, {name for table in tables for name in table})
    for name, (folder, dependencies) in found.items():
        found[name] = (folder, dependencies & set(found))
    return found


def wrong_dependencies(found):
    """One line for each crate that depends on one beside or above it, or is in no layer."""
    lines = []
    below = set()
    for layer in LAYERS:
        for name in layer:
            if name not in found:
                lines.append(f"there is no package {name}; name the layers anew in .ci/module_graph.py")
                continue
            for other in sorted(found[name][1] - below):
                lines.append(f"{name} depends on {other}, which is not below it")
        below |= set(layer)
    for name, allowed in TRAIN.items():
        for other in sorted(found.get(name, (None, set()))[1] - allowed):
            lines.append(f"{name} depends on {other}, which it should do without")
    return lines


def checked(root):
    """The packages whose modules are looked at: those of the program and the training."""
    found = packages(root)
    names = [name for layer in LAYERS for name in layer] + list(TRAIN)
    return found, [name for name in names if name in found]


def check(root):
    """The mistakes, one line each."""
    found, names = checked(root)
    mistakes = wrong_dependencies(found)
    for name in names:
        graph = modules(found[name][0] / "src")
        if not graph and not (found[name][0] / "src/lib.rs").is_file():
            raise Unreadable(f"{name}: no sources in {found[name][0] / 'src'}")
        for circle in circles(graph):
            reasons = [
                f"    {one} -> {other}: {reason}"
                for one in circle
                for other, reason in sorted(graph[one].items())
                if other in circle
            ]
            mistakes.append("\n".join([f"{name}: a circle of {', '.join(circle)}", *reasons]))
    return mistakes


def show(root):
    """Prints who names whom, crates first."""
    found, names = checked(root)
    print("crates")
    for name in names:
        print(f"  {name} -> {', '.join(sorted(found[name][1])) or '(none)'}")
    for name in names:
        graph = modules(found[name][0] / "src")
        if len(graph) < 2:
            continue
        print(f"\nmodules of {name}")
        for module, others in graph.items():
            print(f"  {module} -> {', '.join(sorted(others)) or '(none)'}")


def main(arguments):
    root = pathlib.Path(__file__).resolve().parent.parent
    if arguments == ["--print"]:
        show(root)
        return 0
    if arguments:
        print("usage: .ci/module_graph.py [--print]", file=sys.stderr)
        return 2
    mistakes = check(root)
    for mistake in mistakes:
        print(mistake)
    return 1 if mistakes else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
