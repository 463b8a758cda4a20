"""nanoarrow's own IPC decoder reads floe's streams; pyarrow only shows, and validates, the arrays it made.

`nanoarrow_read.py DIR`. What it cannot read is skipped, and counted.
"""

import re
import sys
from pathlib import Path

import pyarrow as pa
from harness import Report, Skip, codec, files, frame, load
from nanoarrow import ipc
from nanoarrow._utils import NanoarrowException
from pyarrow_read import compare

UNKNOWN = {"int128": "nanoarrow has no 128-bit integers"}


def why_not(path: Path, sidecar: dict) -> str | None:
    """What nanoarrow 0.9 cannot read, or reads wrongly whoever wrote it."""
    dtypes = [column["dtype"] for column in sidecar["columns"]]
    has_dictionaries = any("cat" in dtype or "enum[" in dtype for dtype in dtypes)
    if has_dictionaries and codec(path) != "none":
        return "nanoarrow hands out compressed dictionaries without decompressing them"
    if frame(path) == "growing_deltas":
        return "nanoarrow does not concatenate dictionaries"
    return UNKNOWN.get(frame(path))


def read(path: Path) -> None:
    sidecar = load(path)
    if why := why_not(path, sidecar):
        raise Skip(why)
    try:
        with ipc.InputStream.from_path(str(path)) as stream:
            table = pa.RecordBatchReader.from_stream(stream).read_all()
    except NanoarrowException as error:
        view = re.search(r"(Utf8|Binary)View not yet supported", str(error))
        if view and ".newest-" in path.name:
            raise Skip(f"nanoarrow: {view[0]}") from error
        raise
    if table.num_columns or not sidecar["height"]:
        compare(sidecar, table)


def main() -> None:
    report = Report("nanoarrow_read.py")
    for path in files(Path(sys.argv[1]), ".arrows"):
        report.check(f"{path}", read, path)
    report.done()


if __name__ == "__main__":
    main()
