"""Measures backup and restore: ours, and Odoo's own zip, on one database and in one run.

ARGUMENTS: database to copy, megabytes of files, number of files, path of restic, folder of
PostgreSQL's programs, folder to work in. Prints one line of JSON. Run in the virtual environment
with the ``PG*`` variables and an Odoo configuration in ``ODOO_RC``.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import secrets
import shutil
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "addons" / "fleet_saas_server"))

import psutil
import psycopg2.extras
from hosting import backup, check, manifest, names, restore
from hosting.pgtools import PgTools
from hosting.postgres import Cluster, Mark
from hosting.restic import Repository

MB = 1 << 20


class Peak(threading.Thread):
    """Watches the memory of a process and its descendants: the most that they held together.

    Proportional set size: a page shared by several counts once.
    """

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.own = psutil.Process()
        self.base = self._held(self.own)
        self.peak, self.parts = 0.0, {}
        self.stopped = threading.Event()

    def run(self) -> None:
        while not self.stopped.wait(0.05):
            parts = {"ours": max(0.0, self._held(self.own) - self.base)}
            for child in self.own.children(recursive=True):
                name = self._program(child)
                parts[name] = parts.get(name, 0) + self._held(child)
            if sum(parts.values()) > self.peak:
                self.peak, self.parts = sum(parts.values()), parts

    def _program(self, process: psutil.Process) -> str:
        try:
            return process.name()
        except psutil.Error:
            return "gone"

    def _held(self, process: psutil.Process) -> float:
        try:
            return process.memory_full_info().pss / MB
        except psutil.Error:
            return 0.0

    def __enter__(self) -> Peak:
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.stopped.set()
        self.join()


class Bench:
    """One database with files, and where its copies go."""

    def __init__(self, database: str, binary: str, pg_bin: str, folder: Path) -> None:
        given = {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD"}
        dsn = {key: os.environ[name] for key, name in given.items() if name in os.environ}
        self.tools = PgTools(Cluster(dsn), pg_bin)
        self.cluster = self.tools.cluster
        self.database, self.folder = database, folder
        self.filestore = folder / "data" / "filestore" / database
        self.key = manifest.new_key()
        self.repository = Repository(
            str(folder / "repository"), secrets.token_urlsafe(32), binary=binary
        )
        self.source = backup.Source(
            database, "bench", "bench-uuid", self.filestore, folder / "data" / "staging"
        )
        self.mark = Mark(server="bench", kind="hidden")
        self.count = 0

    def fill(self, megabytes: int, files: int) -> None:
        """Attach files half of which compress, as documents and pictures do."""
        size = megabytes * MB // files
        chance, rows = random.Random(1), []
        for _number in range(files):
            content = chance.randbytes(size // 2) + b"text of an invoice " * (size // 38)
            digest = hashlib.sha1(content).hexdigest()
            path = self.filestore / digest[:2] / digest
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            rows.append((f"{digest[:2]}/{digest}", len(content)))
        with self.cluster.cursor(self.database) as cr:
            psycopg2.extras.execute_values(
                cr,
                "INSERT INTO ir_attachment (name, type, store_fname, file_size) VALUES %s",
                [("bench", "binary", *row) for row in rows],
            )
        os.sync()

    def take(self) -> backup.Backup:
        """Take a backup as the server does, reading back included."""
        self.count += 1
        taken = backup.take(
            self.source,
            backup=f"bench-{self.count:04}",
            tools=self.tools,
            repository=self.repository,
            key=self.key,
        )
        check.confirm(self.repository, taken.backup, [self.key.public_key()])
        return taken

    def new_repository(self) -> None:
        """Make an empty repository, which happens once in a database's life."""
        shutil.rmtree(self.repository.location, ignore_errors=True)
        self.repository.init()

    def restore(self, taken: backup.Backup) -> str:
        """Restore into a hidden database with all comparisons; return its name."""
        name = names.hidden_name("bench")
        found = restore.fetch_manifest(self.repository, taken.backup, [self.key.public_key()])
        folder = self.folder / "data" / "filestore" / name
        target = restore.Target(name, self.mark, folder, self.folder / "data" / "staging")
        restore.restore(found, target, tools=self.tools, repository=self.repository)
        return name

    def drop(self, name: str) -> None:
        """Drop a restored database and its files."""
        with self.cluster.cursor() as cr:
            cr.execute(f'ALTER DATABASE "{name}" IS_TEMPLATE false')
            cr.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        shutil.rmtree(self.folder / "data" / "filestore" / name, ignore_errors=True)


