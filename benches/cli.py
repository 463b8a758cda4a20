"""The figures of benches/cli.sh.

Usage: cli.py SMALL FULL FLIGHTS FOLDER [PAGE]     (two builds of the command, the CSV of flights, a folder for 4 GB, the
                                                   page that is written)
"""

import os
import pathlib
import platform
import shutil
import subprocess
import sys
import tempfile
import time

RUNS = 7
CONVERSIONS = 5

INTRO = """# The command `floe`

Written by `benches/cli.sh` on {date}: {cores} cores of {cpu}, linux {kernel}, files in {folder}. Each figure is the least
of several runs of a process, from its start to its end; where there is a ratio, the two commands took turns. Files are in
the page cache, except where it says cold. `big` is one raw file of {big:.0f} MB in {batches} record batches, `many` has
about 18,000 record batches of 3 rows, `one` is a single record batch of {one:.0f} MB. All are a month of flights, many times over.
The small build has no Polars, and the full one everything. A goal in bold is missed.

"""


def spent(command):
    """Seconds of one run."""
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - start


def least(command, runs=RUNS):
    """Seconds of the fastest of some runs."""
    return min(spent(command) for _ in range(runs))


def turns(first, second, runs=RUNS, before=lambda: None):
    """Seconds of the fastest runs of two commands that take turns."""
    times = ([], [])
    for _ in range(runs):
        for command, kept in zip((first, second), times):
            before()
            kept.append(spent(command))
    return tuple(min(kept) for kept in times)


def beside(first, name, second, runs=RUNS, before=lambda: None):
    """The same, as a row of the page has it."""
    one, other = turns(first, second, runs, before)
    return one, name, other


class Page:
    """A table whose rows are printed as they come."""

    def __init__(self):
        self.rows = []
        self.row("measured", "ms", "beside", "ms", "ratio", "goal")
        self.row("---", "--:", "---", "--:", "--:", "---")

    def row(self, *cells):
        self.rows.append("| " + " | ".join(cells) + " |")
        print(self.rows[-1], flush=True)

    @staticmethod
    def goal(text, met):
        return f"{text}: yes" if met else f"**{text}: no**"

    def below(self, what, seconds, limit):
        """A time that is not to be exceeded, in ms."""
        self.row(what, f"{seconds * 1e3:.2f}", "", "", "", self.goal(f"below {limit} ms", seconds * 1e3 <= limit))

    def beside(self, what, seconds, against, of, limit=None):
        """A time beside another one, and the ratio that is not to be exceeded."""
        ratio = seconds / of
        goal = "" if limit is None else self.goal(f"at most {limit}x", ratio <= limit)
        self.row(what, f"{seconds * 1e3:.2f}", against, f"{of * 1e3:.2f}", f"{ratio:.2f}x", goal)


