"""How each side is started, asked and watched. A side is a program with its store; `Side` says what the rows need."""

import http.client
import json
import socket
import time
import urllib.parse

from processes import Processes

SECRET = "a secret of this bench, which is long enough"
# Below the ports that the kernel gives to clients: a client that connects before the server listens could meet itself.
PORTS = iter(range(21000, 32000))


def free_port():
    for port in PORTS:
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise RuntimeError("no free port is left")


def post(path, body, headers=()):
    text = json.dumps(body, separators=(",", ":"))
    return {"method": "POST", "path": path, "headers": [("content-type", "application/json"), *headers], "body": text}


class Client:
    """One kept-alive connection; `ask` returns the status and the text of an answer."""

    def __init__(self, address, timeout=30):
        self.address, self.timeout, self.open = address, timeout, None

    def ask(self, request, token=None):
        headers = dict(request.get("headers", ()))
        if token:
            headers["authorization"] = f"Bearer {token}"
        for attempt in range(2):
            try:
                if not self.open:
                    self.open = http.client.HTTPConnection(self.address, timeout=self.timeout)
                self.open.request(request["method"], request["path"], request.get("body", ""), headers)
                answer = self.open.getresponse()
                return answer.status, answer.read().decode()
            except (OSError, http.client.HTTPException) as error:
                self.open = None
                if attempt or isinstance(error, ConnectionRefusedError):
                    return 0, str(error)


class Side:
    """One program with its store, in a folder and on ports of its own."""

    key = title = durability = ""
    postgres = False  # needs a database
    keeps = True  # what it answers is on disk
    missing = {}  # row: why it has no figure
    id_after = '"id":"'
    accepted = '"id"'
    tokens = ()
    install = ()

    def __init__(self, bench, folder, processes=1, concurrency=10):
        self.bench, self.folder, self.concurrency = bench, folder, concurrency
        self.processes = Processes(folder)
        self.ports = [free_port() for _ in range(processes)]
        self.database = bench.database() if self.postgres else ""

    @property
    def addresses(self):
        return [f"127.0.0.1:{port}" for port in self.ports]

    def workers(self):
        return ["worker" if number == 0 else f"worker-{number}" for number in range(len(self.ports))]

    def stores(self):
        """Starts what keeps the state, if it is a process of this side."""

    def start(self):
        for number, name in enumerate(self.workers()):
            self.start_worker(name, number)

    def request(self, work, job):
        raise NotImplementedError

    def run_request(self, work, job):
        """A request whose answer is the result; `None` if a caller has to ask again."""

    def known(self, every_ms):
        """How a caller of `request` learns the result."""

    def is_done(self, client, task):
        raise NotImplementedError

    def accept_first(self, limit=60):
        """Until each process has accepted a task."""
        begun, waiting = time.monotonic(), list(self.addresses)
        while waiting and time.monotonic() - begun < limit:
            status, text = Client(waiting[0]).ask(self.request("nothing", {}), *self.tokens[:1])
            if status in range(200, 300) and self.accepted in text:
                waiting.pop(0)
            else:
                self.processes.check()
                time.sleep(0.003)
        if waiting:
            raise RuntimeError(f"{self.key} accepts nothing: {status} {text} {self.processes.tail('worker')}")

    def plan(self, callers, seconds, work, job, until="accepted", limit=None, every_ms=2):
        """The load's plan: callers that start this work, until it is accepted or its result is known."""
        plan = {
            "addresses": self.addresses, "callers": callers, "seconds": seconds, "limit": limit,
            "request": self.request(work, job), "accepted": self.accepted, "tokens": list(self.tokens),
        }
        if until == "known":
            if direct := self.run_request(work, job):
                return {**plan, "request": direct, "accepted": ""}
            plan.update(id_after=self.id_after, known=self.known(every_ms))
        elif until == "ids":
            plan.update(id_after=self.id_after, returns_ids=True, tokens=list(self.tokens[:1]))
        return plan

    def watch(self, count):
        """Yields the text of each progress report of a new task as it arrives."""
        raise NotImplementedError


