import socket


def resolve_localhost_names():
    """Let this process find ``server.localhost`` (RFC 6761, 6.3): plain glibc knows ``localhost`` alone.

    queue_job's runner asks its own process by the host name that selects the server database.
    """
    original = socket.getaddrinfo

    def getaddrinfo(host, *rest, **options):
        name = host.decode() if isinstance(host, bytes) else host
        if name and name.endswith(".localhost"):
            host = "127.0.0.1"
        return original(host, *rest, **options)

    socket.getaddrinfo = getaddrinfo
