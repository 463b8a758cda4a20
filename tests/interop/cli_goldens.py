"""The command `floe` on Arrow's golden files: converted to a stream and back, pyarrow finds what was there before.

Usage: cli_goldens.py FLOE        (ARROW_TEST_DATA names Arrow's test data; without, this is skipped, or with CI=true a failure)
"""

import os
import pathlib
import subprocess
import sys
import tempfile

import pyarrow as pa
from pyarrow import ipc

# As many golden files the Rust tests want as well: with fewer, the data is not what it should be.
LEAST = 70


def read(path):
    """The schema, the footer's metadata and the batches of a file or a stream."""
    with pa.OSFile(str(path)) as source:
        if source.read(6) == b"ARROW1":
            source.seek(0)
            reader = ipc.open_file(source)
            batches = [reader.get_batch(i) for i in range(reader.num_record_batches)]
            return reader.schema, dict(reader.metadata or {}), batches
        source.seek(0)
        reader = ipc.open_stream(source)
        return reader.schema, {}, list(reader)


def complaint(batch):
    """What pyarrow's validation of every value says."""
    try:
        batch.validate(full=True)
    except pa.ArrowException as error:
        return str(error)
    return None


def differences(before, after):
    (schema, footer, batches), (other, other_footer, others) = before, after
    if not schema.equals(other, check_metadata=True):
        yield f"schema or metadata: {schema!r} against {other!r}"
    if footer and footer != other_footer:
        yield f"metadata of the footer: {footer} against {other_footer}"
    if len(batches) != len(others):
        yield f"{len(batches)} batches against {len(others)}"
    for number, (batch, copy) in enumerate(zip(batches, others)):
        # Some golden files have values that pyarrow's full validation refuses: dates of a part of a day.
        if complaint(batch) != complaint(copy):
            yield f"batch {number}: pyarrow says {complaint(copy)}, and of the original {complaint(batch)}"
        if not batch.equals(copy) and not same_values(batch, copy):
            yield f"batch {number}: values differ"


def same_values(batch, copy):
    """Whether two batches are equal but for NaN, which is not equal to itself. pyarrow has no class for intervals of
    months, which are compared by the batch."""
    try:
        return repr(batch.to_pylist()) == repr(copy.to_pylist())
    except KeyError:
        return False


def main(floe):
    data = os.environ.get("ARROW_TEST_DATA")
    if not data:
        print("\n!!!!!!!! SKIPPED: ARROW_TEST_DATA does not name Arrow's golden files !!!!!!!!\n", file=sys.stderr)
        return 1 if os.environ.get("CI") == "true" else 0
    root = pathlib.Path(data).resolve() / "arrow-ipc-stream" / "integration"
    goldens = sorted(path for path in root.glob("*/*") if path.suffix in (".arrow_file", ".stream"))
    faults, compared, unread = [], 0, []
    with tempfile.TemporaryDirectory() as folder:
        stream, copy = pathlib.Path(folder) / "copy.arrows", pathlib.Path(folder) / "copy.arrow"
        for golden in goldens:
            name = f"{golden.parent.name}/{golden.name}"
            try:
                before = read(golden)
            except (pa.ArrowException, OSError) as error:
                unread.append(f"{name}: {str(error).splitlines()[0]}")
                continue
            for source, target in ((golden, stream), (stream, copy)):
                subprocess.run([floe, "convert", "--force", source, target], check=True)
            # A stream has no footer, whose metadata is not expected behind one.
            before = (before[0], {}, before[2])
            faults += [f"{name}: {fault}" for fault in differences(before, read(copy))]
            if golden.suffix == ".arrow_file":
                subprocess.run([floe, "convert", "--force", golden, copy], check=True)
                faults += [f"{name}, to a file: {fault}" for fault in differences(read(golden), read(copy))]
            compared += 1
    for line in unread:
        print(f"pyarrow does not read {line}")
    for line in faults:
        print(line, file=sys.stderr)
    print(f"floe convert: {compared} golden files of {len(goldens)} are the same to pyarrow, there and back")
    return 1 if faults or compared < LEAST else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
