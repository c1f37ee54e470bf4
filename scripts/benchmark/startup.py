"""How long the program takes to start: what every use of it waits for."""

import statistics
import subprocess
import time

RUNS = 20
COMMANDS = ("--version", "--help", "backup --help")


def measure(program):
    """Milliseconds, the median of twenty; the first run, from a cold cache, is not counted."""
    return {command: once(program, command.split()) for command in COMMANDS}


def once(program, arguments):
    times = []
    for _ in range(RUNS + 1):
        begun = time.monotonic()
        subprocess.run([program, *arguments], check=True, stdout=subprocess.DEVNULL, env={})
        times.append((time.monotonic() - begun) * 1000)
    return statistics.median(times[1:])
