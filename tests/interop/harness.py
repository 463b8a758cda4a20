"""What the scripts share: the JSON beside the files, counting checks, and saying what was skipped."""

import json
import os
import sys
import traceback
from collections import Counter
from pathlib import Path


class Skip(Exception):
    """Raised by a check that cannot be made here; says why."""


class Report:
    """Counts checks; `done` prints one line and ends the script."""

    def __init__(self, name: str):
        self.name, self.passed, self.failed, self.skipped = name, 0, 0, Counter()

    def check(self, name: str, check, *args) -> None:
        try:
            check(*args)
            self.passed += 1
        except Skip as why:
            self.skipped[str(why)] += 1
        except BaseException as error:  # noqa: BLE001 - Rust's panics are no Exceptions
            if isinstance(error, KeyboardInterrupt):
                raise
            self.failed += 1
            print(f"FAILED {name}: {type(error).__name__}: {str(error)[:600]}")
            if os.environ.get("FLOE_TRACE"):
                traceback.print_exc()

    def done(self) -> None:
        for why, count in self.skipped.items():
            print(f"  skipped {count}: {why}")
        print(f"{self.name}: {self.passed} passed, {self.failed} failed")
        sys.exit(1 if self.failed or not self.passed else 0)


def load(path: Path) -> dict:
    """`<frame>.json`, of `<frame>.<variant>.<ending>`."""
    return json.loads(path.with_name(path.name.split(".")[0] + ".json").read_text())


def save(folder: Path, frame: str, sidecar: dict) -> None:
    (folder / f"{frame}.json").write_text(json.dumps(sidecar, ensure_ascii=False))


def files(folder: Path, *endings: str) -> list[Path]:
    """Streams end in `.arrows`, files in `.arrow`."""
    return sorted(path for path in folder.iterdir() if path.suffix in endings)


def frame(path: Path) -> str:
    return path.name.split(".")[0]


def codec(path: Path) -> str:
    """`none`, `lz4` or `zstd`: variants end in it."""
    return path.name.split(".")[1].split("-")[-1]


def equal(what: str, found, expected) -> None:
    if found != expected:
        raise AssertionError(f"{what}: found {found!r}, expected {expected!r}")


def same_column(expected: dict, name: str, dtype: str, values: list) -> None:
    """Compares a column with its entry in the JSON; the first difference is the error."""
    equal("name", name, expected["name"])
    equal(f"dtype of {name!r}", dtype, expected["dtype"])
    equal(f"rows of {name!r}", len(values), len(expected["values"]))
    for row, (found, wanted) in enumerate(zip(values, expected["values"])):
        equal(f"{name!r}, row {row}", found, wanted)


def contains(what: str, found: dict | None, expected: dict) -> None:
    """The entries expected are there; more may be. Keys and values may be bytes."""
    text = lambda value: value.decode() if isinstance(value, bytes) else value
    found = {text(key): text(value) for key, value in (found or {}).items()}
    for key, value in expected.items():
        equal(f"{what}, {key!r}", found.get(key), value)
