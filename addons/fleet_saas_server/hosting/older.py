"""Records that were restored from a backup and are older than the databases they are about.

An operation that was running when the backup of the server database was made would go on: days
later it is past its deadline, and its undo drops what customers have worked in since. The owner
mark on each database has the number of the operation that wrote it: a number that the records
have not given yet says that they went back in time.
"""

from __future__ import annotations

import logging

from .errors import SENTENCES, sentences
from .host import Host
from .journal import ACTIVE

_logger = logging.getLogger(__name__)
CODE = "records_older"

sentences(
    records_older="The records of this server were restored from a backup and are older than its "
    "databases, so nobody knows what this operation has done since. It was ended as it is, and "
    "nothing was undone. Compare the records with what is there, then ask for what is still wanted."
)


def end_what_was_begun(host: Host) -> int:
    """End every unfinished operation if the records are older than a database; return how many.

    Their numbers go on after the newest that a database carries, so that no number is given twice
    and this happens once.
    """
    marks = host.cluster.marks().values()
    newest = max((mark.operation for mark in marks if mark.server == host.server), default=0)
    connection = host.cluster.connect(host.server_database, autocommit=False)
    try:
        with connection, connection.cursor() as cr:
            cr.execute("SELECT last_value FROM saas_operation_id_seq")
            if newest <= cr.fetchone()[0]:
                return 0
            cr.execute(
                "UPDATE saas_operation SET state = 'failed', error_code = %s, error_facts = '{}', "
                "error_message = %s, ended = now() AT TIME ZONE 'utc', next_try = NULL "
                "WHERE state = ANY(%s)",
                [CODE, SENTENCES[CODE], list(ACTIVE)],
            )
            ended = cr.rowcount
            cr.execute("SELECT setval('saas_operation_id_seq', %s)", [newest])
    finally:
        connection.close()
    _logger.warning("The records are older than the databases: %s operations were ended", ended)
    return ended
