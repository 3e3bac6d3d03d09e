"""Every error of the plain package as a term to translate, by its code.

Made from the calls of ``sentences`` in this addon: ``make i18n`` writes it anew.
"""

from odoo.tools.translate import LazyTranslate

_lt = LazyTranslate(__name__)

SENTENCES = {
    "archive_broken": _lt(
        "The archive is damaged (%(reason)s). Get a complete copy and try again."
    ),
    "archive_manifest": _lt("The archive's manifest.json is refused: %(reason)s."),
    "archive_member": _lt("The archive is refused because of its member %(member)s: %(reason)s."),
    "archive_plain": _lt(
        "The file %(file)s is a plain SQL script. Use Odoo's zip format, or pg_dump -Fc, and try again."
    ),
    "archive_too_big": _lt(
        "The archive is refused: %(what)s is %(value)s, and %(limit)s is allowed. If it is to be trusted, raise the limit in the server's configuration."
    ),
    "archive_unknown": _lt(
        "The file %(file)s is not an archive that can be restored: it is neither a zip made by Odoo nor a dump made with pg_dump -Fc. Make one of these and try again."
    ),
    "archive_version": _lt(
        "The archive was made by Odoo %(found)s, this server runs %(wanted)s. Upgrade the database first, then make a new archive."
    ),
    "backup_source_failed": _lt("The program whose output was being saved failed: %(reason)s"),
    "bad_argument": _lt("The argument %(argument)s is not acceptable: %(reason)s."),
    "bad_backup_id": _lt("%(backup)s cannot be the id of a backup."),
    "bad_host_name": _lt(
        "%(host)s is not a host name: write it in lower case, without a port, each part of letters, digits and hyphens."
    ),
    "bad_key": _lt("This is no Ed25519 key: %(reason)s."),
    "bad_manifest": _lt(
        "The manifest of the module %(module)s cannot be read (%(reason)s). Repair the module's folder."
    ),
    "bad_name": _lt(
        "%(name)s is not a valid name: use 3 to 42 lower-case letters, digits and hyphens, beginning with a letter and ending with a letter or a digit."
    ),
    "bad_route": _lt(
        "The route of %(host)s is not valid (%(what)s). Run the reconciliation to write the routes again."
    ),
    "bad_signature": _lt(
        "The manifest of the backup %(backup)s was not signed by this server, or was changed afterwards. It is not restored; import the key of the server that made it if you trust that one."
    ),
    "cancelled": _lt("The operation was cancelled; everything it had begun was undone."),
    "child_deadline": _lt(
        "%(program)s was stopped after %(seconds)s seconds because the time of the operation was up. Its last words: %(reason)s"
    ),
    "child_missing": _lt(
        "The program %(program)s is not on this server. Install it, or say where it is in the server's configuration."
    ),
    "client_older": _lt(
        "pg_dump and pg_restore of PostgreSQL %(client)s cannot work with %(what)s of PostgreSQL %(server)s. Install the programs of PostgreSQL %(server)s or newer and name their folder in the server's configuration."
    ),
    "damaged_dump": _lt(
        "The dump of the backup %(backup)s does not match its manifest (%(what)s)."
    ),
    "damaged_file": _lt(
        "The file %(file)s of %(database)s does not match its checksum; restore it from a backup, then try again."
    ),
    "deadline": _lt(
        "The operation took longer than %(minutes)s minutes and was stopped. Look at the step it was in, then retry."
    ),
    "dump_failed": _lt("PostgreSQL could not dump the database %(name)s: %(reason)s"),
    "extension_missing": _lt(
        "The database needs PostgreSQL's extension %(extension)s, which this server cannot give it. Install it, or let an administrator of PostgreSQL mark it as trusted."
    ),
    "failpoint": _lt("The test asked for a failure at %(name)s."),
    "files_differ": _lt(
        "After the restore %(count)s files differ from the manifest, for example %(file)s."
    ),
    "folder_closed": _lt("The folder %(folder)s cannot be written to by Odoo's user: %(reason)s."),
    "folder_in_the_way": _lt(
        "The folder %(folder)s already exists; files of a former database of this name are still there. Run the reconciliation, or move them away."
    ),
    "gave_up": _lt(
        "The operation was interrupted %(attempts)s times in the same step, %(step)s. Look for the reason in the server's log, then retry."
    ),
    "key_reused": _lt("The key %(key)s was used before for another request. Use a new key."),
    "missing_argument": _lt("%(kind)s needs the argument %(argument)s."),
    "module_missing": _lt(
        "The module %(module)s is installed in the database, but has no folder on this server's addons path, so what it would switch off in a copy is not known. Add its folder to addons_path, or uninstall it."
    ),
    "name_taken": _lt("The name %(name)s is taken. Choose another one."),
    "neutralize_commits": _lt(
        "A neutralize.sql of the installed modules ended the transaction, so a copy could be seen half sealed. The copy is thrown away; take COMMIT out of that file."
    ),
    "neutralize_failed": _lt(
        "Switching off what the module %(module)s does in a copy failed: %(reason)s. The copy is thrown away; repair data/neutralize.sql of that module."
    ),
    "newest_kept": _lt("The newest verified backup is never removed."),
    "no_backup": _lt("There is no complete backup %(backup)s in the repository."),
    "no_createdb": _lt(
        "The PostgreSQL role %(role)s may not create databases: ALTER ROLE … CREATEDB."
    ),
    "no_database": _lt("The database %(name)s does not exist on this server."),
    "no_digest": _lt(
        "pg_dump ended without leaving its size and checksum, so the backup does not count."
    ),
    "no_repository": _lt(
        "There is no backup repository at %(location)s. Check the address; if the backups there were lost on purpose, create the repository again."
    ),
    "no_route": _lt("No route leads from %(host)s to a database."),
    "no_sandbox": _lt(
        "Archives of unknown origin are restored in a sandbox only, and none can be made here: %(reason)s"
    ),
    "no_secret_key": _lt(
        "This server has no encryption key, so passwords can be neither stored nor read. Set fleet_secret_keys in odoo.conf and restart Odoo."
    ),
    "not_hidden": _lt("%(name)s is not a hidden database, and a restore never touches any other."),
    "not_odoo": _lt("The database %(name)s holds no Odoo: its table %(table)s is missing."),
    "not_ours": _lt("The database %(name)s was not made by this server, so it is left alone."),
    "postgres_down": _lt("PostgreSQL cannot be reached: %(reason)s"),
    "postgres_old": _lt(
        "PostgreSQL %(version)s is too old for hosting; version 15 or newer is needed."
    ),
    "program_missing": _lt(
        "The program %(program)s cannot be started (%(reason)s). Install it, or say where it is in odoo.conf."
    ),
    "program_old": _lt("%(program)s %(version)s is too old; %(wanted)s or newer is needed."),
    "repository_damaged": _lt(
        "The repository at %(location)s is damaged: %(reason)s. Make a new backup elsewhere now, then repair or replace the repository."
    ),
    "repository_locked": _lt("The repository at %(location)s is in use by another program."),
    "reserved_name": _lt("The name %(name)s is reserved. Choose another one."),
    "restic_failed": _lt("restic could not %(what)s: %(reason)s"),
    "restic_too_old": _lt("restic %(version)s is too old for backups; 0.17 or newer is needed."),
    "restore_failed": _lt("pg_restore stopped: %(reason)s"),
    "routes_broken": _lt(
        "The file of routes %(path)s cannot be read (%(reason)s), so no route was changed. Run the reconciliation to write it again."
    ),
    "rows_differ": _lt(
        "After the restore %(tables)s tables have another number of rows than in the manifest, for example %(table)s: %(found)s instead of %(expected)s."
    ),
    "seal_failed": _lt(
        "Removing what the copy must not share with its source failed: %(reason)s. The copy is thrown away."
    ),
    "server_older": _lt(
        "The backup was made with PostgreSQL %(dumped)s; this server runs PostgreSQL %(server)s. Restore it on a server with PostgreSQL %(dumped)s or newer."
    ),
    "short_dump": _lt(
        "pg_dump wrote %(written)s bytes but %(saved)s were saved, so the backup does not count."
    ),
    "source_in_use": _lt("The database %(name)s is still in use by %(sessions)s sessions."),
    "storage_full": _lt("The storage at %(location)s is full: %(reason)s. Make room, then retry."),
    "storage_refused": _lt(
        "The storage at %(location)s refuses access: %(reason)s. Check its keys and permissions."
    ),
    "storage_unreachable": _lt(
        "The storage at %(location)s cannot be reached or does not do its work: %(reason)s"
    ),
    "two_credentials": _lt(
        "Backups cannot be copied between two storages of one kind with different keys. Give both the same key, or keep one of the repositories in a folder."
    ),
    "undo_failed": _lt(
        "%(reason)s What was begun could not be undone completely (%(undo)s); the reconciliation lists what is left."
    ),
    "unexpected": _lt(
        "The step %(step)s failed unexpectedly (%(kind)s). The server's log has the details under the operation's number."
    ),
    "unknown_argument": _lt(
        "%(kind)s does not know the argument %(argument)s. It takes: %(known)s."
    ),
    "unknown_kind": _lt("There is no operation %(kind)s. There are: %(known)s."),
    "unreadable_files": _lt("Some files could not be read while they were saved: %(reason)s"),
    "wrong_repository_password": _lt(
        "The repository at %(location)s was made with another password. Restore the password that the recovery kit of this database names."
    ),
    "wrong_secret_key": _lt(
        "The stored password was encrypted with a key that fleet_secret_keys in odoo.conf no longer holds. Put the former key back, last in the list."
    ),
}
