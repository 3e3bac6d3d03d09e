"""Where we may connect to: every spelling of an inner address, every answer of the DNS."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from ipaddress import ip_address

import pytest
from fake_odoo import FakeOdoo
from remote import NetworkPolicy
from remote.address import NEVER, PRIVATE, PUBLIC, checked_addresses, judge
from remote.deadline import Deadline
from remote.errors import Blocked
from remote_helpers import POLICY, QUICK, code_of, database
from support.rogue import Rogue, hang

TABLE = {
    PUBLIC: """
        1.1.1.1 8.8.8.8 93.184.216.34 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0
        126.255.255.255 128.0.0.0 169.253.255.255 169.255.0.0 172.15.255.255 172.32.0.0
        191.255.255.255 192.0.1.0 192.167.255.255 192.169.0.0 198.17.255.255 198.20.0.0
        223.255.255.255 168.63.129.15
        2606:4700:4700::1111 2a00:1450:4001:800::200e 2001:4860:4860::8888 2001:200::1
        ::ffff:8.8.8.8 64:ff9b::8.8.8.8 64:ff9b::808:808 2002:808:808::1
        2001:0:4136:e378:8000:63bf:f7f7:f7f7 2a00:1450::5efe:8.8.8.8
    """,
    PRIVATE: """
        10.0.0.0 10.0.0.1 10.255.255.255 172.16.0.1 172.31.255.255 192.168.0.1 192.168.255.255
        127.0.0.1 127.0.0.2 127.255.255.255 127.1.2.3
        ::1 fc00::1 fd12:3456:789a::1 fdff:ffff::1
        ::ffff:127.0.0.1 ::ffff:7f00:1 ::ffff:10.0.0.1 ::ffff:192.168.1.1 ::ffff:c0a8:101
    """,
    NEVER: """
        0.0.0.0 0.0.0.1 0.255.255.255 100.64.0.1 100.100.100.200 100.127.255.255
        169.254.169.254 169.254.0.1 169.254.170.2 168.63.129.16 192.0.0.1 192.0.0.192 192.0.2.1
        192.88.99.1 198.18.0.1 198.19.255.255 198.51.100.1 203.0.113.1
        224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255
        :: ::2 ::127.0.0.1 ::7f00:1 ::10.0.0.1 ::169.254.169.254 ::8.8.8.8
        ::ffff:0.0.0.0 ::ffff:169.254.169.254 ::ffff:a9fe:a9fe ::ffff:100.64.0.1
        ::ffff:0:127.0.0.1 ::ffff:0:8.8.8.8
        64:ff9b::127.0.0.1 64:ff9b::7f00:1 64:ff9b::10.0.0.1 64:ff9b::169.254.169.254
        64:ff9b:1::127.0.0.1 64:ff9b:1::8.8.8.8 64:ff9b:1:7f00:1:0:: 64:ff9b:2::1
        2002:7f00:1::1 2002:a00:1:: 2002:a9fe:a9fe::1 2002:c0a8:101::
        2001:0:7f00:1::1 2001:0:4136:e378:8000:63bf:80ff:fffe 2001:0:4136:e378:8000:63bf:f5ff:fffe
        2a00:1450::5efe:127.0.0.1 2a00:1450::200:5efe:10.0.0.1 2a00:1450::5efe:169.254.169.254
        fd00::5efe:127.0.0.1 fe80::5efe:127.0.0.1
        fd00:ec2::254 fd00:ec2::23 fd20:ce::254
        fe80::1 fe80::1%eth0 febf::1 fec0::1 ff02::1 ff0e::1 100::1 2001:2::1 2001:10::1 2001:20::1
        2001:db8::1 3fff::1 3fff:fff::1 4000::1 5f00::1 e000::1 1000::1
    """,
}
ROWS = [(address, verdict) for verdict, text in TABLE.items() for address in text.split()]


@pytest.mark.parametrize(("address", "verdict"), ROWS)
def test_every_address_has_its_verdict(address: str, verdict: str) -> None:
    assert judge(ip_address(address)) == verdict


def answering(*addresses: str, allow_private: bool = False) -> NetworkPolicy:
    def resolver(_host: str, _port: int) -> Sequence[str]:
        return addresses

    return NetworkPolicy(timeout=5, resolver=resolver, allow_private=allow_private)


@pytest.mark.parametrize(("address", "verdict"), ROWS)
def test_what_the_dns_answers_is_judged_before_anything_is_dialled(
    address: str, verdict: str
) -> None:
    for allow_private in (False, True):
        if verdict == PUBLIC or (verdict == PRIVATE and allow_private):
            continue  # would really be dialled
        policy = answering(address, allow_private=allow_private)
        assert code_of(database("http://evil.example.com:1", policy).users) == "blocked"


def test_one_bad_answer_refuses_all() -> None:
    with Rogue(FakeOdoo()) as server:
        url = f"http://evil.example.com:{server.port}"
        for addresses in (("127.0.0.1", "169.254.169.254"), ("::ffff:169.254.1.1", "127.0.0.1")):
            policy = answering(*addresses, allow_private=True)
            assert code_of(database(url, policy).users) == "blocked"
        policy = answering("93.184.216.34", "127.0.0.1")
        assert code_of(database(url, policy).users) == "blocked"
        assert server.connections == 0


def test_a_name_that_is_rebound_is_resolved_once_and_dialled_as_checked() -> None:
    asked = []

    def rebinding(host: str, _port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["169.254.169.254"]

    with Rogue(FakeOdoo()) as server:
        client = database(
            f"http://rebind.example.com:{server.port}", replace(POLICY, resolver=rebinding)
        )
        assert client.version().text == "19.0"
        assert client.whoami().id == 2
        assert server.connections == 3
    assert asked == ["rebind.example.com"]


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "017700000001",
        "0x7f000001",
        "0x7f.1",
        "0177.0.0.1",
        "127.0.0.1.",
        "127.00.00.01",
        "localhost",
        "LOCALHOST",
        "localhost.",
        "a.localhost",
        "deep.in.localhost",
        "[::1]",
        "[0:0:0:0:0:0:0:1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "[::]",
        "0.0.0.0",
        "0",
        "1.2.3",
        "256.1.1.1",
        "10.0.0.1",
        "192.168.1.1",
        "172.16.0.1",
        "169.254.169.254",
        "2852039166",
        "[fe80::1]",
        "[fe80::1%25lo]",
        "[fd00:ec2::254]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "①②⑦.⓪.⓪.①",
        "127。0。0。1",
        "ⓛocalhost",
    ],
)
def test_no_spelling_of_an_inner_address_is_dialled(host: str) -> None:
    with Rogue(hang) as server:
        policy = NetworkPolicy(timeout=QUICK)
        code = code_of(database(f"http://{host}:{server.port}", policy).users)
        assert code in ("blocked", "bad_url")
        assert server.connections == 0


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "017700000001", "127.1", "0"])
def test_the_systems_resolver_understands_numbers_and_its_answer_is_judged(host: str) -> None:
    """The spelling is refused before; the judgement must not depend on that."""
    with pytest.raises(Blocked):
        checked_addresses(host, 80, NetworkPolicy(), Deadline(QUICK))


def test_localhost_is_loopback_without_asking_anybody() -> None:
    def resolver(host: str, _port: int) -> list[str]:
        raise AssertionError(host)

    with Rogue(FakeOdoo()) as server:
        policy = replace(POLICY, resolver=resolver)
        for host in ("localhost", "alpine.localhost"):
            client = database(f"http://{host}:{server.port}", policy)
            assert client.version().text == "19.0"
            assert server.requests[-1].headers["host"] == f"{host}:{server.port}"


def test_ipv6_loopback_is_reached() -> None:
    with Rogue(FakeOdoo(), address="::1") as server:
        assert database(f"http://[::1]:{server.port}").version().text == "19.0"
        assert server.requests[0].headers["host"] == f"[::1]:{server.port}"
        assert database(f"http://localhost:{server.port}").version().text == "19.0"


def test_the_sentence_of_a_blocked_address_does_not_tell_the_inner_address() -> None:
    with pytest.raises(Exception) as caught:
        database("http://intranet.example.com", answering("10.1.2.3")).users()
    assert "10.1.2.3" not in str(caught.value)
    assert "configuration" in str(caught.value)