ODOO = """
import sys, time
import odoo.tools.config as _config
from odoo.tools import config
what, name, path, data, pg_path = sys.argv[1:]
config.parse_config(["--data-dir", data, "--log-level", "error", "--pg_path", pg_path])
config["list_db"] = True
from odoo.service import db
began = time.monotonic()
if what == "dump":
    with open(path, "wb") as stream:
        db.dump_db(name, stream)
else:
    db.restore_db(name, path)
print(time.monotonic() - began)
"""


def odoo(bench: Bench, what: str, name: str, path: Path) -> float:
    """Run Odoo's own function in a process of its own; return its seconds without Odoo's start."""
    arguments = [what, name, str(path), str(bench.folder / "data"), bench.tools.folder]
    result = subprocess.run(
        [sys.executable, "-c", ODOO, *arguments], capture_output=True, text=True, check=False
    )
    if result.returncode:
        raise SystemExit(result.stderr[-2000:])
    return float(result.stdout.strip().splitlines()[-1])


def seconds(call: Callable[..., object], *arguments: object) -> tuple[float, object]:
    """Return how long a call took, and its result."""
    began = time.monotonic()
    result = call(*arguments)
    return time.monotonic() - began, result


def measure(bench: Bench, prefix: str, rounds: int) -> dict[str, object]:
    """Measure everything ``rounds`` times, ours and Odoo's by turns; return medians."""
    times: dict[str, list[float]] = {}
    zipped, peaks = bench.folder / "odoo.zip", []
    for number in range(rounds):
        bench.new_repository()
        os.sync()
        with Peak() as peak:
            spent, taken = seconds(bench.take)
        peaks.append(peak)
        times.setdefault("ours_s", []).append(spent)
        os.sync()
        times.setdefault("odoo_zip_s", []).append(odoo(bench, "dump", bench.database, zipped))
        spent, second = seconds(bench.take)
        times.setdefault("second_s", []).append(spent)
        spent, name = seconds(bench.restore, second)
        times.setdefault("restore_s", []).append(spent)
        bench.drop(name)
        other = f"{prefix}bench_odoo_{os.getpid()}_{number}"
        try:
            times.setdefault("odoo_restore_s", []).append(odoo(bench, "restore", other, zipped))
        finally:
            bench.drop(other)
    figures: dict[str, object] = {
        key: round(statistics.median(values), 2) for key, values in times.items()
    }
    highest = max(peaks, key=lambda peak: peak.peak)
    return figures | {
        "odoo_zip_ratio": round(figures["odoo_zip_s"] / figures["ours_s"], 2),
        "odoo_restore_ratio": round(figures["odoo_restore_s"] / figures["restore_s"], 2),
        "second_bytes_share": round(second.added / taken.added, 4),
        "peak_mb": round(highest.peak),
        "peak_parts_mb": {name: round(value) for name, value in highest.parts.items()},
        "files": taken.files,
        "bytes": taken.bytes,
        "stored_bytes": taken.added,
        "zip_bytes": zipped.stat().st_size,
        "rounds": rounds,
    }


def main() -> None:
    """Measure what the arguments say, and print it."""
    database, megabytes, files, binary, pg_bin, work, rounds = sys.argv[1:]
    prefix = database[: database.index("bench_")]
    folder = Path(work)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        bench = Bench(database, binary, pg_bin, folder)
        bench.fill(int(megabytes), int(files))
        print(json.dumps(measure(bench, prefix, int(rounds))))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
