"""Stand-ins for a fleet: one process that answers for many databases by their host name.

``fleet_server.py``  prints the port it listens on and serves until its standard input closes.
The first label of the host name says how a database behaves: ``ok12`` answers each call after
100 ms as Odoo 19 does, ``hang12`` accepts and never answers, ``drip12`` sends a byte at a time.
Only the network is imitated here: what is measured is the portal.
"""

import asyncio
import json
import sys

DELAY = 0.1  # seconds a call
DRIP = 0.25  # seconds a byte
USERS = 5


def answer(path, host):
    """Return what the database ``host`` answers to ``path``."""
    number = int("".join(char for char in host if char.isdigit()) or 0)
    if path.startswith(("/json/version", "/web/version")):
        return {"version_info": [19, 0, 0, "final", 0, ""], "version": "19.0"}
    if "kpi.provider" in path:
        kinds = (("purchase", number % 7), ("sale", number % 11), ("bank", number % 13))
        kpis = [
            {
                "id": f"account_journal_type.{kind}",
                "name": kind.title(),
                "type": "integer",
                "value": value,
            }
            for kind, value in kinds
        ]
        return [
            *kpis,
            {"id": "account_return.vat", "name": "VAT", "type": "return_status", "value": "to_do"},
        ]
    return [
        {
            "id": user,
            "login": f"user{user}@db{number}.example",
            "name": f"User {user}",
            "active": True,
            "login_date": "2026-01-01 08:00:00",
        }
        for user in range(1, USERS + 1)
    ]


async def serve(reader, writer):
    """Answer one request and close, as Odoo's own server does."""
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        headers = dict(
            line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line
        )
        await reader.readexactly(int(headers.get("content-length", 0)))
        host = headers.get("host", "")
        if host.startswith("hang"):
            await reader.read()
        elif host.startswith("drip"):
            for byte in b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 10_000:
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(DRIP)
        else:
            await asyncio.sleep(DELAY)
            body = json.dumps(answer(head.split(" ", 2)[1], host)).encode()
            length = f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
            writer.write(
                f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n{length}".encode() + body
            )
            await writer.drain()
    except (ConnectionError, asyncio.IncompleteReadError):
        pass
    finally:
        writer.close()


async def main():
    """Serve until standard input is closed by whoever started this."""
    server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=2048)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    server.close()


asyncio.run(main())