class Ours(Side):
    id_after, accepted = '"task_id":"', '"task_id"'
    install = ("ours",)

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.tokens = self.bench.tokens

    def start_worker(self, name, number):
        none = ["--requests-per-second", "--calls-per-user", "--stored-per-user-and-day", "--streams-per-user"]
        limits = [text for option in none for text in (option, "0")] + ["--tasks-per-user", "1000000"]
        listen = ["--listen", self.addresses[number], "--data-dir", f"{self.folder}/{name}"]
        database = {"IMPERAL_DATABASE_URL": self.database} if self.postgres else {}
        env = {"IMPERAL_JWT_SECRET": SECRET, "RUST_LOG": "error", **database}
        self.processes.spawn(name, [self.bench.program("ours"), "serve", *listen, *limits], **env)

    def request(self, work, job):
        return post("/v1/extensions/peer/call", {"function": f"start_{work}", "params": job})

    def known(self, every_ms):
        return {"stream": {"path": "/v1/events/stream", "contains": '"state":"succeeded"'}}

    def is_done(self, client, task):
        return '"state":"succeeded"' in client.ask({"method": "GET", "path": f"/v1/tasks/{task}"}, self.tokens[0])[1]

    def watch(self, count):
        stream = socket.create_connection(("127.0.0.1", self.ports[0]), timeout=30)
        headers = f"host: {self.addresses[0]}\r\nauthorization: Bearer {self.tokens[0]}"
        stream.sendall(f"GET /v1/events/stream HTTP/1.1\r\n{headers}\r\n\r\n".encode())
        lines = stream.makefile("r", newline="\n")
        for line in lines:
            if line.startswith("event: hello"):
                break
        Client(self.addresses[0]).ask(self.request("report", {"count": count}), self.tokens[0])
        for line in lines:
            if "at=" in line:
                yield line
            if '"state":"succeeded"' in line:
                break
        stream.close()


class OursSqlite(Ours):
    key, title = "ours", "imperal, SQLite"
    durability = "SQLite in WAL mode, synchronous=FULL"
    missing = {"workers": "a file belongs to one node"}


class OursPostgres(Ours):
    key, title, postgres = "ours-pg", "imperal, PostgreSQL", True
    durability = "PostgreSQL, fsync and synchronous_commit on"


MCP_VERSION = "2026-07-28"


def mcp(method, name, params):
    meta = {f"io.modelcontextprotocol/{key}": value for key, value in (
        ("protocolVersion", MCP_VERSION), ("clientInfo", {"name": "bench", "version": "1"}),
        ("clientCapabilities", {"extensions": {"io.modelcontextprotocol/tasks": {}}}),
    )}
    headers = [("accept", "application/json, text/event-stream"), ("mcp-protocol-version", MCP_VERSION)]
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**params, "_meta": meta}}
    return post("/mcp", body, [*headers, ("mcp-method", method), ("mcp-name", name)])


def mcp_echo():
    return mcp("tools/call", "echo", {"name": "echo", "arguments": {"text": "hello"}})


class Fastmcp(Side):
    key, title = "fastmcp", "FastMCP and docket, Redis"
    durability = "Redis, appendonly yes, appendfsync always"
    id_after, accepted = '"taskId":"', '"taskId"'
    install = ("fastmcp", "redis")
    missing = {"steps": "a task has no steps"}

    def stores(self):
        self.redis = free_port()
        options = ["--bind", "127.0.0.1", "--dir", self.folder, "--save", ""]
        durable = ["--appendonly", "yes", "--appendfsync", "always"]
        self.processes.spawn("redis", ["redis-server", "--port", str(self.redis), *options, *durable])

    def start_worker(self, name, number):
        self.processes.spawn(
            name, [self.bench.program("fastmcp"), self.bench.app("fastmcp_app.py")], PORT=str(self.ports[number]),
            REDIS_URL=f"redis://127.0.0.1:{self.redis}/0", CONCURRENCY=str(self.concurrency),
            FASTMCP_DOCKET_REDELIVERY_TIMEOUT="PT10S",
        )

    def request(self, work, job):
        return mcp("tools/call", work, {"name": work, "arguments": job})

    def get(self, task):
        return mcp("tasks/get", task, {"taskId": task})

    def known(self, every_ms):
        return {"poll": {"request": self.get("{id}"), "contains": '"status":"completed"', "every_ms": every_ms}}

    def is_done(self, client, task):
        return '"status":"completed"' in client.ask(self.get(task))[1]

    def watch(self, count):
        client = Client(self.addresses[0])
        task = json.loads(client.ask(self.request("report", {"count": count}))[1])["result"]["taskId"]
        yield from polled(lambda: client.ask(self.get(task))[1], count)


def polled(ask, count):
    """Asks every 2 ms and yields each answer with a new report."""
    seen, begun = set(), time.monotonic()
    while len(seen) < count and time.monotonic() - begun < count * 0.15 + 5:
        text = ask()
        mark = text.partition("at=")[2].partition(";")[0]
        if mark and mark not in seen:
            seen.add(mark)
            yield text
        time.sleep(0.002)


class Dbos(Side):
    app, install = "dbos_app.py", ("dbos",)

    def start_worker(self, name, number):
        command = [self.bench.program("dbos"), self.bench.app(self.app)]
        self.processes.spawn(name, command, **self.env(number))

    def env(self, number):
        database = self.database or f"sqlite:///{self.folder}/dbos.sqlite"
        return {"DATABASE_URL": database, "PORT": str(self.ports[number]), "EXECUTOR": f"bench-{number}"}

    def request(self, work, job):
        return post(f"/start/{work}", job)

    def run_request(self, work, job):
        return post(f"/run/{work}", job)

    def is_done(self, client, task):
        return "success" in client.ask({"method": "GET", "path": f"/status/{task}"})[1].lower()

    def watch(self, count):
        client = Client(self.addresses[0])
        task = json.loads(client.ask(self.request("report", {"count": count}))[1])["id"]
        for turn in range(count):
            yield client.ask({"method": "GET", "path": f"/event/{task}/p{turn}"})[1]


