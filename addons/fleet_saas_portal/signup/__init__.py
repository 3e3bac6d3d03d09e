"""What the public sign-up knows of names, visitors, limits and tokens: plain Python, no ORM."""

from .limits import Limit, take
from .names import RESERVED, is_allowed, suggest
from .tokens import digest, new_code, new_token
from .visitors import mail_key, network_of, plain_address

__all__ = [
    "RESERVED",
    "Limit",
    "digest",
    "is_allowed",
    "mail_key",
    "network_of",
    "new_code",
    "new_token",
    "plain_address",
    "suggest",
    "take",
]
