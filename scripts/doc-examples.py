"""Counts the public items of some crates that have an example, and names those that have none. Exits with 1 if there
are any.

Usage: python3 scripts/doc-examples.py [crate ...]      (by default: frame lazy flight)

An item is a `pub fn`, `struct`, `enum`, `trait` or `type`, or a function of a public trait. It has an example if its
documentation has a code block, or says "for an example" and links to the item that has it. Items that are hidden, and
those in private modules that nothing exports, are not counted: the latter cannot be told here, so `pub(crate)` is
what they have to say.
"""

import pathlib
import re
import sys

ITEM = re.compile(r"^(\s*)(?:pub (?:const )?(?:unsafe )?(fn|struct|enum|trait|type) (\w+)|fn (\w+))")


# A module of the crate's root that its documentation leaves out.
HIDDEN = re.compile(r"#\[doc\(hidden\)\]\n(?:pub )?mod (\w+)")


def items(text):
    doc, hidden, in_trait, hidden_until = [], False, False, None
    for line in text.split("\n"):
        stripped = line.strip()
        if line.startswith("#[cfg(test)]"):
            return
        if hidden_until is not None:
            if line.startswith(hidden_until + "}"):
                hidden_until = None
            continue
        if stripped.startswith("///"):
            doc.append(stripped)
        elif stripped.startswith("#["):
            hidden |= "doc(hidden)" in stripped
        else:
            found = ITEM.match(line)
            if hidden and re.match(r"\s*(impl|pub mod)\b", line):
                hidden_until = re.match(r"\s*", line).group()
            elif found and not hidden:
                indent, kind, name, of_trait = found.groups()
                if kind:
                    in_trait = kind == "trait"
                    yield name, doc
                elif in_trait and indent == "    ":
                    yield of_trait, doc
            if line == "}":
                in_trait = False
            doc, hidden = [], False


def has_example(doc):
    return any("```" in line or "for an example" in line for line in doc)


def main():
    lacking = 0
    for crate in sys.argv[1:] or ["frame", "lazy", "flight"]:
        missing, count = [], 0
        source = pathlib.Path("crates", crate, "src")
        hidden = HIDDEN.findall((source / "lib.rs").read_text())
        for path in sorted(source.rglob("*.rs")):
            # Generated code has the documentation of its protocol.
            if path.relative_to(source).parts[0].removesuffix(".rs") in (*hidden, "generated"):
                continue
            for name, doc in items(path.read_text()):
                count += 1
                if not has_example(doc):
                    missing.append(f"{path}: {name}")
        print(f"{crate}: {count - len(missing)} of {count} public items have an example")
        for item in missing:
            print("  without:", item)
        lacking += len(missing)
    return 1 if lacking else 0


sys.exit(main())
