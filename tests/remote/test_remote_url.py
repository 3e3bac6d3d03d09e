"""What people paste, and the one spelling it becomes."""

import pytest
from remote import normalize_url

GOOD = {
    "https://client.example.com": "https://client.example.com",
    "  https://client.example.com/ \n": "https://client.example.com",
    "HTTP://Client.Example.com:443/web/": "http://client.example.com:443",
    "HTTPS://Client.Example.com:443/web/": "https://client.example.com",
    "http://client.example.com:80": "http://client.example.com",
    "http://client.example.com:": "http://client.example.com",
    "http://client.example.com:08069": "http://client.example.com:8069",
    "client.example.com": "https://client.example.com",
    "client.example.com:8069": "https://client.example.com:8069",
    "//client.example.com/web": "https://client.example.com",
    "client.example.com.": "https://client.example.com",
    "https://client.example.com/web#action=91&model=res.users&view_type=list": "https://client.example.com",
    "https://client.example.com/web/login?db=client&redirect=/web": "https://client.example.com",
    "https://client.example.com/odoo/contacts/12": "https://client.example.com",
    "https://client.example.com/web/database/manager": "https://client.example.com",
    "https://client.example.com?db=x": "https://client.example.com",
    "https://client.example.com#x@y": "https://client.example.com",
    "https://client.example.com/@user": "https://client.example.com",
    "http://localhost:8069/odoo": "http://localhost:8069",
    "http://portal.localhost:8069": "http://portal.localhost:8069",
    "http://odoo:8069": "http://odoo:8069",
    "http://my_odoo:8069": "http://my_odoo:8069",
    "http://192.0.2.1:8069/web": "http://192.0.2.1:8069",
    "http://[2001:DB8:0:0::1]:80/": "http://[2001:db8::1]",
    "https://BÜCHER.example": "https://xn--bcher-kva.example",
    "https://xn--bcher-kva.example": "https://xn--bcher-kva.example",
    "https://例え。テスト": "https://xn--r8jz45g.xn--zckzah",
    "https://ⓔxample.com": "https://example.com",
    "https://a-b.c--d.example": "https://a-b.c--d.example",
    f"https://{'a' * 63}.example": f"https://{'a' * 63}.example",
}

BAD = {
    "": "empty",
    "   ": "empty",
    "https://": "no host",
    "https:///web": "no host",
    "https://?x": "no host",
    "ftp://client.example.com": "ftp",
    "file:///etc/passwd": "file",
    "javascript://alert(1)": "javascript",
    "javascript:alert(1)": "port",
    "mailto:me@example.com": "user name",
    "https://user:password@client.example.com": "user name",
    "https://user@client.example.com": "user name",
    "https://@client.example.com": "user name",
    "https://client.example.com:0": "port",
    "https://client.example.com:65536": "port",
    "https://client.example.com:-1": "port",
    "https://client.example.com:80a": "port",
    "https://client.example.com:\uff18\uff10": "port",
    "https://client .example.com": "spaces",
    "https://client\texample.com": "spaces",
    "https://client.example.com/\r\nX: y": "spaces",
    "https://client.example.com\\@evil.example.com": "backslashes",
    "https:\\\\client.example.com": "backslashes",
    "https://client.example.com\x00": "control",
    "https://client..example.com": "host name",
    "https://.example.com": "host name",
    "https://-client.example.com": "host name",
    "https://client-.example.com": "host name",
    "https://cli!ent.example.com": "host name",
    "https://exa%6dple.com": "host name",
    "https://a,b.example.com": "host name",
    f"https://{'a' * 64}.example": "host name",
    f"https://{'a.' * 130}example": "host name",
    "https://2130706433": "IPv4",
    "https://127.1": "IPv4",
    "https://0x7f.0.0.1": "IPv4",
    "https://0177.0.0.1": "IPv4",
    "https://256.1.1.1": "IPv4",
    "https://1.2.3.4.5": "IPv4",
    "https://client.0x7f": "IPv4",
    "https://[fe80::1%25eth0]": "zone",
    "https://[::1": "host",
    "https://[zz]": "host",
    "https://::1": "port",
    "https://straße.example": "xn--",
    "https://a\u200db.example": "xn--",
    "https://" + "a" * 3000: "longer",
}


@pytest.mark.parametrize("text", GOOD)
def test_canonical(text: str) -> None:
    assert normalize_url(text) == GOOD[text]
    assert normalize_url(GOOD[text]) == GOOD[text]


@pytest.mark.parametrize("text", BAD)
def test_refused_with_a_sentence_that_names_what_is_wrong(text: str) -> None:
    with pytest.raises(ValueError, match=r"^[A-Za-z0-9].*\.$") as caught:
        normalize_url(text)
    assert BAD[text] in str(caught.value)
    assert "password@" not in str(caught.value)
