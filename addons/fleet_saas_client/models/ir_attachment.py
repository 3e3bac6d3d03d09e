import base64
import threading
import time

from odoo import SUPERUSER_ID, api, models
from odoo.tools import SQL

KEPT_S = 300
# What Odoo makes while people work: an invoice to print, an avatar, a signature. It still passes
# a little above the limit, so that a full database can be worked in and tidied up.
SMALL_BYTES = 256 << 10
SMALL_SHARE = 1.05
MEASURE = SQL("""
    SELECT pg_database_size(current_database()) + COALESCE((
        SELECT sum(size) FROM (
            SELECT max(file_size) AS size FROM ir_attachment
            WHERE store_fname IS NOT NULL GROUP BY store_fname
        ) AS files
    ), 0)
""")
# By database: when it was measured, and how much there is, with what this process has let in since.
_measured: dict[str, tuple[float, int]] = {}
_lock = threading.Lock()


class IrAttachment(models.Model):
    _inherit = "ir.attachment"

    @api.model_create_multi
    def create(self, vals_list):
        self._check_room(sum(map(_size, vals_list)))
        return super().create(vals_list)

    def write(self, vals):
        self._check_room(_size(vals))
        return super().write(vals)

    @api.model
    def _check_room(self, size):
        """Refuse ``size`` more bytes of a person's when they do not fit into the plan.

        What Odoo does on its own account (compiled assets, modules, scheduled actions) is done by
        the superuser and never refused.
        """
        if not size or self.env.uid == SUPERUSER_ID:
            return
        client = self.env["saas.client"]
        standing = client._get_standing()
        limit = standing.storage_bytes
        if limit is None:
            return
        if self._get_used_bytes() + size > limit * (SMALL_SHARE if size <= SMALL_BYTES else 1):
            client._refuse(
                standing,
                self.env._(
                    "There is no room for this file: your plan %(plan)s holds %(limit)s MB. Delete "
                    "what is no longer needed, or change to a larger plan.",
                    plan=standing.document.plan,
                    limit=limit >> 20,
                ),
            )
        self._add_used_bytes(size)

    @api.model
    def _get_used_bytes(self):
        """Return the bytes of the database and its distinct files, measured some minutes ago at most."""
        name = self.env.cr.dbname
        with _lock:
            when, used = _measured.get(name, (0.0, 0))
        if when and time.monotonic() - when < KEPT_S:
            return used
        self.env.cr.execute(MEASURE)
        used = int(self.env.cr.fetchone()[0])
        with _lock:
            _measured[name] = (time.monotonic(), used)
        return used

    @api.model
    def _add_used_bytes(self, size):
        name = self.env.cr.dbname
        with _lock:
            # Somebody may have deleted a file since it was measured.
            if name in _measured:
                when, used = _measured[name]
                _measured[name] = (when, used + size)

    @api.model
    def _forget_used_bytes(self):
        """Measure anew the next time: somebody has deleted something."""
        with _lock:
            _measured.pop(self.env.cr.dbname, None)

    def unlink(self):
        result = super().unlink()
        self._forget_used_bytes()
        return result


def _size(vals):
    """Return how many bytes the values of an attachment bring."""
    raw = vals.get("raw")
    size = len(raw.encode() if isinstance(raw, str) else raw) if raw else 0
    for datas in filter(None, (vals.get("datas"), vals.get("db_datas"))):
        size += len(base64.b64decode(datas)) if len(datas) < 1024 else len(datas) * 3 // 4
    return size
