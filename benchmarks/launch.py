"""Runs a command and writes what it cost as JSON: ``python -I -S launch.py RESULT COMMAND...``

It stands between the benchmark and what it measures because a process that is started counts the memory of who started
it as its own peak; this one is small. For the same reason it imports nothing but the standard library.
"""

from __future__ import annotations

import json
import os
import sys
import time

result, *command = sys.argv[1:]
began = time.perf_counter()
process = os.posix_spawnp(command[0], command, os.environ)
_, status, usage = os.wait4(process, 0)
wall_seconds = time.perf_counter() - began
kibibyte = 1 if sys.platform == "darwin" else 1024  # what the peak is counted in, in bytes
with open(result, "w", encoding="utf-8") as file:
    json.dump(
        {
            "wall_seconds": wall_seconds,
            "cpu_seconds": usage.ru_utime + usage.ru_stime,
            "peak_bytes": usage.ru_maxrss * kibibyte,
        },
        file,
    )
sys.exit(os.waitstatus_to_exitcode(status))
