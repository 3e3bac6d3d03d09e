"""Backups in S3: a real server, and each of its bad days ends in success or in a named error."""

from __future__ import annotations

import dataclasses
import hashlib
import time

import pytest
from hosting import backup, check
from hosting.errors import HostingError, Retryable
from support.backups import PASSWORD, odoo_database, repository, rewrapped
from support.faulty_proxy import FaultyProxy
from support.seaweed import SeaweedS3


@pytest.fixture(scope="module")
def s3():
    with SeaweedS3() as server:
        yield server


@pytest.fixture(scope="module")
def proxy(s3):
    with FaultyProxy(s3.port) as made:
        yield made


@pytest.fixture(scope="module")
def case(tmp_path_factory, s3):
    """Give a database whose first repository is in the bucket."""
    with odoo_database(tmp_path_factory.mktemp("s3"), "s3", files=30) as made:
        made.local = made.repo
        made.repo = repository(f"{s3.location}/acme", env=s3.environment)
        assert made.repo.init(like=made.local)
        cheap(s3, "acme")
        yield made


def cheap(s3, folder):
    """Give a new repository in the bucket a key that takes no time, as `backups.cheap` does."""
    (name,) = s3.keys(f"{folder}/keys/")
    client, bucket = s3.client(), s3.bucket
    content = rewrapped(client.get_object(Bucket=bucket, Key=name)["Body"].read(), PASSWORD)
    key = f"{folder}/keys/{hashlib.sha256(content).hexdigest()}"
    client.put_object(Bucket=bucket, Key=key, Body=content)
    client.delete_object(Bucket=bucket, Key=name)


@pytest.fixture
def through(case, s3, proxy):
    """Return the repository in the bucket as seen through the proxy, with 25 seconds to do it in."""
    proxy.clear()
    end = time.monotonic() + 25
    location = f"{s3.location_at(proxy.port)}/acme"
    return dataclasses.replace(
        case.repo, location=location, remaining_s=lambda: end - time.monotonic()
    )


def take_and_confirm(case, repo):
    """Take a backup as the server does: it counts when it was read back from the storage itself."""
    taken = case.take(repository=repo, remaining_s=repo.remaining_s)
    check.confirm(repo, taken.backup, case.keys, remaining_s=repo.remaining_s)
    return taken


def counts(case, taken):
    """Tell whether a backup counts when the storage is asked without the proxy."""
    try:
        check.confirm(case.repo, taken, case.keys)
    except HostingError:
        return False
    return True


def test_a_backup_in_s3_restores_from_there(case, s3):
    taken = take_and_confirm(case, case.repo)
    assert any(key.startswith("acme/data/") for key in s3.keys("acme/"))
    with case.restored(taken, every_file=True) as (_target, restored):
        assert (restored.rows, restored.files) == (taken.rows, taken.files)


def test_a_local_backup_is_copied_to_s3(case, s3, tmp_path):
    remote = dataclasses.replace(
        case.repo, location=f"{s3.location}/copies", cache_dir=tmp_path / "cache"
    )
    remote.init(like=case.local)
    cheap(s3, "copies")
    taken = case.take(repository=case.local)
    backup.copy(taken.snapshots, source=case.local, target=remote)
    assert check.confirm(remote, taken.backup, case.keys).dump_sha256 == taken.dump_sha256


def test_a_wrong_key_and_a_missing_repository_have_names(case, s3):
    wrong = dataclasses.replace(
        case.repo, env=s3.environment | {"AWS_SECRET_ACCESS_KEY": "wrong" * 8}
    )
    with pytest.raises(HostingError) as raised:
        wrong.snapshots()
    assert raised.value.code == "storage_refused" and not raised.value.retryable
    with pytest.raises(HostingError) as raised:
        dataclasses.replace(case.repo, location=f"{s3.location}/none").snapshots()
    assert raised.value.code == "no_repository"


def test_a_few_500s_are_overcome(case, through, proxy):
    fault = proxy.status(500, method="PUT", path="*/data/*", times=2)
    taken = take_and_confirm(case, through)
    assert fault.hits == 2
    assert counts(case, taken.backup)


def test_nothing_but_500s_is_a_storage_that_cannot_be_reached(case, through, proxy):
    fault = proxy.status(500, method="PUT", path="*/data/*")
    repo = dataclasses.replace(through, remaining_s=seconds(6))
    with pytest.raises(Retryable) as raised:
        take_and_confirm(case, repo)
    assert raised.value.code == "storage_unreachable" and fault.hits > 1
    proxy.clear()


def test_a_slow_storage_ends_well_or_in_time(case, through, proxy):
    proxy.slow(3_000_000)
    taken = take_and_confirm(case, through)
    assert counts(case, taken.backup)
    proxy.clear()
    proxy.slow(1_000)
    began = time.monotonic()
    with pytest.raises(HostingError) as raised:
        take_and_confirm(case, dataclasses.replace(through, remaining_s=seconds(5)))
    assert raised.value.code in ("child_deadline", "storage_unreachable")
    assert time.monotonic() - began < 15
    proxy.clear()


def test_connections_cut_in_the_middle_are_overcome(case, through, proxy):
    fault = proxy.cut_after(1000, method="PUT", path="*/data/*", times=2)
    taken = take_and_confirm(case, through)
    assert fault.hits == 2
    assert counts(case, taken.backup)


def test_a_200_without_the_object_never_counts(case, through, proxy):
    fault = proxy.swallow(method="PUT", path="*/data/*", times=1)
    with pytest.raises(HostingError) as raised:
        take_and_confirm(case, through)
    assert fault.hits == 1
    assert raised.value.code == "repository_damaged"


@pytest.mark.parametrize("lost", ["snapshots", "index"])
def test_a_lost_snapshot_or_index_never_counts(case, s3, proxy, lost):
    repo = repository(f"{s3.location_at(proxy.port)}/lost-{lost}", env=s3.environment)
    proxy.clear()
    repo.init()
    cheap(s3, f"lost-{lost}")
    fault = proxy.swallow(method="PUT", path=f"*/{lost}/*")
    with pytest.raises(HostingError):
        take_and_confirm(case, repo)
    assert fault.hits
    proxy.clear()


def test_an_object_that_is_deleted_later_is_found(case, s3):
    repo = repository(f"{s3.location}/deleted", env=s3.environment)
    repo.init()
    cheap(s3, "deleted")
    taken = take_and_confirm(case, repo)
    key = max(s3.keys("deleted/data/"))
    s3.client().delete_object(Bucket=s3.bucket, Key=key)
    with pytest.raises(HostingError) as raised:
        check.confirm(repo, taken.backup, case.keys)
    assert raised.value.code == "repository_damaged"


def test_a_storage_that_is_down_is_to_be_retried(case, s3):
    s3.stop()
    try:
        repo = dataclasses.replace(case.repo, remaining_s=seconds(4))
        with pytest.raises(Retryable) as raised:
            repo.snapshots()
        assert raised.value.code == "storage_unreachable"
    finally:
        s3.start()


def seconds(count):
    end = time.monotonic() + count
    return lambda: end - time.monotonic()
