"""An Odoo process that goes on in the background, known by its pid file."""

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

from . import console, files, odoo_run, paths, shell

STOP_S = 10
START_S = 180


class Server:
    """One Odoo server of this tree on a port of the loopback interface.

    :param name: what its pid file is called
    :param configuration: its configuration file, when not the one of the tree
    :param keep_log: go on with the log of an earlier start
    """

    def __init__(self, name, port, log, configuration=paths.ODOO_CONF, keep_log=False):
        self.port = port
        self.log = log
        self._configuration = configuration
        self._keep_log = keep_log
        self._pid_file = paths.RUN / f"{name}.pid"

    def start(self, *options, **environment):
        """Start the process, detached from this one."""
        if self._configuration == paths.ODOO_CONF:
            odoo_run.write_configuration()
        self.log.parent.mkdir(parents=True, exist_ok=True)
        options = (*options, "--http-port", self.port)
        with open(self.log, "ab" if self._keep_log else "wb") as output:
            process = subprocess.Popen(
                odoo_run.command(*options, configuration=self._configuration),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=odoo_run.environment(**environment),
                cwd=paths.RUN,
                start_new_session=True,
            )
        files.write(
            self._pid_file,
            json.dumps({"pid": process.pid, "port": self.port, "born": _born(process.pid)}),
        )

    def pid(self):
        """Return the number of the running process, or None."""
        return (self._read() or {}).get("pid")

    def running_port(self):
        """Return the port of the running process, or None."""
        return (self._read() or {}).get("port")

    def _read(self):
        with contextlib.suppress(OSError, ValueError):
            facts = json.loads(self._pid_file.read_text())
            if facts["born"] and _born(facts["pid"]) == facts["born"]:
                return facts
        return None

    def wait(self, host, any_status=False):
        """Wait until the server shows the login page of ``host``; fail with its log when it ends before.

        :param any_status: any answer will do
        """
        end = time.monotonic() + START_S
        while time.monotonic() < end:
            if self.pid() is None:
                console.say(shell.tail(self.log))
                raise console.Failure(f"Odoo ended while starting; the whole log is in {self.log}")
            with contextlib.suppress(OSError, http.client.HTTPException):
                connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=START_S)
                connection.request("GET", "/web/login", headers={"Host": f"{host}:{self.port}"})
                if connection.getresponse().status == 200 or any_status:
                    return
            time.sleep(0.5)
        console.say(shell.tail(self.log))
        raise console.Failure(f"Odoo did not answer within {START_S} s; its log is {self.log}")

    def stop(self):
        """Stop the process and wait until it is gone; return whether it ran."""
        pid = self.pid()
        if pid is not None:
            _end(pid, self.pid)
        self._pid_file.unlink(missing_ok=True)
        return pid is not None

    def kill(self):
        """Kill the process and those that it started, as a power cut would."""
        pid = self.pid()
        if pid is not None:
            os.killpg(pid, signal.SIGKILL)
            while self.pid() is not None:
                time.sleep(0.01)
        self._pid_file.unlink(missing_ok=True)


def check_port(server):
    """Fail when another program has the port; our own earlier server is replaced later."""
    if server.running_port() == server.port:
        return
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", server.port))
        except OSError as error:
            raise console.Failure(
                f"Port {server.port} of 127.0.0.1 is taken by another program ({error.strerror}). "
                f"Stop that program, or choose another port: make demo FLEET_DEMO_PORT={server.port + 1}"
            ) from error


def _born(pid):
    """Return when a process was started, in the kernel's ticks: a number is used again, this is not."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else fields[19]


def _end(pid, alive):
    # The first signal makes Odoo wait for what is still open, the second one does not wait.
    for number, seconds in (
        (signal.SIGTERM, 2),
        (signal.SIGTERM, STOP_S),
        (signal.SIGKILL, STOP_S),
    ):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        end = time.monotonic() + seconds
        while alive() is not None and time.monotonic() < end:
            time.sleep(0.1)
        if alive() is None:
            return
