"""API keys for tests, written as Odoo writes them: an Odoo of its own would take seconds for each.

For ``res.users.apikeys._generate`` and ``_check_credentials`` see base/models/res_users.py.
"""

from __future__ import annotations

import secrets
from typing import Any

from passlib.context import CryptContext

INDEX = 8  # characters of a key by which Odoo finds its row
# Odoo takes 6000 rounds, and each of the hundreds of requests would take them again.
QUICK = CryptContext(["pbkdf2_sha512"], pbkdf2_sha512__rounds=1)


def give(cursor: Any, *logins: str) -> dict[str, str]:
    """Give users a key for calls from outside that does not expire; return the keys by login.

    :param cursor: on their database; whoever calls commits
    """
    keys = {login: secrets.token_hex(20) for login in logins}
    for login, key in keys.items():
        cursor.execute(
            "INSERT INTO res_users_apikeys (name, user_id, scope, key, index) "
            "SELECT 'Test', id, 'rpc', %s, %s FROM res_users WHERE login = %s RETURNING id",
            [QUICK.hash(key), key[:INDEX], login],
        )
        assert cursor.rowcount == 1, f"there is no user {login}"
    return keys
