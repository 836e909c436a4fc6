"""The measured work. A row takes a side and returns figures by name; `METRICS` says what they mean."""

import collections
import re
import shutil
import time

from processes import memory, processor, settle
from service import Service
from sides import CALLS, Client, mcp_echo

Metric = collections.namedtuple("Metric", "row title unit better")
STEPS = [(3, 16), (3, 64), (10, 16), (10, 64)]

METRICS = {
    "accept_1_p50": Metric("accept", "accepted, 1 caller, p50", "ms", "low"),
    "accept_1_p99": Metric("accept", "accepted, 1 caller, p99", "ms", "low"),
    "accept_16_rate": Metric("accept", "accepted a second, 16 callers", "/s", "high"),
    "accept_16_all": Metric("accept", "accepted and worked off a second, 16 callers", "/s", "high"),
    "accept_16_p50": Metric("accept", "accepted, 16 callers, p50", "ms", "low"),
    "accept_16_p99": Metric("accept", "accepted, 16 callers, p99", "ms", "low"),
    "accept_16_cpu": Metric("accept", "processor time of a task, 16 callers", "ms", "low"),
    "result_1_p50": Metric("result", "result known, 1 caller, p50", "ms", "low"),
    "result_1_p99": Metric("result", "result known, 1 caller, p99", "ms", "low"),
    "result_16_rate": Metric("result", "results a second, 16 callers", "/s", "high"),
    "result_16_p99": Metric("result", "result known, 16 callers, p99", "ms", "low"),
    "result_16_cpu": Metric("result", "processor time of a result, 16 callers", "ms", "low"),
    **{
        f"steps_{count}_{callers}": Metric("steps", f"tasks of {count} steps a second, {callers} at once", "/s", "high")
        for count, callers in STEPS
    },
    "steps_10_64_cpu": Metric("steps", "processor time of a task of 10 steps, 64 at once", "ms", "low"),
    "crash_seconds": Metric("crash", "from `kill -9` to the last outcome of 100 tasks", "s", "low"),
    "crash_settled": Metric("crash", "finished steps that ran again", "", "low"),
    "crash_repeated": Metric("crash", "steps that ran again, also those that the kill cut off", "", "low"),
    "waiting_kib": Metric("waiting", "memory of each of 10,000 waiting tasks", "KiB", "low"),
    "progress_p50": Metric("progress", "from a report to the watching client, p50", "ms", "low"),
    "progress_p99": Metric("progress", "from a report to the watching client, p99", "ms", "low"),
    "workers_1": Metric("workers", "results a second, 16 callers, one process", "/s", "high"),
    "workers_2": Metric("workers", "results a second, 16 callers, two processes on one store", "/s", "high"),
    "start_seconds": Metric("start", "from nothing to the first accepted task", "s", "low"),
    "start_mib": Metric("start", "memory after the start", "MiB", "low"),
    "busy_mib": Metric("footprint", "memory after the load", "MiB", "low"),
    "size_mib": Metric("footprint", "installed", "MiB", "low"),
    "call_1_p50": Metric("call", "a plain tool call by MCP, 1 caller, p50", "ms", "low"),
    "call_16_rate": Metric("call", "plain tool calls a second by MCP, 16 callers", "/s", "high"),
}
ROWS = list(dict.fromkeys(metric.row for metric in METRICS.values()))


class Size:
    """How much work a run does."""

    def __init__(self, quick):
        self.seconds = 0.5 if quick else 3.0
        self.warm = 0.2 if quick else 1.0
        self.rest = 2 if quick else 40
        self.crashing = 12 if quick else 100
        self.waiting = 100 if quick else 10_000
        self.reports = 5 if quick else 40
        self.idle = 1 if quick else 5
        self.rounds = 1 if quick else 3


