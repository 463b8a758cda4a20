"""Every path, module and item that docs/architecture.md names is there; and so is every file that another page names.

Usage: python3 scripts/named-paths.py       Exits with 1 and names what is missing.

In the architecture page `frame::write::chunk` is a crate and its modules, `write::emit` the end of such a path, and a last
segment may be an item: a function, type, constant or variant. Names of Rust and of Polars are in KNOWN.
"""

import pathlib
import re
import sys

PAGE = pathlib.Path("docs/architecture.md")
PAGES = sorted(pathlib.Path(".").glob("*.md")) + sorted(pathlib.Path("docs").glob("*.md"))
PAGES += sorted(pathlib.Path("docs/adr").glob("*.md"))
KNOWN = {"Read", "Write", "Send", "unsafe", "try_from", "polars_lazy::col"}
CRATES = [path for path in sorted(pathlib.Path("crates").iterdir()) if path.is_dir()]
ITEM = r"(?:fn|struct|enum|trait|const|static|type|mod|macro_rules!)\s+{0}\b|^\s+(?:pub )?{0}\s*[(,{{:=]|\b{0}\b(?=,| as |;|}})"


def sources(crate):
    folder = crate / "src"
    return folder if folder.is_dir() else crate


def modules():
    """Module paths, as tuples from the crate on, with their files."""
    out = {}
    for crate in CRATES:
        for path in sources(crate).rglob("*.rs"):
            parts = list(path.relative_to(sources(crate)).with_suffix("").parts)
            if parts[-1] in ("mod", "lib", "main"):
                parts.pop()
            out[(crate.name, *parts)] = path
    return out


def has_item(text, name):
    return re.search(ITEM.format(re.escape(name)), text, re.M) is not None


def resolves(name, known, texts):
    if list(pathlib.Path("fuzz").glob(f"*/{name}.rs")):
        return True
    parts = tuple(name.removesuffix("()").split("::"))
    # The longest run of segments that is a module, or the end of one; the rest are items, the first of them in it.
    for cut in range(len(parts), 0, -1):
        for module, path in known.items():
            inside = module[-cut:] == parts[:cut] or (len(module) == cut and module == parts[:cut])
            if inside and (cut == len(parts) or items_in(module, parts[cut:], known, texts)):
                return True
    return all(any(has_item(text, part) for text in texts.values()) for part in parts) and len(parts) <= 2


def items_in(module, items, known, texts):
    """Whether the first item is named in the module or below it, and the others anywhere in the crate."""
    below = [path for other, path in known.items() if other[: len(module)] == module]
    crate = [path for other, path in known.items() if other[0] == module[0]]
    first = any(has_item(texts[path], items[0]) for path in below)
    return first and all(any(has_item(texts[path], item) for path in crate) for item in items[1:])


def exists(path):
    candidates = [path, f"{path}.rs", f"tests/src/{path.removeprefix('tests/')}"]
    return any(pathlib.Path(candidate).exists() for candidate in candidates)


def main():
    known = modules()
    texts = {path: path.read_text() for path in known.values()}
    missing = []
    for page in PAGES:
        text = re.sub(r"```.*?```", "", page.read_text(), flags=re.S)
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
            if not (page.parent / target).exists():
                missing.append(f"{page} links to {target}")
        for name in re.findall(r"`([^`]+)`", text):
            if re.fullmatch(r"(crates|docs|tests|benches|scripts|fuzz|examples)/[\w./-]+", name):
                if not exists(name.rstrip("/")):
                    missing.append(f"{page} names the path {name}")
            elif page == PAGE and re.fullmatch(r"[A-Za-z_]+(::[A-Za-z_0-9]+)*(\(\))?", name):
                if name not in KNOWN and not resolves(name, known, texts):
                    missing.append(f"{page} names {name}")
    for line in missing:
        print(line + ", which does not exist", file=sys.stderr)
    return 1 if missing else 0


sys.exit(main())
