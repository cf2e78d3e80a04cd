"""Checks who imports whom in scripts/python: python3 -m lab.imports

Each package may import the packages that MAY_IMPORT names, and no modules may
import each other in a circle. Every import statement counts, also one inside a
function or for type checkers alone. Exit status: 0 all is well, 1 an import is
wrong, which is named.
"""

import ast
import sys
from pathlib import Path
from typing import Iterator, NamedTuple

ROOT = Path(__file__).resolve().parent.parent
MAY_IMPORT = {
    "lab": {"lab"},
    "torture": {"lab", "torture"},
    "netlab": {"lab", "netlab"},
    "oracle": {"lab", "oracle"},
    "boxes": {"lab", "boxes"},
    "release": {"lab", "release"},
    "recipes": {"lab", "netlab", "recipes"},  # its networks are netlab's
    "recording": {"lab", "netlab", "recording"},  # its network is netlab's
    "bench": {"lab", "bench"},
    "counts": {"lab", "bench", "counts"},  # it starts servers as the bench does
    "compare": {"lab", "netlab", "compare"},  # its situations are netlab's
    "mesh": {"lab", "mesh"},
    "meshlab": {"lab", "mesh", "meshlab"},
}


class Import(NamedTuple):
    """One module of ours imports another, in this line."""

    importer: str
    line: int
    imported: str


def main() -> int:
    modules = {name(path): path for path in sorted(ROOT.rglob("*.py"))}
    imports = [each for module, path in modules.items() for each in imports_of(module, path, set(modules))]
    wrong = [*misplaced(set(modules)), *forbidden(imports), *circles(imports)]
    for line in dict.fromkeys(wrong):
        print(f"imports: {line}", file=sys.stderr)
    return 1 if wrong else 0


def name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(module: str, path: Path, modules: set[str]) -> Iterator[Import]:
    package = module.split(".") if path.stem == "__init__" else module.split(".")[:-1]
    for node in ast.walk(ast.parse(path.read_text(), str(path))):
        if isinstance(node, ast.Import):
            found = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            origin = ".".join([*above, *([node.module] if node.module else [])])
            # What is imported from a package is a module of it, or a name in it.
            inside = [f"{origin}.{alias.name}" for alias in node.names]
            found = [each if each in modules else origin for each in inside]
        else:
            continue
        for each in dict.fromkeys(found):
            if each in modules:
                yield Import(module, node.lineno, each)


def misplaced(modules: set[str]) -> Iterator[str]:
    for package in sorted({module.split(".")[0] for module in modules} - set(MAY_IMPORT)):
        yield f"{package}: nothing is said in MAY_IMPORT of what it may import"


def forbidden(imports: list[Import]) -> Iterator[str]:
    for importer, line, imported in imports:
        package = importer.split(".")[0]
        allowed = MAY_IMPORT.get(package, set())
        if imported.split(".")[0] not in allowed:
            yield f"{importer}, line {line}: imports {imported}; {package} may import {', '.join(sorted(allowed))}"


def circles(imports: list[Import]) -> Iterator[str]:
    """Each circle once, as a chain of modules that ends where it began."""
    imported: dict[str, list[str]] = {}
    for each in imports:
        imported.setdefault(each.importer, []).append(each.imported)
    done: set[str] = set()

    def follow(module: str, way: list[str]) -> Iterator[str]:
        if module in way:
            yield "a circle: " + " imports ".join([*way[way.index(module) :], module])
        elif module not in done:
            for each in imported.get(module, []):
                yield from follow(each, [*way, module])
            done.add(module)

    for module in imported:
        yield from follow(module, [])


if __name__ == "__main__":
    sys.exit(main())
