"""Processes of a side: started in sessions of their own, measured with their children, ended by their ids."""

import os
import signal
import subprocess
import time

TICKS = os.sysconf("SC_CLK_TCK")


class Processes:
    def __init__(self, folder):
        self.folder = folder
        self.running = {}

    def spawn(self, name, command, **env):
        with open(f"{self.folder}/{name}.log", "ab") as log:
            self.running[name] = subprocess.Popen(
                command, cwd=self.folder, env={**os.environ, **env}, stdin=subprocess.DEVNULL, stdout=log,
                stderr=subprocess.STDOUT, start_new_session=True,
            )

    def kill(self, name):
        """SIGKILL to the process and its children, which share its session."""
        process = self.running.pop(name)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def kill_all(self):
        for name in list(self.running):
            self.kill(name)

    def check(self):
        for name, process in self.running.items():
            if process.poll() is not None:
                raise RuntimeError(f"{name} ended with {process.returncode}: {self.tail(name)}")

    def tail(self, name):
        with open(f"{self.folder}/{name}.log", errors="replace") as log:
            return log.read()[-600:]

    def ids(self):
        return [process.pid for process in self.running.values()]


def family(ids):
    """The processes with their children."""
    todo, seen = list(ids), []
    while todo:
        process = todo.pop()
        try:
            for thread in os.listdir(f"/proc/{process}/task"):
                with open(f"/proc/{process}/task/{thread}/children") as children:
                    todo += [int(child) for child in children.read().split()]
            seen.append(process)
        except OSError:
            pass  # it has ended
    return seen


def memory(ids):
    """Proportional set size in MiB: shared pages count once."""
    total = 0
    for process in family(ids):
        try:
            with open(f"/proc/{process}/smaps_rollup") as lines:
                total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
        except OSError:
            pass
    return total / 1024


def processor(ids):
    """Processor seconds so far, with those of children that have ended."""
    total = 0
    for process in family(ids):
        try:
            with open(f"/proc/{process}/stat") as stat:
                fields = stat.read().rsplit(")", 1)[1].split()
            total += sum(map(int, fields[11:15])) / TICKS
        except OSError:
            pass
    return total


def settle(ids, limit):
    """Waits until the processes use less than a tenth of a core, twice; returns how long they went on."""
    begun, calm, busy_until = time.monotonic(), 0, 0.0
    while calm < 2 and time.monotonic() - begun < limit:
        before, at = processor(ids), time.monotonic()
        time.sleep(0.2)
        if (processor(ids) - before) / (time.monotonic() - at) < 0.1:
            calm += 1
        else:
            calm, busy_until = 0, time.monotonic() - begun
    return busy_until
