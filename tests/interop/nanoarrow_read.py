"""nanoarrow's own IPC decoder reads floe's streams; pyarrow only shows, and validates, the arrays it made.

`nanoarrow_read.py DIR`. What nanoarrow says it does not support is skipped, and counted by what it said.
"""

import sys
from pathlib import Path

import pyarrow as pa
from harness import Report, Skip, files, load
from nanoarrow import ipc
from pyarrow_read import UNKNOWN, compare

UNSUPPORTED = ("not supported", "not implemented", "ENOTSUP", "Unsupported", "not yet supported", "without")


def read(path: Path, open_it) -> None:
    sidecar = load(path)
    try:
        with open_it(path) as stream:
            table = pa.RecordBatchReader.from_stream(stream).read_all()
    except Exception as error:
        if any(text in str(error) for text in UNSUPPORTED):
            raise Skip(f"nanoarrow: {error}") from error
        raise
    if table.num_columns or not sidecar["height"]:
        compare(sidecar, table)


def main() -> None:
    report = Report("nanoarrow_read.py")
    for path in files(Path(sys.argv[1]), ".arrows"):
        report.check(f"{path}", read, path, lambda path: ipc.InputStream.from_path(str(path)))
    report.done()


if __name__ == "__main__":
    main()
