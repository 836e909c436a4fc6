"""Installs the sides from their registries, each once: PyPI, npm, crates.io and Debian, by the names of packages."""

import glob
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]

PYTHON = {
    "fastmcp": ["fastmcp==4.1.4", "fastmcp-tasks==4.1.4", "httpx"],
    "dbos": ["dbos==3.4.0", "psycopg[binary]", "starlette", "uvicorn", "uvloop", "httptools", "httpx"],
    "restate": ["restate-sdk==1.3.0", "hypercorn", "httpx"],
}
RESTATE_SERVER = "@restatedev/restate-server@1.7.12"


def run(command, **options):
    print("  " + " ".join(map(str, command)), flush=True)
    subprocess.run(command, check=True, **options)


class Installation:
    def __init__(self, folder):
        self.folder = Path(folder).resolve()
        self.folder.mkdir(parents=True, exist_ok=True)

    # where things are

    def program(self, name):
        cargo, venv = self.folder / "cargo/release", self.folder
        return str({
            "ours": cargo / "bench-peer", "load": cargo / "load", "dbos-rust": cargo / "dbos", "mcp": cargo / "mcp",
            "restate-rust": cargo / "restate", "graphile": cargo / "graphile", "fastmcp": venv / "fastmcp/bin/python",
            "dbos": venv / "dbos/bin/python", "hypercorn": venv / "restate/bin/hypercorn",
            "restate-server": venv / "npm/node_modules/@restatedev/restate-server-linux-x64/bin/restate-server",
        }[name])

    def app(self, name):
        return str(HERE / "apps" / name)

    # installing

    def install(self, parts, pythons):
        for part in dict.fromkeys(("load", *parts)):
            if part in PYTHON:
                self.virtual_environment(part, pythons)
            elif part == "redis":
                if not shutil.which("redis-server"):
                    self.debian("redis-server")
            elif part == "postgres":
                if not postgres_programs():
                    self.debian("postgresql")
            elif part == "restate-server":
                self.npm()
            else:
                self.cargo(part)

    def debian(self, package):
        # The package starts no server of its own: the bench starts one with its settings.
        env = {**os.environ, "RUNLEVEL": "1", "DEBIAN_FRONTEND": "noninteractive"}
        run(["apt-get", "update", "-q"], env=env)
        run(["apt-get", "install", "-qy", "--no-install-recommends", package], env=env)

    def npm(self):
        if Path(self.program("restate-server")).exists():
            return
        folder = self.folder / "npm"
        folder.mkdir(exist_ok=True)
        (folder / "package.json").write_text('{"private": true}')
        run(["npm", "install", "--no-audit", "--no-fund", "--silent", RESTATE_SERVER], cwd=folder)

    def virtual_environment(self, part, pythons):
        """With the first Python for which the registry has a solution."""
        venv, wanted = self.folder / part, " ".join(PYTHON[part])
        mark = venv / "installed"
        if mark.exists() and mark.read_text() == wanted:
            return
        for python in filter(shutil.which, [*pythons, "python3", *newer_pythons()]):
            shutil.rmtree(venv, ignore_errors=True)
            try:
                run([python, "-m", "venv", venv])
                pip = [venv / "bin/pip", "install", "--quiet", "--disable-pip-version-check"]
                run([*pip, *PYTHON[part]])
            except subprocess.CalledProcessError:
                continue
            mark.write_text(wanted)
            return
        raise RuntimeError(f"no Python has a solution for {wanted}; name one with --python")

    def cargo(self, part):
        env = {**os.environ, "CARGO_TARGET_DIR": str(self.folder / "cargo")}
        if part == "ours":
            run(["cargo", "build", "--release", "--quiet", "-p", "imperal-bench-peer"], cwd=ROOT, env=env)
        else:
            some = ["--bin", "load"] if part == "load" else []
            run(["cargo", "build", "--release", "--quiet", "--locked", *some], cwd=HERE / "rust", env=env)

    # what is installed

    def versions(self, parts):
        """Lines for the head of the table."""
        lines = []
        for part in parts:
            if part in PYTHON:
                python = self.folder / part / "bin/python"
                names = [re.split(r"[=\[]", name)[0] for name in PYTHON[part]]
                names += {"fastmcp": ["pydocket", "mcp", "redis"]}.get(part, [])
                code = "import json,platform,sys;from importlib.metadata import version as v\n" \
                    "print(json.dumps([platform.python_version()]+[f'{n} {v(n)}' for n in sys.argv[1:]]))"
                found = json.loads(subprocess.check_output([python, "-c", code, *names], text=True))
                lines.append(f"{part}: Python {', '.join(found)}")
            elif part == "restate-server":
                text = (self.folder / "npm/node_modules/@restatedev/restate-server/package.json").read_text()
                lines.append(f"restate-server: {json.loads(text)['version']}")
            elif part == "rust":
                lock = (HERE / "rust/Cargo.lock").read_text()
                names = ["dbos", "restate-sdk", "graphile_worker", "rmcp", "axum", "tokio"]
                found = [f"{name} {locked(lock, name)}" for name in names]
                lines.append(f"rust: {', '.join(found)}, {output(['rustc', '--version'])}")
            elif part == "redis":
                lines.append(f"redis: {output(['redis-server', '--version'])}")
            elif part == "ours":
                commit = output(["git", "-C", str(ROOT), "describe", "--always", "--dirty"])
                lines.append(f"ours: commit {commit}, features `mcp` and `postgres`, release profile")
        return lines

    def size(self, side):
        """MiB that the side needs on disk, with its store, without Python and shared libraries of the system."""
        paths = {
            "ours": [self.program("ours")], "ours-pg": [self.program("ours")], "rmcp": [self.program("mcp")],
            "fastmcp": [self.folder / "fastmcp", shutil.which("redis-server")], "dbos-sqlite": [self.folder / "dbos"],
            "dbos-pg": [self.folder / "dbos"], "dbos-rust": [self.program("dbos-rust")],
            "restate-python": [self.folder / "restate", self.program("restate-server")],
            "restate-rust": [self.program("restate-rust"), self.program("restate-server")],
            "graphile": [self.program("graphile")],
        }[side]
        if side in ("ours-pg", "dbos-pg", "dbos-rust", "graphile"):
            paths.append(os.path.dirname(postgres_programs()))
        return sum(bytes_of(Path(path).resolve()) for path in paths) / 2**20


def locked(lock, name):
    """The version of a crate in the text of a lock file."""
    return re.search(f'name = "{name}"\nversion = "(.*)"', lock)[1]


def bytes_of(path):
    if path.is_file():
        return path.stat().st_size
    return sum(file.lstat().st_size for file in path.rglob("*") if file.is_file() and "__pycache__" not in file.parts)


def output(command):
    return subprocess.run(command, capture_output=True, text=True).stdout.strip()


def newer_pythons():
    found = glob.glob(os.path.expanduser("~/.pyenv/versions/3.1[2-9]*/bin/python3"))
    return ["python3.13", "python3.12", *sorted(found, reverse=True)]


def postgres_programs():
    """The folder of `initdb` and the others."""
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"))
    if not found and (path := shutil.which("initdb")):
        found = [os.path.realpath(path)]
    return os.path.dirname(found[-1]) if found else None
