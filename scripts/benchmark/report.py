"""Figures in, tables and target/bench.json out. A ratio is ours / theirs: below 1,
backstop takes less. Of pairs it is the median of each one's own: a machine that is slow
for a while is so for both sides of a pair."""

import datetime
import json
import os
import platform
import statistics
import sys
from dataclasses import dataclass
from pathlib import Path

COLUMNS = (("wall", "s"), ("client CPU", "s"), ("server CPU", "s"), ("stored", "MB"))


def median(values):
    return statistics.median(values)


def quotient(ours, theirs):
    return ours / theirs if theirs else 0.0


def progress(text):
    print(f"  ... {text}", file=sys.stderr, flush=True)


@dataclass
class Pair:
    """What two sides took: runs, each a figure for every column."""

    name: str
    our_runs: list
    their_runs: list

    @property
    def ours(self):
        return [median(column) for column in zip(*self.our_runs)]

    @property
    def theirs(self):
        return [median(column) for column in zip(*self.their_runs)]

    @property
    def ratios(self):
        pairs = [[quotient(*sides) for sides in zip(*pair)] for pair in zip(self.our_runs, self.their_runs)]
        return [median(column) for column in zip(*pairs)]


@dataclass
class Missing:
    name: str
    why: str


class Memory:
    def __init__(self, name, done, seen, extra, limit):
        self.name, self.peak, self.children = name, done.peak, done.children
        sizes = {Path(path.removesuffix(" (deleted)")).name: size for path, size in done.files.items()}
        sizes.update((name, sizes.get(name, 0)) for name in seen)
        self.temporary = [f"{name} ({size / 1024:.0f} KiB)" for name, size in sorted(sizes.items())]
        self.extra = extra
        self.backup = name.startswith("backup")
        self.broken = self.peak > limit or (self.backup and bool(self.temporary))