class Row:
    """The rows of one side; each makes and ends its own processes."""

    def __init__(self, bench, kind, size, wanted):
        self.bench, self.kind, self.size, self.wanted = bench, kind, size, wanted

    def is_wanted(self, row):
        if row == "call":
            return row in self.wanted and self.kind.key in CALLS
        return row in self.wanted and row not in self.kind.missing

    def started(self, **options):
        side = self.kind(self.bench, self.bench.folder(self.kind.key), **options)
        side.stores()
        side.start()
        return side

    def ended(self, side):
        side.processes.kill_all()
        shutil.rmtree(side.folder, ignore_errors=True)

    def ids(self, side):
        return side.processes.ids() + self.bench.postgres_ids() * side.postgres

    def settle(self, side):
        return settle(self.ids(side), self.size.rest)

    # rows under load, all on the same processes

    def loads(self):
        rows = [row for row in ("accept", "result", "steps", "call", "footprint") if self.is_wanted(row)]
        if not rows:
            return
        side = self.started()
        try:
            side.accept_first()
            for row in rows:
                yield row, *attempt(getattr(self, row), side)
        except RuntimeError as error:
            yield rows[0], {}, str(error)
        finally:
            self.ended(side)

    def load(self, side, callers, work, job, until, seconds=None, **options):
        plan = side.plan(callers, seconds or self.size.seconds, work, job, until, **options)
        return self.bench.load(plan)

    def accept(self, side):
        found = {}
        for callers in (1, 16):
            self.load(side, callers, "nothing", {}, "accepted", seconds=self.size.warm)
            self.settle(side)
            used = processor(self.ids(side))
            one = self.load(side, callers, "nothing", {}, "accepted")
            rest = self.settle(side)
            cpu = (processor(self.ids(side)) - used) * 1000 / one["done"]
            found[f"accept_{callers}_p50"], found[f"accept_{callers}_p99"] = one["p50_ms"], one["p99_ms"]
            if callers > 1:
                found[f"accept_{callers}_rate"] = one["done"] / one["seconds"]
                found[f"accept_{callers}_cpu"] = cpu
                found[f"accept_{callers}_all"] = one["done"] / (one["seconds"] + rest)
        return found

    def result(self, side):
        found = {}
        for callers in (1, 16):
            # A caller that has to ask again does so every 2 ms if it is alone; 16 would keep the server busy with that.
            every_ms = 2 if callers == 1 else 20
            self.load(side, callers, "nothing", {}, "known", seconds=self.size.warm, every_ms=every_ms)
            used = processor(self.ids(side))
            one = self.load(side, callers, "nothing", {}, "known", every_ms=every_ms)
            self.settle(side)
            cpu = (processor(self.ids(side)) - used) * 1000 / one["done"]
            found[f"result_{callers}_p50"], found[f"result_{callers}_p99"] = one["p50_ms"], one["p99_ms"]
            if callers > 1:
                found[f"result_{callers}_cpu"] = cpu
                found[f"result_{callers}_rate"] = one["done"] / one["seconds"]
        return found

    def steps(self, side):
        found = {}
        for count, callers in STEPS:
            used = processor(self.ids(side))
            one = self.load(side, callers, "count", {"count": count}, "known")
            self.settle(side)
            if (count, callers) == STEPS[-1]:
                found[f"steps_{count}_{callers}_cpu"] = (processor(self.ids(side)) - used) * 1000 / one["done"]
            found[f"steps_{count}_{callers}"] = one["done"] / one["seconds"]
        return found

    def call(self, side):
        found = {}
        for callers in (1, 16):
            plan = side.plan(callers, self.size.seconds, "nothing", {})
            plan.update(request=mcp_echo(), accepted="hello")
            one = self.bench.load(plan)
            self.settle(side)
            found[f"call_{callers}_p50"], found[f"call_{callers}_rate"] = one["p50_ms"], one["done"] / one["seconds"]
        return found

    def footprint(self, side):
        return {"busy_mib": memory(side.processes.ids()), "size_mib": self.bench.installation.size(self.kind.key)}

    # rows with processes of their own

    def crash(self):
        """Half of the tasks are in their sleep, and half in their second request, when the worker is killed."""
        half = self.size.crashing // 2
        service, side = Service(), self.started(concurrency=2 * half)
        try:
            side.accept_first()
            self.settle(side)
            ids = []
            for wave, requests in (("a", 3 * half), ("b", 4.5 * half)):
                job = {"name": wave + "{n}", "service": service.url}
                ids += self.load(side, 16, "travel", job, "ids", seconds=60, limit=half)["ids"]
                begun = time.monotonic()
                while service.requests < requests and time.monotonic() - begun < 30:
                    time.sleep(0.005)
                # The third answer of the first wave, and the time to store it.
                time.sleep(1 if wave == "a" else 0)
            killed = time.monotonic()
            for name in side.workers():
                side.processes.kill(name)
            side.start()
            open_tasks, client = list(ids), Client(side.addresses[0])
            while open_tasks:
                open_tasks = [task for task in open_tasks if not side.is_done(client, task)]
                if time.monotonic() - killed > 120:
                    raise RuntimeError(f"{len(open_tasks)} of {2 * half} tasks have no outcome after 120 s")
                time.sleep(0.05)
            seconds = time.monotonic() - killed
            time.sleep(0.2)
            repeated, settled = service.repeated(killed)
            return {"crash_seconds": seconds, "crash_settled": settled, "crash_repeated": repeated}
        finally:
            service.close()
            self.ended(side)

    def waiting(self):
        """Own processes and, where the store keeps all in memory, the store. PostgreSQL's buffers have a fixed size."""
        side = self.started()
        try:
            side.accept_first()
            self.load(side, 16, "rest", {}, "accepted", seconds=60, limit=20)
            self.settle(side)
            before = memory(side.processes.ids())
            self.load(side, 16, "rest", {}, "accepted", seconds=600, limit=self.size.waiting)
            self.settle(side)
            time.sleep(self.size.idle)
            return {"waiting_kib": (memory(side.processes.ids()) - before) * 1024 / self.size.waiting}
        finally:
            self.ended(side)

    def progress(self):
        side, delays = self.started(), []
        try:
            side.accept_first()
            self.settle(side)
            for text in side.watch(self.size.reports):
                sent = re.search(r"at=(\d+)", text)
                if sent:
                    delays.append((time.time_ns() / 1000 - int(sent[1])) / 1000)
        finally:
            self.ended(side)
        # A client that asks again and again may miss the last one.
        if len(delays) < self.size.reports - 1:
            raise RuntimeError(f"{len(delays)} of {self.size.reports} reports arrived")
        delays.sort()
        return {"progress_p50": delays[len(delays) // 2], "progress_p99": delays[int((len(delays) - 1) * 0.99)]}

    def workers(self):
        found = {}
        for count in (1, 2):
            side = self.started(processes=count)
            try:
                side.accept_first()
                self.load(side, 16, "nothing", {}, "known", seconds=self.size.warm, every_ms=20)
                one = self.load(side, 16, "nothing", {}, "known", every_ms=20)
                found[f"workers_{count}"] = one["done"] / one["seconds"]
            finally:
                self.ended(side)
        return found

    def start(self):
        side = self.kind(self.bench, self.bench.folder(self.kind.key))
        try:
            begun = time.monotonic()
            side.stores()
            side.start()
            side.accept_first()
            seconds = time.monotonic() - begun
            time.sleep(self.size.idle)
            return {"start_seconds": seconds, "start_mib": memory(side.processes.ids())}
        finally:
            self.ended(side)

    def all(self):
        """Yields each row with its figures and what went wrong."""
        yield from self.loads()
        for row in ("crash", "waiting", "progress", "workers", "start"):
            if self.is_wanted(row):
                yield row, *attempt(getattr(self, row))


def attempt(measure, *arguments):
    try:
        return measure(*arguments), ""
    except (RuntimeError, OSError, LookupError, ValueError, TypeError) as error:
        return {}, f"{type(error).__name__}: {error}"[:500]
