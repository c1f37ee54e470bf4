"""What is compared with what. Servers, data and keys are made here and gone
afterwards; figures are printed as tables and written to target/bench.json."""

import argparse
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import lint
import report
import startup
from measure import Folder, run, size
from servers import MINIMAL, TOOLS, Postgres, Seaweed

BACKSTOP = Path("target/release/backstop").resolve()
LIMIT = 128.0
PARTS = ("startup", "lint", "speed", "restore", "memory")
# What the scripts that people copy do, with its intermediate files removed as gzip does.
PIPELINE = """set -eu
"$1/pg_dump" -Fc -f dump
gzip dump
openssl enc -aes-256-cbc -pbkdf2 -salt -pass env:BENCH_PASSWORD -in dump.gz -out dump.gz.enc
cp dump.gz.enc copy"""
# What `restore --new-db` does of itself.
INTO_NEW = """set -eu
"$1" --template=template0 again
shift
"$@"
"""


class Bench:
    def __init__(self, folder, pairs):
        self.folder, self.pairs, self.count, self.warm = folder, pairs, 0, set()
        self.keys = make_keys(self.fresh("keys"))

    def fresh(self, name):
        """An empty folder that does not exist yet."""
        self.count += 1
        path = self.folder / f"{self.count:03}-{name}"
        path.mkdir()
        return path

    def backstop(self, server, *arguments, store=None, client=None, allowed=None, **more):
        """One run; its store and its TMPDIR are new unless they are given. Yields
        the run, the store's folder, and what was seen in both."""
        store = store or self.fresh("store")
        temporary = self.fresh("tmp")
        temporary.chmod(0o777)
        url = store if isinstance(store, str) else f"file://{store}"
        env = {
            **MINIMAL, **server.env, "HOME": str(self.folder / "home"), "TMPDIR": str(temporary),
            "BACKSTOP_PG_BIN": f"{client or server.home / 'bin'}:{server.home}/bin", "BACKSTOP_NO_DOWNLOAD": "1",
            **more,
        }
        with Folder(temporary, but="backstop-") if allowed is not None else contextlib.nullcontext() as seen:
            done = run([BACKSTOP, *arguments, "--store", url, "--quiet"], env,
                       # A trial restore's server lies there.
                       allowed=allowed and [*allowed, temporary / "backstop-"], cwd=self.folder)
        left = sorted(path.name for path in temporary.iterdir())
        if left:
            raise SystemExit(f"error: left behind in TMPDIR: {', '.join(left)}")
        return done, store, (seen.seen if seen else set())

    def paired(self, server, name, ours, theirs):
        """Run the two in turn; `ours` and `theirs` yield a run and the bytes it stored.
        Whoever goes first finds memory that was given back and has to be fetched again,
        so the sides take turns in that too."""
        if server not in self.warm:
            # Whoever is the first on a server makes files and fills memory that all
            # others use again: that run is not counted.
            ours()
            self.warm.add(server)
        runs = {"ours": [], "theirs": []}
        sides = [("ours", ours), ("theirs", theirs)]
        for number in range(self.pairs):
            for side, once in sides if number % 2 == 0 else reversed(sides):
                # What the last run left for the disk to do is not this one's.
                os.sync()
                before = server.cpu()
                done, stored = once()
                runs[side].append((done.wall, done.cpu, server.cpu() - before, stored / 1e6))
                report.progress(f"{name}: {side} {done.wall:.1f} s")
        return report.Pair(name, runs["ours"], runs["theirs"])

    def ours(self, server, *arguments, client=None):
        def once():
            done, store, _ = self.backstop(server, "backup", *arguments, client=client)
            stored = size(store)
            shutil.rmtree(store)
            return done, stored
        return once

    def theirs(self, server, *command, **env):
        def once():
            folder = self.fresh("theirs")
            done = run(command, {**MINIMAL, **server.env, **env}, cwd=folder)
            stored = max((size(path) for path in folder.iterdir()), default=0)
            shutil.rmtree(folder)
            return done, stored
        return once


    def restores(self, server, name, archive, ours, theirs):
        """Restore in turn into a new database, which is dropped again."""
        def fresh():
            server.sql("DROP DATABASE IF EXISTS again", database="postgres")
            server.sql("CHECKPOINT", database="postgres")

        def by_backstop():
            fresh()
            done, _, _ = self.backstop(server, "restore", "--new-db", "again", *ours)
            return done, archive.stat().st_size

        def by_pg_restore():
            fresh()
            command = ["sh", "-c", INTO_NEW, "restore", server.home / "bin/createdb", *theirs,
                       "--exit-on-error", "--dbname=again", archive]
            return run(command, {**MINIMAL, **server.env}, cwd=self.folder), archive.stat().st_size

        pair = self.paired(server, name, by_backstop, by_pg_restore)
        fresh()
        return pair


