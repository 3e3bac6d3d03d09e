"""The S3 server and the faulty proxy that the tests of backups stand on."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator

import pytest
import requests
from botocore.exceptions import ClientError, HTTPClientError
from support.faulty_proxy import FaultyProxy
from support.seaweed import SeaweedS3

from fleetdev import restic, shell

BODY = b"0123456789" * 20_000


@pytest.fixture(scope="module")
def s3() -> Iterator[SeaweedS3]:
    with SeaweedS3() as server:
        yield server


@pytest.fixture
def proxy(s3: SeaweedS3) -> Iterator[FaultyProxy]:
    with FaultyProxy(s3.port) as server:
        yield server


def through(s3: SeaweedS3, proxy: FaultyProxy) -> object:
    return s3.client(endpoint_url=f"http://127.0.0.1:{proxy.port}")


def put(client: object, key: str) -> None:
    client.put_object(Bucket="backups", Key=key, Body=BODY)


def get(client: object, key: str) -> bytes:
    return client.get_object(Bucket="backups", Key=key)["Body"].read()


def test_the_server_gives_back_what_was_put_and_refuses_a_wrong_secret(s3: SeaweedS3) -> None:
    put(s3.client(), "real/object")
    assert get(s3.client(), "real/object") == BODY
    assert s3.keys("real/") == ["real/object"]
    with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
        get(s3.client(aws_secret_access_key="wrong"), "real/object")
    assert requests.get(f"{s3.url}/backups/real/object", timeout=10).status_code == 403


def test_the_server_keeps_its_objects_over_a_restart_and_leaves_no_process() -> None:
    with SeaweedS3() as own:
        put(own.client(), "kept")
        own.stop()
        own.start()
        assert get(own.client(), "kept") == BODY
        folder, process = own._folder, own._process
    assert not folder.exists()
    assert process.poll() is not None


def test_restic_works_on_the_server_through_the_proxy(s3: SeaweedS3, proxy: FaultyProxy) -> None:
    env = shell.environment(**s3.environment, RESTIC_PASSWORD="secret")
    repository = ["-r", f"{s3.location_at(proxy.port)}/acme", "--no-cache", "--quiet"]
    for command in (["init"], ["backup", __file__], ["check", "--read-data"]):
        subprocess.run([restic.ensure(), *repository, *command], env=env, check=True)
    assert [key for key in s3.keys("acme/") if key.startswith("acme/snapshots/")]
    assert proxy.passed == len(proxy.requests)
    assert proxy.up > 0


def test_the_proxy_answers_the_status_as_often_as_it_was_told(
    s3: SeaweedS3, proxy: FaultyProxy
) -> None:
    client = through(s3, proxy)
    fault = proxy.status(500, method="PUT", path="*/status/*", times=2)
    for _again in range(2):
        with pytest.raises(ClientError, match="500"):
            put(client, "status/object")
    assert s3.keys("status/") == []
    put(client, "status/object")
    assert s3.keys("status/") == ["status/object"]
    assert (fault.hits, proxy.passed) == (2, 1)


def test_a_put_that_is_cut_off_stores_nothing(s3: SeaweedS3, proxy: FaultyProxy) -> None:
    proxy.cut_after(1000, method="PUT")
    with pytest.raises(HTTPClientError):
        put(through(s3, proxy), "cut/object")
    assert s3.keys("cut/") == []
    assert proxy.up == 1000
    assert [seen.status for seen in proxy.requests] == [0]


def test_an_answer_that_is_cut_off_gives_only_its_beginning(
    s3: SeaweedS3, proxy: FaultyProxy
) -> None:
    put(s3.client(), "half/object")
    proxy.cut_after(1000, method="GET", path="*/half/object")
    with pytest.raises(Exception, match="(?i)incomplete|broken|1000 bytes read|closed"):
        get(through(s3, proxy), "half/object")
    assert proxy.down == 1000


def test_a_swallowed_put_looks_well_and_is_not_there(s3: SeaweedS3, proxy: FaultyProxy) -> None:
    proxy.swallow(path="*/swallowed/*")
    put(through(s3, proxy), "swallowed/object")
    assert s3.keys("swallowed/") == []
    assert [seen.status for seen in proxy.requests] == [200]
    assert proxy.passed == 0


def test_a_slow_proxy_keeps_to_its_speed(s3: SeaweedS3, proxy: FaultyProxy) -> None:
    proxy.slow(400_000, method="PUT")
    start = time.monotonic()
    put(through(s3, proxy), "slow/object")
    assert 0.4 < time.monotonic() - start < 5
    proxy.clear()
    assert get(through(s3, proxy), "slow/object") == BODY
