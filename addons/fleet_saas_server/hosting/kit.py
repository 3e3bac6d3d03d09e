"""The recovery kit: what an operator prints, to get a database back without this server.

It needs a Linux machine with restic, PostgreSQL's programs and openssl, and a PostgreSQL server.
It holds the repository's password: it belongs in a safe, not on this server's disk or in a mail.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field

from .backup import DUMP_NAME, MANIFEST_NAME
from .manifest import Manifest


@dataclass(frozen=True)
class Kit:
    """What the kit of one database says.

    :param location: of the repository, as restic writes it
    :param env: credentials of the storage that the operator wants on paper; those that are left
        out are named by ``env_needed`` and have to be filled in
    :param public_key: PEM of the key that signs the manifests
    :param newest: the manifest of a recent backup, for the versions and sizes to expect
    """

    name: str
    uuid: str
    location: str
    password: str = field(repr=False)
    public_key: str
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    env_needed: tuple[str, ...] = ()
    newest: Manifest | None = None

    def text(self) -> str:
        """Return the kit as Markdown; its commands, in order, restore the newest backup."""
        return "\n".join(
            [
                f"# Recovery kit of the database {self.name}\n",
                f"Identity `{self.uuid}`. {self._expected()}",
                "This page and the repository are enough to get the data back on any Linux "
                "machine. Whoever has both can read everything: keep the page in a safe.\n",
                _NEEDED,
                "## 1. Where the backups are\n",
                _block(self._settings()),
                "## 2. Choose a backup\n",
                "The newest complete one; for another one set BACKUP to its id from the list.\n",
                _block(_CHOOSE),
                "## 3. Check that nobody changed it\n",
                _block(_write_key(self.public_key) + _CHECK),
                "## 4. The database\n",
                "PGHOST, PGPORT, PGUSER and PGPASSWORD say which PostgreSQL server. The user may be "
                "the one of Odoo; it must be allowed to create databases.\n",
                _block(_DATABASE),
                "## 5. The files\n",
                "FILESTORE is `filestore` in the `data_dir` of the new Odoo (see its odoo.conf).\n",
                _block(_FILES),
                _AFTER,
            ]
        )

    def _expected(self) -> str:
        if not self.newest:
            return "No backup had been verified, or none was read, when this page was made.\n"
        newest = self.newest
        return (
            f"On {newest.taken_at} it was an Odoo {newest.odoo} on PostgreSQL {newest.server}, with "
            f"{len(newest.files)} files of {newest.files_bytes} bytes.\n"
        )

    def _settings(self) -> str:
        values = {
            "RESTIC_REPOSITORY": self.location,
            "RESTIC_PASSWORD": self.password,
            **self.env,
        }
        lines = [f"export {name}={shlex.quote(value)}" for name, value in values.items()]
        lines += [f"export {name}=   # fill in" for name in self.env_needed if name not in values]
        return "\n".join([*lines, "restic snapshots --tag part=manifest"])


_NEEDED = (
    "You need: restic 0.17 or newer, the programs of PostgreSQL (psql, createdb, pg_restore) of "
    "the version named above or newer, openssl 3, and a PostgreSQL server that is not older. "
    "Run the commands in one shell, one block after the other, in an empty folder; stop where one "
    "fails or says STOP.\n"
)
_CHOOSE = f"""\
BACKUP=$(restic snapshots --tag part=manifest --latest 1 --json | grep -o 'backup=[0-9a-z-]*' | tail -n 1)
echo "$BACKUP"
restic dump --tag "$BACKUP,part=manifest" latest /{MANIFEST_NAME} > manifest.signed"""
# What is pasted at once does not stop at an error: without these two files the rest loads nothing.
_CHECK = """
refuse() { echo "STOP: $1. Do not go on." >&2; rm -f database.dump manifest.json; false; }
head -n 1 manifest.signed | tr -d '\\n' > manifest.json
tail -n 1 manifest.signed | base64 -d > manifest.signature
openssl pkeyutl -verify -pubin -inkey key.pem -rawin -in manifest.json -sigfile manifest.signature \\
  && grep -q "\\"backup\\":\\"${BACKUP#backup=}\\"" manifest.json \\
  || refuse "the manifest was changed, is another backup's, or was not signed by this server" """
_DATABASE = f"""\
NEW=${{NEW:-restored}}
restic dump --tag "$BACKUP,part=dump" latest /{DUMP_NAME} > {DUMP_NAME}
grep -q "\\"dump_sha256\\":\\"$(sha256sum < {DUMP_NAME} | cut -d ' ' -f 1)\\"" manifest.json \\
  || refuse "the dump is not the one of the manifest"
pg_restore --list {DUMP_NAME} > contents.txt &&
createdb --template=template0 --encoding=UTF8 --lc-collate=C "$NEW"
pg_restore --exit-on-error --no-owner --no-privileges --no-publications --no-subscriptions --jobs=2 --dbname="$NEW" {DUMP_NAME}
PGOPTIONS="-c client_min_messages=error" psql --dbname="$NEW" --quiet --command=ANALYZE"""
_FILES = """\
FILESTORE=${FILESTORE:-/var/lib/odoo/filestore}
mkdir -p "$FILESTORE/$NEW"
if grep -q '"files_snapshot":"[^"]' manifest.json; then
  restic restore --tag "$BACKUP,part=files" latest --target "$FILESTORE/$NEW"
fi"""
_AFTER = """\
Give the files to the user that Odoo runs as (`chown -R odoo: "$FILESTORE/$NEW"`). Then start Odoo
with `--database` and the name. **It is live**: it sends mail and runs its scheduled actions as the
original did. For a test, run `odoo-bin neutralize --database NAME` before the first start.

`manifest.json` lists the rows of every table, the checksum of the dump and the size of every file;
a file's name is the SHA-1 of its content.
"""


def _block(commands: str) -> str:
    return f"```sh\n{commands.rstrip()}\n```\n"


def _write_key(pem: str) -> str:
    return f"cat > key.pem <<'END'\n{pem.strip()}\nEND"