def make_keys(folder):
    """An age and an OpenPGP key: recipients and identities."""
    age = folder / "age.key"
    subprocess.run(["age-keygen", "-o", age], check=True, stderr=subprocess.DEVNULL)
    recipient = subprocess.run(["age-keygen", "-y", age], check=True, capture_output=True, text=True).stdout.strip()
    # gpg's agent wants a short path for its socket.
    with tempfile.TemporaryDirectory(prefix="gpg") as home:
        gpg = ["gpg", "--homedir", home, "--batch", "--quiet", "--passphrase", ""]
        quiet = {"check": True, "stderr": subprocess.DEVNULL, "stdout": subprocess.DEVNULL}
        subprocess.run([*gpg, "--quick-generate-key", "bench@example.org", "future-default"], **quiet)
        for flag, name in (("--export", "public.pgp"), ("--export-secret-keys", "secret.pgp")):
            subprocess.run([*gpg, "--output", folder / name, flag], **quiet)
        subprocess.run(["gpgconf", "--homedir", home, "--kill", "gpg-agent"], check=False)
    return {
        "unencrypted": ([], []),
        "age": (["--recipient", recipient], ["--identity", age]),
        "OpenPGP": (["--recipient", folder / "public.pgp"], ["--identity", folder / "secret.pgp"]),
    }


# Rows of every table over two connections, thrown away: what the server itself takes.
# Each job is a statement; the larger table is cut into ranges of pages.
COPIES = """SELECT CASE WHEN count(*) OVER (PARTITION BY c.oid) = 1
    THEN format('COPY %s TO STDOUT', c.oid::regclass)
    ELSE format('COPY (SELECT * FROM %s WHERE ctid >= ''(%s,0)'' AND ctid < ''(%s,0)'') TO STDOUT',
                c.oid::regclass, part * 2048, (part + 1) * 2048) END
FROM pg_class c, generate_series(0, pg_relation_size(c.oid) / 8192 / 2048) AS part
WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace ORDER BY c.oid, part"""
RAW = """set -eu
for half in 0 1; do
    awk -v half=$half 'NR % 2 == half { print $0 ";" }' "$2" >"half-$half"
    "$1/psql" -X -q -v ON_ERROR_STOP=1 -f "half-$half" >/dev/null &
done
wait"""


def speed(bench, server, other, zstd):
    """Pairs against the named peers: on the server that is `server`, whose archives are
    gzip, and on one whose archives are zstd."""
    dump = server.home / "bin/pg_dump"
    age = bench.keys["age"][0]
    yield bench.paired(
        server, "age (gzip) | pg_dump -Fc, gzip, openssl enc, cp", bench.ours(server, *age),
        bench.theirs(server, "bash", "-c", PIPELINE, "pipeline", server.home / "bin", BENCH_PASSWORD="made-up"))
    yield bench.paired(server, "age (gzip) | pg_dump -Fc", bench.ours(server, *age),
                       bench.theirs(server, dump, "-Fc", "-f", "dump"))
    if not (zstd and other):
        yield report.Missing("pg_dump -Fc -Z zstd:3", "not available here: no pg_dump 18 with zstd")
        return
    yield bench.paired(
        other, "age | pg_dump -Fc, gzip, openssl enc, cp", bench.ours(other, *age),
        bench.theirs(other, "bash", "-c", PIPELINE, "pipeline", zstd, BENCH_PASSWORD="made-up"))
    for name, peer in (
        ("pg_dump -Fc -Z zstd:3", ["-Fc", "-Z", "zstd:3", "-f", "dump"]),
        ("pg_dump -Fd -j2 -Z zstd:3", ["-Fd", "-j2", "-Z", "zstd:3", "-f", "dump"]),
    ):
        yield bench.paired(other, f"age | {name}", bench.ours(other, *age),
                           bench.theirs(other, zstd / "pg_dump", *peer))
    copies = bench.fresh("copies") / "copies.sql"
    copies.write_text(other.sql(COPIES) + "\n")
    yield bench.paired(other, "age | raw COPY of every table, 2 connections", bench.ours(other, *age),
                       bench.theirs(other, "bash", "-c", RAW, "raw", other.home / "bin", copies))
    yield bench.paired(other, "digests of all rows | --no-digests", bench.ours(other, *age),
                       bench.ours(other, *age, "--no-digests"))


def restore(bench, server, zstd):
    """Pairs against pg_restore from a file: an archive that pg_dump made, on both
    sides, and the same database from an encrypted backup in a store."""
    folder = bench.fresh("archives")
    client = (zstd or server.home / "bin")
    parallel = [client / "pg_restore", "-j2"]
    kinds = [("none", ["-Z0"]), ("gzip", ["-Z6"]), ("one table", ["-Z6", "--table=events"])]
    kinds += [("zstd", ["-Zzstd:3"])] if zstd else []
    files = {}
    for kind, options in kinds:
        files[kind] = folder / f"{kind.replace(' ', '-')}.dump"
        run([client / "pg_dump", "-Fc", *options, "-f", files[kind]], {**MINIMAL, **server.env})
    store = bench.fresh("store")
    recipient, identity = bench.keys["age"]
    bench.backstop(server, "backup", *recipient, store=store)
    from_store = ["--store", f"file://{store}", *identity]
    yield bench.restores(server, "store, age | pg_restore -j2, none", files["none"], from_store, parallel)
    for kind, file in files.items():
        yield bench.restores(server, f"file, {kind} | pg_restore -j2", file, [file], parallel)
    yield bench.restores(server, "file, gzip | pg_restore", files["gzip"], [files["gzip"]], parallel[:1])
    shutil.rmtree(folder)


