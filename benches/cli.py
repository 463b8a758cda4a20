"""The figures of benches/cli.sh.

Usage: cli.py SMALL FULL FLIGHTS FOLDER     (two builds of the command, the CSV of flights, a folder for 4 GB)
"""

import os
import pathlib
import shutil
import subprocess
import sys
import time

RUNS = 7


def least(command, runs=RUNS, before=None):
    """Seconds of the fastest of some runs."""
    times = []
    for _ in range(runs):
        if before:
            before()
        start = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        times.append(time.perf_counter() - start)
    return min(times)


def line(what, seconds, against, of, limit=None):
    """A figure, what it is held against, and the ratio that is not to be exceeded."""
    ratio = seconds / of
    verdict = "" if limit is None else f"  (limit {limit}x: {'ok' if ratio <= limit else 'TOO SLOW'})"
    print(f"{what:<44} {seconds * 1e3:9.2f} ms  {ratio:7.2f}x of {against} ({of * 1e3:.2f} ms){verdict}")


def below(what, seconds, limit):
    verdict = "ok" if seconds * 1e3 <= limit else "TOO SLOW"
    print(f"{what:<44} {seconds * 1e3:9.2f} ms  (limit {limit} ms: {verdict})")


def files(floe, flights, folder):
    """The inputs, made by the command itself."""
    run = lambda *args: subprocess.run([floe, *map(str, args)], check=True)
    month, batch = folder / "month.arrow", folder / "batch.arrow"
    run("convert", flights, month)
    run("convert", *[month] * 4, batch, "--batch-rows", 4 * 27_004)
    big, small, one = folder / "big.arrow", folder / "small.arrow", folder / "one.arrow"
    copies = max(1, round(1e9 / batch.stat().st_size))
    run("cat", *[batch] * copies, "-o", big)
    run("convert", month, month, small, "--batch-rows", 3)
    copies = max(1, round(128e6 / month.stat().st_size))
    run("convert", *[month] * copies, one, "--batch-rows", copies * 27_004)
    return big, small, one


def copies(floe, big, folder):
    out = folder / "out.arrow"
    remove = lambda: out.unlink(missing_ok=True)
    copied = least(["cp", big, out], 5, remove)
    line("convert, raw file to file", least([floe, "convert", big, out], 5, remove), "cp", copied, 1.2)
    stream = folder / "out.arrows"
    away = lambda: stream.unlink(missing_ok=True)
    line("convert, raw file to stream", least([floe, "convert", big, stream], 5, away), "cp", copied, 1.2)
    away()
    cores = len(os.sched_getaffinity(0))
    for codec, command in (("lz4", ["lz4", "-q", "-f", "-1"]), ("zstd", ["zstd", "-q", "-f", "-3", f"-T{cores}", "-o"])):
        seconds = least([floe, "convert", "--compression", codec, big, out], 2, remove)
        if shutil.which(command[0]) is None:
            print(f"convert --compression {codec}: {seconds * 1e3:.0f} ms; there is no command `{command[0]}` to compare")
            continue
        paths = [big, folder / "out.codec"] if codec == "lz4" else [folder / "out.codec", big]
        line(f"convert --compression {codec}", seconds, " ".join(command[:1]), least([*command, *paths], 2), 1.2)
    remove()


def main(small_build, full_build, flights, folder):
    folder = pathlib.Path(folder)
    nothing = least(["true"], 50)
    for name, floe, limit in (("small", small_build, 2), ("full", full_build, 10)):
        seconds = least([floe, "--version"], 50)
        below(f"start-up, {name} build", seconds - nothing, limit)
        print(f"{'size, ' + name + ' build':<44} {os.path.getsize(floe) / 1e6:9.1f} MB")
    big, many, one = files(full_build, flights, folder)
    read = least(["cat", big])
    for name, floe in (("small", small_build), ("full", full_build)):
        below(f"info of {big.stat().st_size / 1e6:.0f} MB, {name} build", least([floe, "info", big]), 10)
        below(f"count, {name} build", least([floe, "count", big]), 3 if name == "small" else 10)
    line("info of 1 GB", least([full_build, "info", big]), "cat", read, 0.1)
    line("info of 18,002 batches", least([full_build, "info", many]), "cat", least(["cat", many]))
    line("head -n 5 of one batch of 128 MB", least([full_build, "head", "-n", "5", one]), "cat", least(["cat", one]), 1)
    copies(full_build, big, folder)


if __name__ == "__main__":
    main(*sys.argv[1:])
