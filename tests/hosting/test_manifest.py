"""The signed manifest: nobody changes it unseen, and only a well-formed one is read."""

from __future__ import annotations

import base64
import dataclasses
import json
import shutil
import subprocess

import pytest
from hosting import manifest, retention
from hosting.errors import HostingError
from hosting.manifest import Manifest
from hosting.restic import Snapshot

KEY = manifest.new_key()
GOOD = Manifest(
    backup="20300101t000000-abcd",
    name="acme",
    uuid="u",
    taken_at="2030-01-01T00:00:00+00:00",
    odoo="19.0.1.3",
    server=18,
    client=18,
    dump="d" * 64,
    dump_size=10,
    dump_sha256="a" * 64,
    files_snapshot="f" * 64,
    modules={"base": "19.0.1.3", "été": "1"},
    files={"aa/" + "a" * 40: 7, "bb/" + "b" * 40: 0},
    rows={"public.res_users": 5},
)


def verified(data: bytes, *keys, backup: str = GOOD.backup) -> Manifest:
    return manifest.verify(data, keys or [KEY.public_key()], backup=backup)


def test_a_manifest_comes_back_as_it_was_signed():
    assert verified(GOOD.sign(KEY)) == GOOD
    assert GOOD.files_bytes == 7


def test_every_single_changed_byte_is_refused():
    data = GOOD.sign(KEY)
    for position in range(0, len(data) - 1, 7):
        changed = bytearray(data)
        changed[position] ^= 1
        with pytest.raises(HostingError) as raised:
            verified(bytes(changed))
        assert raised.value.code == "bad_signature"


@pytest.mark.parametrize("data", [b"", b"\n", b"{}", GOOD.canonical(), GOOD.sign(KEY)[:-20]])
def test_a_manifest_without_its_signature_is_refused(data):
    with pytest.raises(HostingError) as raised:
        verified(data)
    assert raised.value.code == "bad_signature"


def test_another_servers_signature_is_refused_until_its_key_is_trusted():
    other = manifest.new_key()
    data = GOOD.sign(other)
    with pytest.raises(HostingError) as raised:
        verified(data)
    assert raised.value.code == "bad_signature"
    assert verified(data, KEY.public_key(), other.public_key()) == GOOD


def test_a_manifest_under_another_backups_tag_is_refused():
    with pytest.raises(HostingError) as raised:
        verified(GOOD.sign(KEY), backup="20300102t000000-abcd")
    assert raised.value.code == "bad_manifest"
    assert GOOD.backup in str(raised.value)


@pytest.mark.parametrize(
    "changes",
    [
        {"format": 2},
        {"files": {"../../etc/passwd": 3}},
        {"files": {"aa/" + "a" * 40: -1}},
        {"files": {"aa/" + "a" * 40: True}},
        {"server": "18"},
        {"rows": []},
        {"unknown": 1},
    ],
)
def test_a_signed_manifest_of_another_shape_is_refused(changes):
    line = json.dumps(dataclasses.asdict(GOOD) | changes).encode()
    data = line + b"\n" + base64.b64encode(KEY.sign(line)) + b"\n"
    with pytest.raises(HostingError) as raised:
        verified(data)
    assert raised.value.code == "bad_manifest"


def test_openssl_can_verify_a_manifest_without_this_program(tmp_path):
    openssl = shutil.which("openssl")
    assert openssl
    line, signature = GOOD.sign(KEY).splitlines()
    for name, content in {
        "line": line,
        "signature": base64.b64decode(signature),
        "key": manifest.public_pem(KEY).encode(),
    }.items():
        (tmp_path / name).write_bytes(content)
    command = "openssl pkeyutl -verify -pubin -inkey key -rawin -in line -sigfile signature"
    assert subprocess.run(command.split(), cwd=tmp_path, capture_output=True).returncode == 0
    (tmp_path / "line").write_bytes(line + b" ")
    assert subprocess.run(command.split(), cwd=tmp_path, capture_output=True).returncode != 0


def test_keys_come_back_from_their_texts_and_nothing_else_does():
    again = manifest.private_key(manifest.private_text(KEY))
    assert manifest.public_pem(again) == manifest.public_pem(KEY)
    assert verified(GOOD.sign(again), manifest.public_key(manifest.public_pem(KEY))) == GOOD
    for load, text in (
        (manifest.private_key, "not a key"),
        (manifest.private_key, "AAAA"),
        (manifest.public_key, "not a key"),
    ):
        with pytest.raises(HostingError) as raised:
            load(text)
        assert raised.value.code == "bad_key"
        assert text not in str(raised.value)


def taken(backup: str, time: str, *parts: str) -> list[Snapshot]:
    made = []
    for part in parts or ("dump", "files", "manifest"):
        name = f"{backup}-{part}"
        made.append(Snapshot(name, name, time, (f"backup={backup}", f"part={part}")))
    return made


def test_the_policy_keeps_the_newest_of_each_period():
    snapshots = []
    for day in range(1, 29):
        for hour in (1, 7, 13, 19):
            stamp = f"2030-02-{day:02}T{hour:02}:30:00.123456789+00:00"
            snapshots += taken(f"b{day:02}{hour:02}-xxxx", stamp)
    backups, rest = retention.listed(snapshots)
    assert len(backups) == 112 and rest == []
    policy = retention.Policy(last=4, daily=7, weekly=4, monthly=3)
    gone = {old.backup for old in retention.surplus(backups, policy)}
    kept = [backup.backup for backup in backups if backup.backup not in gone]
    # The last four, the evening of seven days, the Sundays of four weeks; one month holds them all.
    assert kept == [
        *("b2819-xxxx", "b2813-xxxx", "b2807-xxxx", "b2801-xxxx"),
        *(f"b{day}19-xxxx" for day in (27, 26, 25, 24, 23, 22, 17, 10)),
    ]
    never = ["b0101-xxxx"]
    assert "b0101-xxxx" not in {old.backup for old in retention.surplus(backups, policy, never)}


def test_no_policy_removes_the_last_backup():
    backups, _rest = retention.listed(taken("only-one", "2030-02-01T00:00:00Z"))
    assert retention.surplus(backups, retention.Policy(0, 0, 0, 0)) == []


def test_a_backup_without_a_manifest_is_none():
    snapshots = taken("whole-one", "2030-02-01T00:00:00Z")
    half = taken("half-one", "2030-02-01T00:00:00Z", "dump", "files")
    backups, rest = retention.listed([*snapshots, *half])
    assert [backup.backup for backup in backups] == ["whole-one"]
    assert rest == half
