"""What a provider of OpenID Connect needs beside Authlib: addresses, keys, tokens. No ORM."""

from .redirects import is_plain, is_redirect
from .tokens import ALGORITHM, new_key, public_key, sign

__all__ = ["ALGORITHM", "is_plain", "is_redirect", "new_key", "public_key", "sign"]