class Report:
    def __init__(self, pairs, limit):
        self.pairs, self.limit, self.broken, self.results = pairs, limit, False, []
        self.machine = machine()
        print(f"\nbackstop bench, {self.machine['date']}: {self.machine['cores']} cores ({self.machine['cpu']}), "
              f"{self.machine['memory']} GiB, load {self.machine['load']} at the start")

    def add(self, name, unit, ours, theirs, ratio=None):
        ratio = quotient(ours, theirs) if ratio is None else ratio
        self.results.append({"name": name, "unit": unit, "ours": round(ours, 3), "theirs": round(theirs, 3),
                             "ratio": round(ratio, 3) if theirs else None})

    def database(self, version, megabytes):
        self.machine["postgres"], self.machine["database_mb"] = version, round(megabytes)
        print(f"database: {megabytes:.0f} MB on disk, PostgreSQL {version}")

    def startup(self, times):
        print("\nStart (median of 20)")
        for command, milliseconds in times.items():
            print(f"  backstop {command:<16} {milliseconds:6.1f} ms")
            self.add(f"start: backstop {command}", "ms", milliseconds, 20.0)

    def speed(self, rows):
        print(f"\nSpeed: ours / theirs, medians of {self.pairs} pairs and of their ratios; below 1, backstop takes less. "
              "Client\nCPU is that of the command and all that it started; the server's is apart, and is counted on both sides.")
        self.table("backstop backup ... | instead of", rows)

    def restores(self, rows):
        print(f"\nRestore: ours / theirs, medians of {self.pairs} pairs and of their ratios; both make the database, ours "
              "counts and\ncompares what it loaded. Stored is the archive that theirs reads.")
        self.table("backstop restore ... | instead of", rows)

    def table(self, title, rows):
        heads = "".join(f"{name + ' ' + unit:>26}" for name, unit in COLUMNS)
        print(f"  {title:<46}{heads}")
        for row in rows:
            if isinstance(row, Missing):
                print(f"  {row.name:<46}  {row.why}")
                continue
            cells = (f"{ours:.1f} / {theirs:.1f} = {ratio:.2f}"
                     for ours, theirs, ratio in zip(row.ours, row.theirs, row.ratios))
            print(f"  {row.name:<46}" + "".join(f"{cell:>26}" for cell in cells))
            for (name, unit), ours, theirs, ratio in zip(COLUMNS, row.ours, row.theirs, row.ratios):
                self.add(f"{name}: {row.name}", unit, ours, theirs, ratio)

    def levels(self, rows):
        print("\npg_dump -Fc by level")
        print(f"  {'':<10}" + "".join(f"{name + ' ' + unit:>18}" for name, unit in COLUMNS))
        for name, figures in rows:
            print(f"  {name:<10}" + "".join(f"{figure:>18.1f}" for figure in figures))
            self.add(f"level: {name}, wall beside gzip:6", "s", figures[0], rows[-1][1][0])
            self.add(f"level: {name}, size beside gzip:6", "MB", figures[3], rows[-1][1][3])

    def memory(self, rows):
        print(f"\nMemory: peak resident, MiB (limit {self.limit:.0f}), of backstop itself and of the programs below it")
        for row in rows:
            below = ", ".join(f"{name} {peak:.0f}" for name, peak in sorted(row.children.items()))
            files = ", ".join(row.temporary) or "none"
            extra = f"; disk beyond the stored objects: {row.extra / 1e6:.1f} MB" if row.extra else ""
            mark = "  <-- broken promise" if row.broken else ""
            print(f"  {row.name:<44} {row.peak:6.1f}   {below:<28} temporary files: {files}{extra}{mark}")
            self.add(f"peak memory: {row.name}", "MiB", row.peak, self.limit)
            self.broken = self.broken or row.broken

        print("  A trial restore hands pg_restore definitions and lists of objects in small files; its server lies in TMPDIR.")

    def quality(self, rules, wrong):
        print("\nRules on their own cases: lines found, missed, and reported without cause")
        print(f"  {'':<36}{'cases':>12}{'found':>8}{'missed':>8}{'alarms':>8}{'precision':>11}{'recall':>8}")
        whole = {"rule": "all", "bad": 0, "good": 0, "hits": 0, "misses": 0, "alarms": 0}
        for row in rules:
            for column in ("bad", "good", "hits", "misses", "alarms"):
                whole[column] += row[column]
        for row in [*rules, whole]:
            hits, misses, alarms = row["hits"], row["misses"], row["alarms"]
            precision, recall = hits / max(hits + alarms, 1), hits / max(hits + misses, 1)
            cases = f"{row['bad']} + {row['good']}"
            print(f"  {row['rule']:<36}{cases:>12}{hits:>8}{misses:>8}{alarms:>8}{precision:>11.3f}{recall:>8.3f}")
            self.results.append({"name": f"rule: {row['rule']}", "unit": "", "precision": round(precision, 3),
                                 "recall": round(recall, 3), "cases": row["bad"] + row["good"]})
        for case in wrong:
            print(f"  wrong: {case}")

    def lint(self, rows):
        print("\nLinter: ours / theirs, or ours / promised")
        for name, unit, ours, theirs, text, broken in rows:
            mark = "  <-- broken promise" if broken else ""
            figures = f"{ours:.2f} / {theirs:.2f}" if unit == "s" else f"{ours:.0f} / {theirs:.0f}"
            ratio = quotient(ours, theirs)
            print(f"  {name:<50}{figures + ' ' + unit:>20} = {ratio:.2f}  {text}{mark}", flush=True)
            self.add(name, unit, ours, theirs)
            self.broken = self.broken or broken

    def write(self, path):
        path.write_text(json.dumps({"machine": self.machine, "results": self.results}, indent=2) + "\n")


def machine():
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    cpu = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")
    return {
        "date": datetime.date.today().isoformat(),
        "cores": os.cpu_count(),
        "cpu": cpu,
        "memory": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "system": f"{platform.system()} {platform.release()}",
        "load": round(os.getloadavg()[0], 1),
    }
