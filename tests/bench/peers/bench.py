"""What all rows share: the folders, the PostgreSQL server, the users' tokens, and the load."""

import json
import os
import shutil
import subprocess
import tempfile

from install import output, postgres_programs
from sides import SECRET, free_port


class Bench:
    """`data` is on the disk that is measured; everything in it is removed at the end."""

    def __init__(self, installation, data, quick):
        self.installation, self.quick = installation, quick
        self.data = tempfile.mkdtemp(prefix="imperal-peers.", dir=data)
        os.chmod(self.data, 0o755)
        self.program, self.app = installation.program, installation.app
        self.databases = self.folders = 0
        self.postgres_port = None
        self.tokens = ()

    def folder(self, side):
        self.folders += 1
        path = f"{self.data}/{self.folders}-{side}"
        os.mkdir(path)
        return path

    def make_tokens(self):
        env = {**os.environ, "IMPERAL_JWT_SECRET": SECRET}
        command = [self.program("ours"), "token"]
        self.tokens = tuple(
            subprocess.check_output([*command, f"user-{number}"], env=env, text=True).strip() for number in range(64)
        )

    # PostgreSQL

    def start_postgres(self):
        programs, data = postgres_programs(), f"{self.data}/postgres"
        self.control, self.psql = f"{programs}/pg_ctl", f"{programs}/psql"
        user = {}
        if os.geteuid() == 0:
            # The server refuses to run as root.
            os.mkdir(data)
            shutil.chown(data, "postgres", "postgres")
            user = {"user": "postgres", "group": "postgres", "extra_groups": []}
        self.as_user = {**user, "stdout": subprocess.DEVNULL, "cwd": "/"}
        options = ["-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale"]
        subprocess.run([f"{programs}/initdb", "-D", data, *options], check=True, **self.as_user)
        port = free_port()
        server = f"-k {data} -p {port} -c listen_addresses=127.0.0.1 -c max_connections=300"
        command = [self.control, "-D", data, "-w", "-l", f"{data}/log", "-o", server, "start"]
        subprocess.run(command, check=True, **self.as_user)
        self.postgres_port = port

    def sql(self, text):
        address = ["-h", "127.0.0.1", "-p", str(self.postgres_port), "-U", "postgres", "-d", "postgres"]
        return output([self.psql, *address, "-Atc", text])

    def database(self):
        """The address of a new database."""
        self.databases += 1
        name = f"side_{self.databases}"
        self.sql(f"CREATE DATABASE {name}")
        return f"postgresql://postgres@127.0.0.1:{self.postgres_port}/{name}"

    def postgres_ids(self):
        if not self.postgres_port:
            return []
        with open(f"{self.data}/postgres/postmaster.pid") as file:
            return [int(file.readline())]

    def settings(self):
        if not self.postgres_port:
            return []
        names = ("server_version", "fsync", "synchronous_commit", "wal_sync_method", "shared_buffers")
        return ["postgresql: " + ", ".join(f"{name} {self.sql(f'SHOW {name}')}" for name in names)]

    def close(self):
        if self.postgres_port:
            subprocess.run([self.control, "-D", f"{self.data}/postgres", "-m", "immediate", "stop"], **self.as_user)
        shutil.rmtree(self.data, ignore_errors=True)

    # load

    def load(self, plan):
        """Runs the load; fails when any request did."""
        answer = subprocess.run([self.program("load")], input=json.dumps(plan), capture_output=True, text=True)
        if answer.returncode:
            raise RuntimeError(answer.stderr[-600:])
        found = json.loads(answer.stdout)
        if found["failed"] or not found["done"]:
            raise RuntimeError(f"{found['failed']} of {found['failed'] + found['done']} failed: {found['error']}")
        return found
