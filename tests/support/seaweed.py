"""A real S3 server for tests: SeaweedFS on the loopback interface.

with SeaweedS3() as s3:
    subprocess.run(["restic", "-r", s3.location + "/acme", "init"], env=os.environ | s3.environment)
"""

from __future__ import annotations

import contextlib
import json
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from fleetdev import paths, shell

WEED = paths.VENV / "bin" / "weed"
START_S = 60
REGION = "us-east-1"


class SeaweedS3:
    """One S3 server with one bucket and one user, in a temporary folder, until the block ends.

    ``access_key`` and ``secret_key`` are the only ones it accepts; ``environment`` holds them as
    restic and boto3 read them, ``location`` is the bucket as restic writes it.
    """

    def __init__(self, bucket: str = "backups") -> None:
        self.bucket = bucket
        self.access_key = f"key{secrets.token_hex(8)}"
        self.secret_key = secrets.token_hex(20)
        self.port = 0
        self._ports: list[int] = []
        self._folder: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> SeaweedS3:
        self._folder = Path(tempfile.mkdtemp(prefix="fleet-seaweed-"))
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    @property
    def url(self) -> str:
        """Return the address of the server."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def location(self) -> str:
        """Return the bucket as restic names it."""
        return self.location_at(self.port)

    def location_at(self, port: int) -> str:
        """Return the bucket as restic names it, through a proxy on another port."""
        return f"s3:http://127.0.0.1:{port}/{self.bucket}"

    @property
    def environment(self) -> dict[str, str]:
        """Return the variables that let a program in."""
        return {
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_DEFAULT_REGION": REGION,
        }

    def client(self, **changes: Any) -> Any:
        """Return boto3's client of this server; ``changes`` replace its arguments."""
        arguments = {
            "endpoint_url": self.url,
            "aws_access_key_id": self.access_key,
            "aws_secret_access_key": self.secret_key,
            "region_name": REGION,
            "config": Config(
                s3={"addressing_style": "path"},
                retries={"total_max_attempts": 1},
                connect_timeout=5,
                read_timeout=20,
                proxies={},
            ),
        }
        return boto3.client("s3", **(arguments | changes))

    def keys(self, prefix: str = "") -> list[str]:
        """Return the names of the objects in the bucket."""
        pages = self.client().get_paginator("list_objects_v2")
        return [
            entry["Key"]
            for page in pages.paginate(Bucket=self.bucket, Prefix=prefix)
            for entry in page.get("Contents", ())
        ]

    def start(self) -> None:
        """Start the server, or start it again after `stop`, on the same ports with the same data."""
        folder = self._folder
        self._ports = self._ports or _free_ports(8)
        self.port = self._ports[6]
        configuration = folder / "s3.json"
        configuration.write_text(json.dumps({"identities": [self._identity()]}))
        with open(folder / "log", "ab") as output:
            self._process = subprocess.Popen(
                _command(folder, configuration, self._ports),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=folder,
                start_new_session=True,
            )
        self._wait()

    def _identity(self) -> dict[str, Any]:
        key = {"accessKey": self.access_key, "secretKey": self.secret_key}
        actions = ["Admin", "Read", "Write", "List", "Tagging"]
        return {"name": "fleet", "credentials": [key], "actions": actions}

    def _wait(self) -> None:
        end = time.monotonic() + START_S
        while time.monotonic() < end and self._process.poll() is None:
            with contextlib.suppress(BotoCoreError, ClientError):
                self._probe()
                return
            time.sleep(0.1)
        log = self._folder / "log"
        raise AssertionError(f"SeaweedFS did not start:\n{shell.tail(log, 30)}")

    def _probe(self) -> None:
        """Have the bucket, and store and fetch an object: it lists before its volumes are there."""
        client = self.client()
        if self.bucket not in [entry["Name"] for entry in client.list_buckets()["Buckets"]]:
            client.create_bucket(Bucket=self.bucket)
        place = {"Bucket": self.bucket, "Key": ".probe"}
        client.put_object(Body=b"probe", **place)
        client.get_object(**place)["Body"].read()
        client.delete_object(**place)

    def stop(self) -> None:
        """Kill the server; what it has stays on disk."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        self._process = None
        # It puts these there whatever TMPDIR says, and a kill leaves them.
        for port in self._ports:
            for left in Path("/tmp").glob(f"seaweedfs-*-{port}.sock"):
                left.unlink(missing_ok=True)

    def close(self) -> None:
        """Kill the server and remove its data."""
        self.stop()
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)


def _command(folder: Path, configuration: Path, ports: list[int]) -> list[str]:
    options = {
        "dir": folder,
        "ip": "127.0.0.1",
        "ip.bind": "127.0.0.1",
        "master.peers": "none",  # one master alone has nobody to elect
        "master.telemetry": "false",
        "master.volumeSizeLimitMB": 256,
        "master.volumePreallocate": "false",
        "volume.max": 50,
        "volume.preStopSeconds": 0,
        "filer.localSocket": folder / "filer.sock",
        "s3.localSocket": folder / "s3.sock",
        "s3.config": configuration,
        "s3.iam": "false",
        "s3.port.iceberg": 0,
        "s3.port.lance": 0,
    }
    for position, part in enumerate(("master", "volume", "filer", "s3")):
        options[f"{part}.port"] = ports[2 * position]
        options[f"{part}.port.grpc"] = ports[2 * position + 1]
    settings = [f"-{name}={value}" for name, value in options.items()]
    return [str(WEED), "-logtostderr=true", "server", *settings, "-filer", "-s3"]


def _free_ports(count: int) -> list[int]:
    """Return ports that are free at the same time."""
    with contextlib.ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]
