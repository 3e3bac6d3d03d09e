"""Prove by the DNS that a host name is somebody's: plain Python, no ORM, nothing trusted."""

from .txt import BROKEN, MISSING, OTHER, SEEN, SILENT, check_servers, look

__all__ = ["BROKEN", "MISSING", "OTHER", "SEEN", "SILENT", "check_servers", "look"]