def levels(bench, server):
    for level in range(1, 7):
        before = server.cpu()
        done, stored = bench.theirs(server, server.home / "bin/pg_dump", "-Fc", "-Z", str(level), "-f", "dump")()
        yield f"gzip:{level}", (done.wall, done.cpu, server.cpu() - before, stored / 1e6)
        report.progress(f"pg_dump -Z {level}")


def memory(bench, server, seaweed):
    """Watched runs: peak memory, files, and the disk that a local store needed."""
    s3 = "s3://bench/memory"
    places = [(kind, "local", "bench", bench.fresh("store")) for kind in bench.keys]
    places += [("age", "SeaweedFS", "bench", s3), ("age", "5,000 tables", "many", bench.fresh("store"))]
    for kind, place, database, store in places:
        recipient, identity = bench.keys[kind]
        env = {"PGDATABASE": database, **(seaweed.env if store == s3 else {})}
        allowed = ["s3:" if store == s3 else f"{store}/"]
        with contextlib.nullcontext() if store == s3 else Folder(store) as growth:
            done, _, seen = bench.backstop(server, "backup", *recipient, store=store, allowed=allowed, **env)
        extra = max(growth.most - size(store), 0) if growth else 0
        yield report.Memory(f"backup, {kind}, {place}", done, seen, extra, LIMIT)
        for level in ("contents", "restored"):
            done, _, seen = bench.backstop(
                server, "verify", "--database", database, "--level", level, *identity,
                store=store, allowed=allowed, **env)
            yield report.Memory(f"verify --level {level}, {kind}, {place}", done, seen, 0, LIMIT)
        report.progress(f"memory: {kind}, {place}")
        if store != s3:
            shutil.rmtree(store)


def arguments():
    parser = argparse.ArgumentParser(prog="scripts/bench")
    parser.add_argument("--size", type=int, default=1024, metavar="MB")
    parser.add_argument("--pairs", type=int, default=3, metavar="N")
    parser.add_argument("--only", action="append", choices=PARTS)
    parser.add_argument("--lint", action="append_const", dest="only", const="lint")
    parser.add_argument("--levels", action="store_true")
    return parser.parse_args()


def main():
    # So that what was started is stopped.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    asked = arguments()
    parts = asked.only or PARTS
    zstd = os.environ.get("BENCH_ZSTD_CLIENT")
    zstd = Path(zstd) if zstd else None
    out = report.Report(asked.pairs, LIMIT)
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="backstop-bench-")))
        folder.chmod(0o755)
        if "startup" in parts:
            out.startup(startup.measure(BACKSTOP))
        if "lint" in parts:
            out.quality(*lint.quality(folder))
            out.lint(lint.measure(folder, BACKSTOP, asked.pairs))
        bench = Bench(folder, asked.pairs) if set(parts) - {"startup", "lint"} or asked.levels else None
        if {"speed", "memory"} & set(parts) or asked.levels:
            report.progress(f"making a database of {asked.size} MB")
            server = start(stack, TOOLS / "postgres-15", folder / "pg15")
            out.database(server.version(), server.fill(asked.size))
            if asked.levels:
                out.levels(list(levels(bench, server)))
            if "speed" in parts:
                other = None
                if zstd and major(zstd / "pg_dump") == 18:
                    other = start(stack, TOOLS / "postgres-18", folder / "pg18")
                    other.fill(asked.size)
                out.speed(list(speed(bench, server, other, zstd)))
        if "restore" in parts:
            report.progress(f"making a database of {asked.size} MB")
            # As servers are set up: what a load writes to the log counts.
            target = start(stack, TOOLS / "postgres-18", folder / "target", wal_level="replica")
            out.database(target.version(), target.fill(asked.size))
            out.restores(list(restore(bench, target, zstd)))
        if "memory" in parts:
            server.fill_many()
            seaweed = Seaweed(folder / "seaweed")
            stack.callback(seaweed.stop)
            out.memory(list(memory(bench, server, seaweed)))
    path = Path("target/bench.json")
    out.write(path)
    print(f"\nwritten to {path}")
    return 1 if out.broken else 0


def major(program):
    """`pg_dump (PostgreSQL) 18.6 (Debian 18.6-3)`"""
    return int(run([program, "--version"], MINIMAL).output.split()[2].split(".")[0])


def start(stack, home, folder, **settings):
    server = Postgres(home, folder, **settings)
    stack.callback(server.stop)
    return server


if __name__ == "__main__":
    sys.exit(main())
