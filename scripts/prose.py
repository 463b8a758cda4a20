"""Lists the sentences of comments and pages that are too long, and the phrases that hide who does what.

Usage: python3 scripts/prose.py [--list] [path ...]      (by default: all crates, tests, benches, examples and pages)

Prints a count for each crate or page; with `--list` the sentences themselves, each with its file and line. Exits with 1
if there are any. Code blocks, tables, headings and links' targets are not prose and are left out.
"""

import pathlib
import re
import sys

MAX_WORDS = 30

# Each phrase has a plain counterpart: a noun as the subject, a verb, a number.
PHRASES = [
    (re.compile(pattern, 0 if "What" in pattern else re.I), name)
    for pattern, name in [
        (r"\bwhat (?:is|are|was|were|has|have|had|does|do|it|they|one)\b[^.,;:?()]{0,60} (?:is|are|was|were)\b", "what is ... is"),
        (r"^What (?!to watch|changed)(?![^.]*\?)|[.;:(] what (?:is|are|was|were|has|have|had|does|do)\b(?![^.]*\?)", "What is ... (as a subject)"),
        (r"\bso many\b|\bso much\b(?! (?:that|as))", "so many"),
        (r"\bas many (?:\w+ )?as there (?:is|are)\b", "as many as there are"),
        (r"\bbe (?:it|they) (?:that|of)\b", "be it that"),
        (r"\bwhoever\b|\bwhomever\b", "whoever"),
        (r"\bwhatever it is\b", "whatever it is"),
        (r"\bis looked at\b|\bare looked at\b|\blooks? at (?:it|them) again\b", "is looked at"),
        (r"\b(?:is|are) thought to\b", "is thought to"),
        (r"\bthat which\b|\bthose which\b|\bof which (?:at least )?one in\b", "that which"),
        (r"\ba (?:row|value|file|batch|column) a (?:row|value|file|batch|column)\b", "a ... a ..."),
        (r"\b(?:bytes|rows|bits|values|keys|nanoseconds|batches|columns|buffers) an? (?:row|value|batch|record batch|file|key|column|second|thread|block|frame)\b", "per, not a"),
        (r"\bby hand of\b|\bin any case by\b", "vague measure"),
    ]
]

ROOTS = ["crates", "tests", "benches", "examples", "fuzz", "integrations", "docs"]
PAGES = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "RELEASING.md"]
# The pages of benchmarks are made of benches/src/report/text, where they are looked through.
SKIPPED = re.compile(r"/(target|corpus|results|node_modules|generated)/|/history/|docs/benchmarks/")


def rust_blocks(text):
    """Runs of comment lines: (first line, their text). Code blocks inside are left out."""
    block, first, kind = [], 0, None
    for number, line in enumerate(text.split("\n") + [""], 1):
        found = re.match(r"\s*(///|//!|//)(?!/) ?(.*)", line)
        if found and (kind is None or found.group(1) == kind):
            if kind is None:
                first, kind = number, found.group(1)
            block.append(found.group(2))
            continue
        if block:
            yield first, block
        block, kind = [], None
        if found:
            first, kind, block = number, found.group(1), [found.group(2)]
        elif 'doc = "```' in line:
            # An example for which a feature is needed: the fence is an attribute.
            first, kind, block = number, re.sub("#!.*", "//!", line.strip()).replace("#[", "///")[:3], ["```"]


def python_blocks(text):
    for number, line in enumerate(text.split("\n"), 1):
        found = re.match(r"\s*# ?(.*)", line)
        if found:
            yield number, [found.group(1)]


def paragraphs(first, lines):
    """Paragraphs and list items: (line, text)."""
    text, start, fenced = [], first, False
    for number, line in enumerate(lines + [""], first):
        if re.match(r"\s*```", line):
            fenced = not fenced
            line = ""
        elif fenced or re.match(r"\s*(\||#|\[[^]]*\]: |<|SAFETY: ?$)", line) or line.startswith("    "):
            line = ""
        item = re.match(r"\s*(?:[-*]|\d+\.) +", line)
        if item or not line.strip():
            if text:
                yield start, " ".join(text)
            text = []
            line = line[item.end() :] if item else line
        if line.strip():
            if not text:
                start = number
            text.append(line.strip())


def sentences(text):
    text = re.sub(r"\]\([^)]*\)|\]\[[^]]*\]", "]", text)
    text = re.sub(r"\{\{[^}]*\}\}", "1.00x", text)
    return re.split(r"(?<=[.!?])(?<!e\.g\.)(?<!i\.e\.)[\"')]?\s+(?=[A-Za-z0-9`\"\[*(])", text)


def words(sentence):
    return len(re.findall(r"[\w`'\[\].:()*/<>&-]*\w[\w`'\[\].:()*/<>&-]*", sentence))


def findings(path):
    text = path.read_text()
    blocks = rust_blocks(text) if path.suffix == ".rs" else [(1, text.split("\n"))]
    for first, lines in blocks:
        for line, paragraph in paragraphs(first, lines):
            for sentence in sentences(paragraph):
                # The reasons why `unsafe` is sound may be as long as they have to be.
                if (count := words(sentence)) > MAX_WORDS and not paragraph.startswith("SAFETY"):
                    yield line, f"{count} words", sentence
                for pattern, name in PHRASES:
                    if pattern.search(sentence):
                        yield line, name, sentence


def files(arguments):
    for root in map(pathlib.Path, arguments or ROOTS + PAGES):
        if root.is_file():
            yield root
            continue
        for path in sorted(root.rglob("*")):
            if path.suffix in (".rs", ".md") and not SKIPPED.search(f"/{path}"):
                yield path


def group(path):
    parts = path.parts
    return "/".join(parts[:2]) if parts[0] == "crates" else str(path) if path.suffix == ".md" else parts[0]


def main():
    arguments = sys.argv[1:]
    listed = "--list" in arguments
    counts = {}
    for path in files([argument for argument in arguments if argument != "--list"]):
        for line, kind, sentence in findings(path):
            long, phrases = counts.get(group(path), (0, 0))
            counts[group(path)] = (long + 1, phrases) if kind.endswith("words") else (long, phrases + 1)
            if listed:
                print(f"{path}:{line}: {kind}: {sentence}")
    for name, (long, phrases) in counts.items():
        print(f"{name}: {long} sentences above {MAX_WORDS} words, {phrases} phrases")
    total = [sum(column) for column in zip((0, 0), *counts.values())]
    print(f"all: {total[0]} sentences above {MAX_WORDS} words, {total[1]} phrases")
    return 1 if counts else 0


sys.exit(main())