class DbosSqlite(Dbos):
    key, title = "dbos-sqlite", "DBOS for Python, SQLite"
    durability = "SQLite with a rollback journal, synchronous=FULL (its defaults)"
    missing = {"workers": "a file belongs to one process"}


class DbosPostgres(Dbos):
    key, title, postgres = "dbos-pg", "DBOS for Python, PostgreSQL", True
    durability = OursPostgres.durability


class DbosRust(Dbos):
    key, title, postgres, install = "dbos-rust", "DBOS for Rust, PostgreSQL", True, ("rust",)
    durability = OursPostgres.durability

    def start_worker(self, name, number):
        self.processes.spawn(name, [self.bench.program("dbos-rust")], **self.env(number))


class Restate(Side):
    durability = "the server's log, whose WAL it syncs by default, one replica"
    id_after, accepted = '"invocationId":"', '"invocationId"'
    missing = {"workers": "the server sends all work to one address of a service"}

    def stores(self):
        self.ingress, self.admin, node = free_port(), free_port(), free_port()
        self.is_registered = False
        listen = ["--listen-mode", "tcp", "--bind-ip", "127.0.0.1", "--bind-port", str(node)]
        self.processes.spawn(
            "server", [self.bench.program("restate-server"), *listen, "--base-dir", f"{self.folder}/data", "--no-logo"],
            RESTATE_DISABLE_TELEMETRY="true", RESTATE_INGRESS__BIND_PORT=str(self.ingress),
            RESTATE_ADMIN__BIND_PORT=str(self.admin), RESTATE_LOG_FILTER="error",
        )

    @property
    def addresses(self):
        return [f"127.0.0.1:{self.ingress}"]

    def accept_first(self, limit=60):
        begun, client = time.monotonic(), Client(f"127.0.0.1:{self.admin}")
        while not self.is_registered:
            status, text = client.ask(post("/deployments", {"uri": f"http://127.0.0.1:{self.ports[0]}"}))
            self.is_registered = status in (200, 201)
            if time.monotonic() - begun > limit:
                raise RuntimeError(f"not registered: {status} {text} {self.processes.tail('worker')}")
            time.sleep(0.003)
        super().accept_first(limit)

    def request(self, work, job):
        return post(f"/Bench/{work}/send", job)

    def run_request(self, work, job):
        return post(f"/Bench/{work}", job)

    def is_done(self, client, task):
        path = f"/restate/invocation/{urllib.parse.quote(task)}/output"
        return client.ask({"method": "GET", "path": path})[0] == 200

    def watch(self, count):
        client, key = Client(self.addresses[0]), f"watched-{time.time_ns()}"
        client.ask(post(f"/Watched/{key}/run/send", {"count": count}))
        yield from polled(lambda: client.ask({"method": "POST", "path": f"/Watched/{key}/look"})[1], count)


class RestatePython(Restate):
    key, title, install = "restate-python", "Restate, a service in Python", ("restate", "restate-server")

    def start_worker(self, name, number):
        command = [self.bench.program("hypercorn"), "--bind", f"127.0.0.1:{self.ports[number]}", "restate_app:app"]
        self.processes.spawn(name, command, PYTHONPATH=self.bench.app(""))


class RestateRust(Restate):
    key, title, install = "restate-rust", "Restate, a service in Rust", ("rust", "restate-server")

    def start_worker(self, name, number):
        self.processes.spawn(name, [self.bench.program("restate-rust")], PORT=str(self.ports[number]))


NO_TASKS = dict.fromkeys(("accept", "result", "steps", "crash", "waiting", "progress", "workers"), "it has no tasks")


class Graphile(Dbos):
    key, title, postgres, install = "graphile", "graphile_worker, PostgreSQL", True, ("rust",)
    durability = OursPostgres.durability
    missing = {
        **dict.fromkeys(("steps", "crash", "waiting", "progress"), "a job has no steps, sleeps or progress"),
        "workers": "only the process that runs a job knows its end",
    }

    def start_worker(self, name, number):
        self.processes.spawn(name, [self.bench.program("graphile")], **self.env(number))


class Rmcp(Side):
    key, title, keeps, install = "rmcp", "rmcp alone", False, ("rust",)
    durability = "keeps nothing"
    accepted = '"hello"'
    missing = NO_TASKS

    def start_worker(self, name, number):
        self.processes.spawn(name, [self.bench.program("mcp")], PORT=str(self.ports[number]))

    def request(self, work, job):
        return mcp_echo()


SIDES = [
    OursSqlite, OursPostgres, Fastmcp, DbosSqlite, DbosPostgres, DbosRust, RestatePython, RestateRust, Graphile, Rmcp,
]
CALLS = {"ours": True, "ours-pg": True, "fastmcp": False, "rmcp": False}  # sides with MCP tools: the call is on disk
