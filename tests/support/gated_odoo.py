"""A real hosted Odoo process behind the gate, with databases and routes of its own."""

from __future__ import annotations

import os
import shutil
import xmlrpc.client
from pathlib import Path
from typing import Any

import psycopg2
import requests
from support.odoo_fleet import services

from fleetdev import databases, odoo_run, paths, postgres
from fleetdev.server import Server

LOAD = "--load=base,rpc,web,fleet_saas_server"
PAUSE_S = 0.15  # what a change of the routes takes to be seen by crons, and some more


class GatedOdoo:
    """Databases by label at ``LABEL.hosted.example``, whatever routes the test writes.

    :param folder: an empty folder for the process's ``data_dir``; the filestore is the shared one
    """

    def __init__(self, folder: Path, *labels: str) -> None:
        services()
        self.labels = labels
        self.name = f"test_gate_{os.getpid()}"
        self.data_dir = folder
        self.work_dir = folder / "fleet"
        self.port = odoo_run.free_port()
        self.log = paths.LOG / f"{self.name}.log"
        self.server = Server(self.name, self.port, self.log)

    def __enter__(self) -> GatedOdoo:
        (self.data_dir / "filestore").symlink_to(paths.DATA / "filestore")
        try:
            for label in self.labels:
                databases.copy(databases.template("base"), self.database(label))
                self.sql(
                    label,
                    "INSERT INTO ir_config_parameter (key, value) VALUES ('web.web_app_name', %s)",
                    label,
                )
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_error: object) -> None:
        self.server.stop()
        for label in self.labels:
            databases.drop(self.database(label))
        shutil.rmtree(self.data_dir, ignore_errors=True)

    def start(self, *options: str) -> None:
        """Start the process and wait until an unknown host is answered."""
        data_dir = f"--data-dir={self.data_dir}"
        self.server.start(LOAD, data_dir, "--max-cron-threads=1", *options)

    def database(self, label: str) -> str:
        """Return the name of a database in PostgreSQL."""
        return f"{postgres.prefix()}{self.name}_{label}"

    def host(self, label: str) -> str:
        """Return the host name of a database."""
        return f"{label}.hosted.example"

    def ask(self, label: str, path: str, method: str = "GET", **options: Any) -> requests.Response:
        """Ask for a path with the host name of ``label``."""
        headers = {"Host": self.host(label)} | options.pop("headers", {})
        return requests.request(
            method,
            f"http://127.0.0.1:{self.port}{path}",
            headers=headers,
            allow_redirects=False,
            timeout=60,
            **options,
        )

    def json_rpc(self, label: str, path: str, **options: Any) -> dict:
        """Call a JSON-RPC route of Odoo; return the answer with ``result`` or ``error``."""
        params = options.pop("params", {})
        body = {"jsonrpc": "2.0", "id": 1, "method": "call", "params": params}
        return self.ask(label, path, "POST", json=body, **options).json()

    def login(self, label: str, database: str) -> tuple[dict, str]:
        """Log in on a host into a database; return the answer and the session's cookie."""
        params = {"db": database, "login": "admin", "password": "admin"}
        body = {"jsonrpc": "2.0", "params": params}
        answer = self.ask(label, "/web/session/authenticate", "POST", json=body)
        return answer.json(), answer.cookies.get("session_id", "")

    def xml_rpc(self, label: str, service: str, method: str, *arguments: Any) -> Any:
        """Call XML-RPC on a host."""
        body = xmlrpc.client.dumps(arguments, method)
        answer = self.ask(label, f"/xmlrpc/2/{service}", "POST", data=body.encode())
        return xmlrpc.client.loads(answer.content)[0][0]

    def served(self, label: str, query: str = "", **options: Any) -> str:
        """Return the label of the database that answers on the host of ``label``."""
        answer = self.ask(label, f"/web/manifest.webmanifest{query}", **options)
        return answer.json()["name"]

    def sql(self, label: str, query: str, *values: Any) -> list[tuple]:
        """Run SQL in a database of the test; return its rows."""
        connection = psycopg2.connect(dbname=self.database(label))
        try:
            with connection, connection.cursor() as cr:
                cr.execute(query, values)
                return cr.fetchall() if cr.description else []
        finally:
            connection.close()
