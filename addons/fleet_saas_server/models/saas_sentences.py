"""Every error of the plain package as a term to translate, by its code.

Made from the calls of ``sentences`` in this addon: ``make i18n`` writes it anew.
"""

from odoo.tools.translate import LazyTranslate

_lt = LazyTranslate(__name__)

SENTENCES = {
    "already_ours": _lt("The database %(name)s is hosted by this server already."),
    "archive_broken": _lt(
        "The archive is damaged (%(reason)s). Get a complete copy and try again."
    ),
    "archive_manifest": _lt("The archive's manifest.json is refused: %(reason)s."),
    "archive_member": _lt("The archive is refused because of its member %(member)s: %(reason)s."),
    "archive_plain": _lt(
        "The file %(file)s is a plain SQL script. Use Odoo's zip format, or pg_dump -Fc, and try again."
    ),
    "archive_too_big": _lt(
        "The archive is refused: %(what)s is %(value)s, and %(limit)s is allowed. If it is to be trusted, load it with odoo-bin db load, or pg_restore, and adopt the database."
    ),
    "archive_unknown": _lt(
        "The file %(file)s is not an archive that can be restored: it is neither a zip made by Odoo nor a dump made with pg_dump -Fc. Make one of these and try again."
    ),
    "archive_version": _lt(
        "The archive was made by Odoo %(found)s, this server runs %(wanted)s. Upgrade the database first, then make a new archive."
    ),
    "backup_source_failed": _lt("The program whose output was being saved failed: %(reason)s"),
    "backups_needed": _lt(
        "The backups of %(name)s are not forgotten: the database %(found)s of this identity is still on the machine. Run the reconciliation and look where it comes from."
    ),
    "backups_promised": _lt(
        "The backups of %(name)s are not forgotten: it was not dropped, or the time for which its final backup is kept is not over. The form of the database says until when."
    ),
    "bad_argument": _lt("The argument %(argument)s is not acceptable: %(reason)s."),
    "bad_backup_id": _lt("%(backup)s cannot be the id of a backup."),
    "bad_handover": _lt(
        "This is no package for this server (%(reason)s). Have the database handed over again, for the key that this server shows now."
    ),
    "bad_handover_key": _lt(
        "The key of the server that is to take over cannot be used. Synchronise that server in the portal, then try again."
    ),
    "bad_host_name": _lt(
        "%(host)s is not a host name: write it in lower case, without a port, each part of letters, digits and hyphens."
    ),
    "bad_idempotency_key": _lt(
        "The idempotency key must be 8 to 100 letters, digits, dots, colons, hyphens or underscores."
    ),
    "bad_identity": _lt(
        "The identity of the database %(name)s, its system parameter database.uuid, is %(found)s and not a UUID in lower case. Give it one, then try again."
    ),
    "bad_key": _lt("This is no Ed25519 key: %(reason)s."),
    "bad_limit": _lt(
        "The option %(option)s in odoo.conf is %(value)s, which is not a number as it has to be, so no database is placed. Correct it and restart Odoo."
    ),
    "bad_mail_server": _lt(
        "The options fleet_smtp_… in odoo.conf describe no mail server (%(reason)s), so no database can go live. Correct them and restart Odoo."
    ),
    "bad_manifest": _lt(
        "The manifest of the backup %(backup)s cannot be read: %(reason)s. Choose another backup, and verify the repository."
    ),
    "bad_module_manifest": _lt(
        "The manifest of the module %(module)s cannot be read (%(reason)s). Repair the module's folder."
    ),
    "bad_name": _lt(
        "%(name)s is not a valid name: use 3 to 42 lower-case letters, digits and hyphens, beginning with a letter and ending with a letter or a digit."
    ),
    "bad_parameter": _lt(
        "%(key)s is not a system parameter: a key is 1 to 200 letters, digits, dots, hyphens and underscores, its value a text of at most 100000 characters, or null to remove it."
    ),
    "bad_route": _lt(
        "The route of %(host)s is not valid (%(what)s). Run the reconciliation to write the routes again."
    ),
    "bad_signature": _lt(
        "The manifest of the backup %(backup)s was not signed by this server, or was changed afterwards. It is not restored; import the key of the server that made it if you trust that one."
    ),
    "broken_lock": _lt(
        "At %(location)s there is a lock that cannot be read, left by a program or a machine that stopped. The backups are as good as before. When no other program works on this repository, remove the lock with restic unlock --remove-all, then retry."
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
    "connections_full": _lt(
        "For the databases (%(databases)s) the hosted Odoo can open %(needed)s connections to PostgreSQL (%(reserve)s kept for this server among them), which has %(limit)s to give. Raise max_connections, or lower db_maxconn or the number of workers."
    ),
    "control_database": _lt(
        "The database %(name)s looks after other databases (%(modules)s is installed in it), so this server neither takes it in nor drops it. If that is over, uninstall the app there first, then try again."
    ),
    "country_unknown": _lt("There is no country with the code %(country)s."),
    "damaged_dump": _lt(
        "The dump of the backup %(backup)s does not match its manifest (%(what)s)."
    ),
    "damaged_file": _lt(
        "The file %(file)s of %(database)s does not match its checksum; restore it from a backup, then try again."
    ),
    "databases_full": _lt(
        "The limit of databases on this server is reached: %(databases)s of %(limit)s. Remove one, or raise fleet_max_databases in odoo.conf."
    ),
    "deadline": _lt(
        "The operation took longer than %(minutes)s minutes and was stopped. Look at the step it was in, then retry."
    ),
    "disk_full": _lt(
        "The new database needs %(needed_mb)s MB on %(folder)s and %(reserve_mb)s MB are to stay free, but only %(free_mb)s MB are free. Free some space, remove databases, or lower fleet_disk_reserve in odoo.conf."
    ),
    "dump_failed": _lt("PostgreSQL could not dump the database %(name)s: %(reason)s"),
    "edit_password": _lt(
        "The one-time password of the checked-out copy cannot be read. Discard the copy, then check out again."
    ),
    "export_full": _lt(
        "The archive needs about %(needed_mb)s MB in %(folder)s, and only %(free_mb)s MB are free there. Free some space, then try again."
    ),
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
    "foreign_dump": _lt("The archive's dump was refused by PostgreSQL: %(reason)s"),
    "foreign_not_odoo": _lt(
        "The archive is refused: its database is no Odoo database (%(reason)s)."
    ),
    "foreign_objects": _lt(
        "The archive is refused: its database holds things that Odoo does not make and that would run with this server's rights: %(objects)s. Remove them and make a new archive."
    ),
    "foreign_size": _lt(
        "The archive was refused: its database grew beyond %(limit)s bytes. If it is to be trusted, load it with odoo-bin db load, or pg_restore, and adopt the database."
    ),
    "gate_missing": _lt(
        "The Odoo at %(url)s serves databases without the gate, so one customer could open another's. Start it with --load=base,rpc,web,fleet_saas_server."
    ),
    "gave_up": _lt(
        "The operation was interrupted %(attempts)s times in the same step, %(step)s. Look for the reason in the server's log, then retry."
    ),
    "half_repository": _lt(
        "The repository at %(location)s was begun and never finished, or has lost its configuration. If there is no backup in it, remove its folder keys, then retry."
    ),
    "handover_claimed": _lt(
        "The server that was to take %(name)s over has begun to open it, so it is not taken back: it would be open twice. Wait until that server says how it ended; take it back by force only when that server is gone for good."
    ),
    "handover_void": _lt(
        "%(name)s is not taken over: the server that had it has taken it back meanwhile."
    ),
    "has_snapshots": _lt("The database %(name)s still has snapshots (%(count)s). Drop them first."),
    "host_is_ours": _lt(
        "The host name %(host)s is below this server's own domain %(domain)s. Rename the database to change its own address."
    ),
    "host_taken": _lt(
        "The host name %(host)s leads to another database of this server already. Remove it there first."
    ),
    "identity_here": _lt(
        "This server has the database %(name)s already, as %(found)s. Drop that one first."
    ),
    "identity_known": _lt(
        "The database %(name)s has the identity of %(other)s, which is among this server's records already. Give it one of its own (the system parameter database.uuid), then try again."
    ),
    "identity_twice": _lt(
        "The databases %(names)s carry the same identity, so this server cannot tell which one is meant. Look into both, take the mark off the wrong one as an administrator of PostgreSQL (COMMENT ON DATABASE … IS NULL), then try again."
    ),
    "in_use_already": _lt(
        "The database %(name)s was finished or is in use, so it was not taken back: it is hosted as it is. The records of this server may be older than it; compare them with what is there."
    ),
    "key_reused": _lt("The key %(key)s was used before for another request. Use a new key."),
    "language_missing": _lt(
        "The language %(language)s is not installed in the template. Install it there and publish a new version, or choose another language."
    ),
    "login_taken": _lt("The login %(login)s already belongs to another user of the database."),
    "memory_full": _lt(
        "The new database needs about %(needed_mb)s MB of memory and %(reserve_mb)s MB are to stay free, but only %(free_mb)s MB are available. Add memory, lower the number of workers, or lower fleet_memory_reserve in odoo.conf."
    ),
    "missing_argument": _lt("%(kind)s needs the argument %(argument)s."),
    "module_missing": _lt(
        "The module %(module)s is installed in the database, but has no folder on this server's addons path, so what it would switch off in a copy is not known. Add its folder to addons_path, or uninstall it."
    ),
    "module_needed": _lt("The module %(module)s cannot be uninstalled: the server needs it."),
    "module_needed_by": _lt(
        "The module %(module)s cannot be uninstalled: %(needed)s would go with it, and the server needs that one."
    ),
    "module_not_installed": _lt("The module %(module)s is not installed in %(name)s."),
    "module_unknown": _lt(
        "There is no module %(module)s on this server's addons path. Check its spelling, or add its folder."
    ),
    "modules_interrupted": _lt(
        "The work on the modules of %(name)s was interrupted, so the database is as it was before. Try again."
    ),
    "modules_not_done": _lt("Odoo ended without an error, but the module %(module)s is %(state)s."),
    "name_taken": _lt("The name %(name)s is taken. Choose another one."),
    "neutralize_commits": _lt(
        "A neutralize.sql of the installed modules ended the transaction, so a copy could be seen half sealed. The copy is thrown away; take COMMIT out of that file."
    ),
    "neutralize_failed": _lt(
        "Switching off what the module %(module)s does in a copy failed: %(reason)s. The copy is thrown away; repair data/neutralize.sql of that module."
    ),
    "newest_kept": _lt("The newest verified backup is never removed."),
    "no_administrator": _lt(
        "The database has no user base.user_admin; name its administrator by hand."
    ),
    "no_backup": _lt("There is no complete backup %(backup)s in the repository."),
    "no_createdb": _lt(
        "The PostgreSQL role %(role)s may not create databases: ALTER ROLE … CREATEDB."
    ),
    "no_database": _lt("The database %(name)s does not exist on this server."),
    "no_digest": _lt(
        "pg_dump ended without leaving its size and checksum, so the backup does not count."
    ),
    "no_edit_copy": _lt("The checked-out copy %(name)s is gone. Discard it, then check out again."),
    "no_final_backup": _lt(
        "The database %(name)s has no verified final backup, so it is not dropped. Back it up, wait until the backup is verified, then try again."
    ),
    "no_repository": _lt(
        "There is no backup repository at %(location)s. See that its disk is mounted and its address is right, then try again. If its backups are lost for good, say so under Configuration > Backup Places: then the next backup makes a new repository."
    ),
    "no_reset_link": _lt(
        "%(name)s lacks the module auth_signup, so there is no link to choose a password. Give the administrator a password instead."
    ),
    "no_sandbox": _lt(
        "Archives of unknown origin are restored in a sandbox only, and none can be made here: %(reason)s"
    ),
    "no_secret_key": _lt(
        "This server has no encryption key, so passwords can be neither stored nor read. Set fleet_secret_keys in odoo.conf and restart Odoo."
    ),
    "no_upload": _lt("The uploaded archive is not on this server any more. Upload it again."),
    "not_hidden": _lt("%(name)s is not a hidden database, and a restore never touches any other."),
    "not_odoo": _lt("The database %(name)s holds no Odoo: its table %(table)s is missing."),
    "not_odoo_19": _lt("The database %(name)s holds no Odoo 19 (%(found)s was found)."),
    "not_ours": _lt("The database %(name)s was not made by this server, so it is left alone."),
    "not_owner": _lt(
        "The database %(name)s belongs to the PostgreSQL role %(owner)s, not to this server's: ALTER DATABASE … OWNER TO, then try again."
    ),
    "not_recorded": _lt(
        "This database was neutralised by something else, so what has to be turned on is not known. Clone it again from its source."
    ),
    "not_sealed": _lt(
        "The copy is not sealed: %(count)s in %(table)s (%(what)s). It stays hidden and is thrown away; the seal does not know this case."
    ),
    "not_snapshot": _lt("%(name)s is not a snapshot of this database. Choose one from its list."),
    "odoo_answer": _lt("Odoo ended without giving the answer that was asked of it: %(reason)s"),
    "odoo_failed": _lt(
        "Odoo stopped while it was at %(module)s: %(reason)s. Repair that and retry; the server's log has its last lines."
    ),
    "odoo_late": _lt(
        "Odoo did not end within %(seconds)s seconds; it was at %(module)s. Look at what it was doing, then retry."
    ),
    "odoo_package": _lt(
        "The module %(module)s needs the Python package %(package)s, which the Python that runs Odoo here does not have. Install it there (pip install %(package)s), then retry."
    ),
    "odoo_silent": _lt("Odoo did not begin to answer within %(seconds)s seconds: %(reason)s"),
    "other_server": _lt(
        "The database %(name)s carries the mark of another hosting server. Release it there first."
    ),
    "page_endless": _lt("The page %(path)s of %(host)s redirects again and again."),
    "page_huge": _lt("The page %(path)s of %(host)s is larger than %(bytes)s bytes."),
    "page_late": _lt(
        "The hosted Odoo at %(url)s did not answer for %(host)s within %(seconds)s seconds. See what keeps it busy, then retry."
    ),
    "page_leads_away": _lt(
        "The page %(path)s of %(host)s redirects to %(location)s, away from its host. Correct web.base.url or the redirect in the database."
    ),
    "page_unreachable": _lt(
        "The hosted Odoo at %(url)s does not answer (%(reason)s). See whether its process runs, then retry."
    ),
    "page_wrong": _lt(
        "The page %(path)s of %(host)s answered %(status)s instead of 200. The hosted Odoo's log has the reason."
    ),
    "parameter_denied": _lt(
        "The system parameter %(key)s belongs to the server and cannot be set."
    ),
    "postgres_down": _lt("PostgreSQL cannot be reached: %(reason)s"),
    "postgres_old": _lt(
        "PostgreSQL %(version)s is too old for hosting; version 15 or newer is needed."
    ),
    "program_missing": _lt(
        "The program %(program)s cannot be started (%(reason)s). Install it, or say where it is in odoo.conf."
    ),
    "program_old": _lt("%(program)s %(version)s is too old; %(wanted)s or newer is needed."),
    "protected": _lt("The database %(name)s is protected. Take the protection off first."),
    "psql_old": _lt(
        "Archives of unknown origin cannot be restored with psql %(version)s, which would obey commands in them. Install a newer minor release of PostgreSQL's programs."
    ),
    "records_older": _lt(
        "The records of this server were restored from a backup and are older than its databases, so nobody knows what this operation has done since. It was ended as it is, and nothing was undone. Compare the records with what is there, then ask for what is still wanted."
    ),
    "repository_damaged": _lt(
        "The repository at %(location)s is damaged: %(reason)s. Make a new backup elsewhere now, then repair or replace the repository."
    ),
    "repository_locked": _lt("The repository at %(location)s is in use by another program."),
    "repository_remains": _lt(
        "At %(location)s are remains of a repository, which was removed or unmounted while a backup was under way. Bring the repository back to this place; if it is lost, move the remains away. Then retry."
    ),
    "reserved_name": _lt("The name %(name)s is reserved. Choose another one."),
    "restic_failed": _lt("restic could not %(what)s: %(reason)s"),
    "restic_killed": _lt(
        "restic could not %(what)s: %(reason)s. Look in the system's log, then retry."
    ),
    "restic_too_old": _lt("restic %(version)s is too old for backups; 0.17 or newer is needed."),
    "restore_busy": _lt(
        "Another archive of unknown origin is being restored; they go one after the other."
    ),
    "restore_failed": _lt("pg_restore stopped: %(reason)s"),
    "restore_open": _lt(
        "Archives of unknown origin cannot be restored: the role %(role)s may connect to the databases %(databases)s. Run REVOKE CONNECT ON DATABASE … FROM PUBLIC on each."
    ),
    "restore_role": _lt(
        "Archives of unknown origin cannot be restored: the PostgreSQL role %(role)s %(reason)s. The readme of the server says how to make it."
    ),
    "restore_tls": _lt(
        "Archives of unknown origin cannot be restored: the connection to PostgreSQL must be encrypted, and the sandbox's is not. Host PostgreSQL on this machine."
    ),
    "routes_broken": _lt(
        "The file of routes %(path)s cannot be read (%(reason)s), so no route was changed. Run the reconciliation to write it again."
    ),
    "rows_differ": _lt(
        "After the restore %(tables)s tables have another number of rows than in the manifest, for example %(table)s: %(found)s instead of %(expected)s."
    ),
    "same_identity": _lt(
        "The database %(name)s has the same identity as the hosted database %(other)s: one is a plain copy of the other. Duplicate it instead of adopting the copy."
    ),
    "seal_automation": _lt(
        "Automation rules run when people change records; mail and webhooks in them go nowhere."
    ),
    "seal_autovacuum": _lt("Odoo's own clean-up (autovacuum) keeps running; it sends nothing."),
    "seal_credential": _lt(
        "Looks like a credential, and nothing says what a copy shall do with it (module %(module)s)."
    ),
    "seal_crons": _lt("Scheduled actions are off."),
    "seal_documents": _lt(
        "Electronic documents wait to be sent; the scheduled action that sends them is off."
    ),
    "seal_failed": _lt(
        "Removing what the copy must not share with its source failed: %(reason)s. The copy is thrown away."
    ),
    "seal_logins": _lt("Users log in to this staging copy with the passwords of the source."),
    "seal_mail_servers": _lt("Outgoing mail servers are off; a dummy takes their place."),
    "seal_module": _lt(
        "The module %(module)s has scheduled actions and no neutralize.sql; they are off, but what else it does by itself is not known."
    ),
    "seal_page_passwords": _lt("Passwords of website pages stay; they are part of the page."),
    "seal_rule": _lt("Without this: %(why)s."),
    "seal_source": _lt(
        "The source was already neutralised, so what was live before that is not known."
    ),
    "server_older": _lt(
        "The backup was made with PostgreSQL %(dumped)s; this server runs PostgreSQL %(server)s. Restore it on a server with PostgreSQL %(dumped)s or newer."
    ),
    "short_dump": _lt(
        "pg_dump wrote %(written)s bytes but %(saved)s were saved, so the backup does not count."
    ),
    "source_in_use": _lt("The database %(name)s is still in use by %(sessions)s sessions."),
    "staging_stays": _lt(
        "This database is a staging copy; it stays neutralised. Clone it as a customer's database to go live."
    ),
    "storage_full": _lt("The storage at %(location)s is full: %(reason)s. Make room, then retry."),
    "storage_refused": _lt(
        "The storage at %(location)s refuses access: %(reason)s. Check its keys and permissions."
    ),
    "storage_unreachable": _lt(
        "The storage at %(location)s cannot be reached or does not do its work: %(reason)s"
    ),
    "template_gone": _lt(
        "The version %(number)s of the template is not on this server any more; build a new one."
    ),
    "template_in_use": _lt(
        "Version %(number)s is still used by operations or ready clones (%(count)s). Wait until they have ended, then try again."
    ),
    "template_modules": _lt(
        "The new version has modules that are not installed: %(modules)s. The log of the operation has the reason."
    ),
    "template_page": _lt(
        "The page %(page)s of the new version answers %(status)s. The log of the operation has the reason; repair it and build again."
    ),
    "template_unprepared": _lt(
        "The first page of the new version generates %(count)s assets anew, so every database made of it would be slow at first."
    ),
    "two_credentials": _lt(
        "The backup is in its first place, but it cannot be copied from there: restic takes one set of keys and one region a call, and these two S3 storages have different ones. Add the folder of this machine to the places of the policy, then both get their copies from there; or give both the same key."
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
    "usage_not_odoo": _lt(
        "The database %(name)s is not an Odoo database (%(reason)s), so its usage cannot be measured."
    ),
    "usage_slow": _lt(
        "Measuring the usage of %(name)s took longer than %(seconds)s seconds; it is tried again later."
    ),
    "wrong_repository_password": _lt(
        "The repository at %(location)s was made with another password. Restore the password that the recovery kit of this database names."
    ),
    "wrong_secret_key": _lt(
        "The stored password was encrypted with a key that fleet_secret_keys in odoo.conf no longer holds. Put the former key back, last in the list."
    ),
}
