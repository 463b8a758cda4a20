"""The two walk-throughs of Arrow IPC: one batch of three columns written five times, as a stream and as a file.

`pyarrow_walkthrough.py write|read DIR`; floe's `interop walkthrough-read|walkthrough-write DIR` is the other side.
"""

import sys
from pathlib import Path

import pyarrow as pa
from harness import Report, equal

BATCH = pa.record_batch(
    [pa.array([1, 2, 3, 4]), pa.array(["foo", "bar", "baz", None]), pa.array([True, None, False, True])],
    names=["f0", "f1", "f2"],
)


def write(folder: Path, make, ending: str) -> None:
    with pa.OSFile(str(folder / f"walkthrough.{ending}"), "wb") as sink, make(sink, BATCH.schema) as writer:
        for _ in range(5):
            writer.write_batch(BATCH)


def same(batch: pa.RecordBatch) -> None:
    batch.validate(full=True)
    equal("batch", batch.to_pydict(), BATCH.to_pydict())


def read_stream(folder: Path) -> None:
    with pa.ipc.open_stream((folder / "walkthrough.arrows").read_bytes()) as reader:
        print(f"the stream's schema:\n{reader.schema}")
        equal("names", reader.schema.names, ["f0", "f1", "f2"])
        # Streams of the oldest level, floe's default, have the type that Polars uses there.
        equal("types", reader.schema.types, [pa.int64(), pa.large_string(), pa.bool_()])
        batches = [batch for batch in reader]
    equal("batches", len(batches), 5)
    for batch in batches:
        same(batch)


def read_file(folder: Path) -> None:
    with pa.ipc.open_file((folder / "walkthrough.arrow").read_bytes()) as reader:
        equal("num_record_batches", reader.num_record_batches, 5)
        equal("types", reader.schema.types, [pa.int64(), pa.string_view(), pa.bool_()])
        same(reader.get_batch(3))


def main() -> None:
    what, folder = sys.argv[1], Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    report = Report(f"pyarrow_walkthrough.py {what}")
    if what == "write":
        report.check("stream", write, folder, pa.ipc.new_stream, "arrows")
        report.check("file", write, folder, pa.ipc.new_file, "arrow")
    else:
        report.check("stream", read_stream, folder)
        report.check("file", read_file, folder)
    report.done()


if __name__ == "__main__":
    main()
