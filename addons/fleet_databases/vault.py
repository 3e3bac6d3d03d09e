"""Secrets at rest: Fernet tokens made with a key that lives outside the database."""

from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet


class VaultError(Exception):
    """A secret cannot be stored or read. ``code`` is ``missing``, ``malformed`` or ``wrong``."""

    sentences = {
        "missing": "This server has no encryption key, so API keys can be neither stored nor used. "
        "Ask its administrator to set fleet_secret_keys in odoo.conf "
        "(odoo-bin databases_keys generate prints a new one) and to restart Odoo.",
        "malformed": "The encryption key of this server is not valid: fleet_secret_keys in odoo.conf "
        "must hold keys as printed by odoo-bin databases_keys generate, separated by commas.",
        "wrong": "The stored API key was encrypted with another encryption key than the ones this "
        "server has. Put the former key back, last in fleet_secret_keys, or enter the API key again.",
    }

    def __init__(self, code: str) -> None:
        self.code = code
        super().__init__(self.sentences[code])


class Vault:
    """Encrypt and decrypt short texts.

    :param keys: Fernet keys, the newest first: it encrypts, all of them decrypt.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        if not keys:
            raise VaultError("missing")
        try:
            self._fernet = MultiFernet([Fernet(key) for key in keys])
        except ValueError as error:
            raise VaultError("malformed") from error

    def encrypt(self, text: str) -> str:
        """Return ``text`` as a token that is safe to store."""
        return self._fernet.encrypt(text.encode()).decode()

    def decrypt(self, token: str) -> str:
        """Return the text inside ``token``; raise :class:`VaultError` ``wrong``."""
        try:
            return self._fernet.decrypt(token.encode()).decode()
        except InvalidToken as error:
            raise VaultError("wrong") from error

    def rotate(self, token: str) -> str:
        """Return ``token`` encrypted anew with the first key."""
        try:
            return self._fernet.rotate(token.encode()).decode()
        except InvalidToken as error:
            raise VaultError("wrong") from error


def generate_key() -> str:
    """Return a new Fernet key for ``fleet_secret_keys``."""
    return Fernet.generate_key().decode()
