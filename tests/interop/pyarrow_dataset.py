"""Folders by keys, as floe's partitioned sink wrote them, read as a dataset: `pyarrow_dataset.py DIR`."""

import json
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.dataset as ds
from harness import Report, equal


def read(folder: Path, rows: list) -> None:
    schema = pa.schema([("key", pa.string()), ("year", pa.int64())])
    partitioning = ds.partitioning(schema, flavor="hive")
    table = ds.dataset(folder, format="ipc", partitioning=partitioning).to_table()
    found = sorted(table.select(["key", "year", "n", "text"]).to_pylist(), key=lambda row: row["n"])
    equal("rows", found, rows)


def main() -> None:
    folder = Path(sys.argv[1])
    rows = json.loads((folder / "rows.json").read_text())
    report = Report("pyarrow_dataset.py")
    for level in ["oldest", "newest"]:
        report.check(level, read, folder / level, rows)
    report.done()


if __name__ == "__main__":
    main()
