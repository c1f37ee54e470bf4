"""One run of a command: wall time, CPU time of the process and everything that it
waited for, and, where it is watched, each program's peak memory and the files that
were opened for writing elsewhere than they should be."""

import contextlib
import os
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

# Often enough to see the last value of a peak; each look costs a millisecond.
INTERVAL = 0.01
WRITING = os.O_WRONLY | os.O_RDWR


@dataclass
class Run:
    wall: float = 0.0
    cpu: float = 0.0
    # Peak resident memory in MiB: of the process itself, and of the programs below it.
    peak: float = 0.0
    children: dict = field(default_factory=dict)
    # Files that were open for writing outside `allowed`: path -> largest size.
    files: dict = field(default_factory=dict)
    output: str = ""


def run(command, env, allowed=None, cwd=None):
    """Run to its end; a failure ends the bench. It is watched when `allowed` says with
    what the paths begin that it may write to."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        begun = time.monotonic()
        process = subprocess.Popen([str(word) for word in command], env=env, cwd=cwd,
                                   stdin=subprocess.DEVNULL, stdout=out, stderr=err)
        watch = Watch(process.pid, allowed) if allowed is not None else None
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - begun
        process.returncode = os.waitstatus_to_exitcode(status)
        result = Run(wall, usage.ru_utime + usage.ru_stime)
        if watch:
            watch.end(result)
        out.seek(0)
        result.output = out.read().decode(errors="replace")
        if process.returncode:
            err.seek(0)
            said = err.read().decode(errors="replace")[-4000:]
            raise SystemExit(f"error: {' '.join(map(str, command))}\nended with {process.returncode}\n{said}")
        return result


class Watch:
    """Looks at a process and those below it until it is gone."""

    # The rest is a trial restore's server with its helpers.
    CLIENTS = {"pg_dump", "pg_dumpall", "pg_restore", "ld-linux-x86-64"}

    def __init__(self, pid, allowed):
        self.pid, self.allowed = pid, tuple(map(str, allowed))
        self.peaks, self.files, self.ended = {}, {}, threading.Event()
        self.thread = threading.Thread(target=self.watch, daemon=True)
        self.thread.start()

    def watch(self):
        while not self.ended.is_set():
            self.look(self.pid)
            time.sleep(INTERVAL)

    def look(self, pid, parent=None):
        try:
            status = Path(f"/proc/{pid}/status").read_text()
            name = status.split("\n", 1)[0].split("\t")[1]
            peak = int(status.partition("VmHWM:")[2].split()[0])
            below = [child for task in Path(f"/proc/{pid}/task").iterdir()
                     for child in (task / "children").read_text().split()]
            # Between fork and exec a child is its parent's copy.
            if name != parent:
                if pid == self.pid or name in self.CLIENTS:
                    key = pid if pid == self.pid else name
                    self.peaks[key] = max(self.peaks.get(key, 0), peak)
                    self.look_at_files(pid)
        except (OSError, IndexError, ValueError):
            return
        for child in below:
            self.look(int(child), name)

    def look_at_files(self, pid):
        for entry in os.scandir(f"/proc/{pid}/fd"):
            try:
                path = os.readlink(entry.path)
                regular = path.startswith("/") and not path.startswith(("/dev/", "/proc/"))
                if not regular or path.startswith(self.allowed) or not os.path.isfile(entry.path):
                    continue
                info = Path(f"/proc/{pid}/fdinfo/{entry.name}").read_text()
                flags = int(info.partition("flags:")[2].split()[0], 8)
                # What Python gave it as its standard output is no temporary file of its own.
                if flags & WRITING and int(entry.name) > 2:
                    # What it takes on the disk: pg_restore gets definitions in a file of
                    # the dump's length, with nothing behind them.
                    held = os.stat(entry.path).st_blocks * 512
                    self.files[path] = max(self.files.get(path, 0), held)
            except (OSError, ValueError, IndexError):
                pass

    def end(self, result):
        self.ended.set()
        self.thread.join()
        result.peak = self.peaks.pop(self.pid, 0) / 1024
        result.children = {name: peak / 1024 for name, peak in self.peaks.items()}
        result.files = self.files


class Folder:
    """Notes whatever appears in a folder while something runs, but what begins with
    `but`, and the most that it held."""

    def __init__(self, path, but="\0"):
        self.path, self.but, self.seen, self.most = path, but, set(), 0
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.watch, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join()

    def watch(self):
        while not self.ended.is_set():
            held = 0
            for folder, folders, files in os.walk(self.path):
                folders[:] = [name for name in folders if not name.startswith(self.but)]
                for name in files:
                    self.seen.add(name)
                    # It may be gone by now.
                    with contextlib.suppress(OSError):
                        held += os.stat(os.path.join(folder, name)).st_size
            self.most = max(self.most, held)
            self.ended.wait(INTERVAL)


def size(path):
    """Bytes of a file, or of everything in a folder."""
    files = [path] if path.is_file() else [inner for inner in path.rglob("*") if inner.is_file()]
    return sum(file.stat().st_size for file in files)