def files(floe, flights, folder):
    """The inputs, made by the command itself, and the number of batches of the first one."""
    run = lambda *args: subprocess.run([floe, *map(str, args)], check=True)
    month, batch = folder / "month.arrow", folder / "batch.arrow"
    run("convert", flights, month)
    # Eight months in batches of a 64th of 1 GB.
    parts = max(1, round(8 * month.stat().st_size * 64 / 1e9))
    run("convert", *[month] * 8, batch, "--batch-rows", 8 * 27_004 // parts + 1)
    big, many, one = folder / "big.arrow", folder / "many.arrow", folder / "one.arrow"
    copies = max(1, round(1e9 / batch.stat().st_size))
    run("cat", *[batch] * copies, "-o", big)
    run("convert", month, month, many, "--batch-rows", 3)
    months = max(1, round(128e6 / month.stat().st_size))
    run("convert", *[month] * months, one, "--batch-rows", months * 27_004)
    return big, many, one, copies * parts


def looks(page, builds, big, many, one):
    """What reads heads and footers."""
    for name, floe in builds:
        page.below(f"`info big`, {name} build", least([floe, "info", big]), 10)
        page.below(f"`count big`, {name} build", least([floe, "count", big]), 3 if name == "small" else 10)
    for name, floe in builds:
        page.beside(f"`info big`, {name} build", *beside([floe, "info", big], "`cat big`", ["cat", big]))
        page.beside(f"`info many`, {name} build", *beside([floe, "info", many], "`cat many`", ["cat", many]))
        page.below(f"`info many`, {name} build, cold", cold(floe, many), 100)
    full = builds[-1][1]
    page.beside("`head -n 5 one`, full build", *beside([full, "head", "-n", "5", one], "`cat one`", ["cat", one]), 1)


def cold(floe, path):
    """`info` of a file on disk whose pages are not in memory."""
    with tempfile.TemporaryDirectory() as folder:
        copy = pathlib.Path(folder) / "cold.arrow"
        shutil.copy(path, copy)
        times = []
        for _ in range(3):
            with open(copy, "rb") as file:
                os.fsync(file.fileno())
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            times.append(spent([floe, "info", copy]))
    return min(times)


def conversions(page, builds, big, folder):
    """Lossless conversions beside `cp`, and beside the codecs' own commands."""
    out, codec_out = folder / "out.arrow", folder / "out.codec"

    def remove():
        out.unlink(missing_ok=True)
        codec_out.unlink(missing_ok=True)

    for name, floe in builds:
        for to, what in ((out, "file"), (folder / "out.arrows", "stream")):
            away = lambda to=to: to.unlink(missing_ok=True)
            timed = beside([floe, "convert", big, to], "`cp`", ["cp", big, to], CONVERSIONS, away)
            page.beside(f"`convert`, raw file to {what}, {name} build", *timed, 1.2)
            away()
    full, cores = builds[-1][1], len(os.sched_getaffinity(0))
    threads = f"-T{cores}"
    for codec, level in (("lz4", "-1"), ("zstd", "-3")):
        if shutil.which(codec) is None:
            page.row(f"`convert --compression {codec}`", "", f"there is no command `{codec}`", "", "", "")
            continue
        there = [codec, "-q", "-f", level, *([threads] if codec == "zstd" else []), str(big), "-o", str(codec_out)]
        if codec == "lz4":
            there = [codec, "-q", "-f", level, str(big), str(codec_out)]
        convert = [full, "convert", "--compression", codec, str(big), str(out)]
        timed = beside(convert, f"`{' '.join(there[:-2 if codec == 'lz4' else -3])}`", there, 3, remove)
        page.beside(f"`convert --compression {codec}`, full build", *timed, 1.2)
        remove()
        packed, plain = folder / "packed.arrow", folder / "packed.codec"
        subprocess.run([full, "convert", "--compression", codec, str(big), str(packed)], check=True)
        subprocess.run([*there[:-1], str(plain)], check=True)
        back = [codec, "-q", "-f", "-d", str(plain), *(["-o"] if codec == "zstd" else []), str(codec_out)]
        convert = [full, "convert", "--compression", "none", str(packed), str(out)]
        timed = beside(convert, f"`{codec} -d`", back, 3, remove)
        page.beside(f"`convert --compression none`, from {codec}, full build", *timed, 1.2)
        remove()
        packed.unlink()
        plain.unlink()


def cpu():
    for line in open("/proc/cpuinfo", encoding="utf-8"):
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def main(small, full, flights, folder, page_path=None):
    folder = pathlib.Path(folder)
    builds = [("small", small), ("full", full)]
    page = Page()
    for (name, floe), limit in zip(builds, (2, 10)):
        seconds, nothing = turns([floe, "--version"], ["true"], 50)
        page.below(f"start-up beyond that of `true`, {name} build", seconds - nothing, limit)
    sizes = ", ".join(f"the {name} build has {os.path.getsize(floe) / 1e6:.1f} MB" for name, floe in builds)
    big, many, one, batches = files(full, flights, folder)
    looks(page, builds, big, many, one)
    conversions(page, builds, big, folder)
    print(f"\n{sizes}")
    if page_path:
        intro = INTRO.format(
            date=time.strftime("%Y-%m-%d"), cores=len(os.sched_getaffinity(0)), cpu=cpu(), kernel=platform.release(),
            folder=folder.parent, big=big.stat().st_size / 1e6, one=one.stat().st_size / 1e6, batches=batches,
        )
        text = intro + "\n".join(page.rows) + f"\n\nAs a file, {sizes}.\n"
        pathlib.Path(page_path).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
