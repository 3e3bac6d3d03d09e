import logging
import time
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait

from odoo import api, fields, models
from odoo.exceptions import UserError

from odoo.addons.fleet_databases import settings
from odoo.addons.fleet_databases.vault import VaultError

from ..contract import Wanted, exchange
from .ir_cron import RIVALS
from .saas_request import GIVE_UP_AFTER, OPEN

_logger = logging.getLogger(__name__)

THREADS = 16
# A server is asked this often while something goes on there, and then ever less often.
PAUSES_S = (0.15, 0.2, 0.3, 0.5, 0.5, 1.0, 1.0, 2.0)
SILENT_PAUSE_S = 30.0  # a server that does not answer
# With what else is due, less than the least limit_time_real_cron that is in use: Odoo counts both.
WORK_S = 60.0


class SaasRequest(models.Model):
    """The worker: sends what waits, asks how the rest is, writes what the servers answer."""

    _inherit = "saas.request"

    @api.model
    def _cron_work(self):
        """Talk to every server with open requests until there are none, or time is up."""
        _Worker(self.env).run()

    @api.model
    def _get_open(self):
        """Return the open requests by server, of servers that may be asked."""
        return self.search([("state", "in", OPEN)], order="id").grouped("server_id")

    @api.model
    def _prepare_exchange(self, server, requests):
        """Return the plain arguments of an exchange.

        :raises VaultError: the server's key cannot be read
        """
        wanted = [
            Wanted(request.key, request.kind, request.target, request.arguments or {})
            for request in requests
            if request.state == "waiting"
        ]
        keys = [request.key for request in requests if request.state == "running"]
        return server._prepare_access(), settings.network_policy(), wanted, keys

    @api.model
    def _write_exchange(self, server, found):
        """Write what a round with ``server`` has brought; each request on its own.

        :return: whether anything has changed
        """
        if found.error:
            server._write_error(found.error.code, found.error.params)
        else:
            server._write_contact()
        changed = False
        for request in self.search([("key", "in", list(found.outcomes))]):
            changed |= request._write_outcome(found.outcomes[request.key])
        return changed

    def _write_outcome(self, outcome):
        """Write one outcome; a record that cannot take it holds up no other."""
        before = (self.state, self.progress, self.steps)
        try:
            with self.env.cr.savepoint():
                if outcome.refusal:
                    self._take_refusal(outcome.refusal)
                elif outcome.status:
                    self._take_status(outcome.status)
                else:
                    self._take_unknown()
                self.env.flush_all()
        except RIVALS:
            raise
        except Exception as error:
            _logger.exception("Request %s: its outcome cannot be written", self.id)
            self.env.invalidate_all()
            self._note_unwritten(error)
            return False
        return before != (self.state, self.progress, self.steps)

    def _note_unwritten(self, error):
        """Say where the operator looks why it does not end; the next answer is tried like this one."""
        reason = str(error) if isinstance(error, UserError) else type(error).__name__
        text = self.env._("The server's answer cannot be recorded (%s); see the log.", reason)
        if self.waits != text:
            self.waits = text

    @api.model
    def _give_up(self):
        """Stop waiting for servers that have been silent for days, and say so."""
        limit = fields.Datetime.now() - GIVE_UP_AFTER
        for request in self.search([("state", "in", OPEN), ("create_date", "<", limit)]):
            if request.server_id.error_code:
                request._set_state("lost", error=request.server_id.error)


class _Worker:
    """One run of the cron: a future for each server that is being asked."""

    def __init__(self, env):
        self.env, self.end = env, time.monotonic() + WORK_S
        self.requests = env["saas.request"]
        self.asked = {}  # future -> server id
        self.next = {}  # server id -> (monotonic time of the next round, rounds without news)

    def run(self):
        """Work until nothing is open or time is up."""
        Cron = self.env["ir.cron"]
        with ThreadPoolExecutor(THREADS, thread_name_prefix="saas") as pool:
            while True:
                waiting = self._start(pool) if time.monotonic() < self.end else 0
                if not self.asked and not waiting:
                    break
                if self.asked:
                    done, _rest = wait(self.asked, timeout=0.1, return_when=FIRST_COMPLETED)
                    for future in done:
                        self._finish(self.asked.pop(future), future)
                else:
                    time.sleep(0.05)
        self._settle(self.requests._give_up)
        Cron._commit_progress(remaining=0)
        self._come_back()

    def _come_back(self):
        """Have the next run begin in time for what is still open."""
        servers = self.requests._get_open()
        if not servers:
            return
        pause = min(self.next.get(each.id, (0, 0))[0] for each in servers) - time.monotonic()
        now = fields.Datetime.now()
        # A trigger of a later moment, however near, is seen when Odoo looks the next time: in a minute.
        at = None if pause <= max(PAUSES_S) else fields.Datetime.add(now, seconds=int(pause))
        self.env.ref("fleet_saas_portal.ir_cron_requests")._trigger(at)

    def _start(self, pool):
        """Ask the servers whose turn it is; return how many come soon."""
        # A new snapshot, or what others have asked meanwhile is not seen.
        self.env.cr.commit()
        self.env.invalidate_all()
        soon = 0
        for server, requests in self.requests._get_open().items():
            when, _rounds = self.next.get(server.id, (0, 0))
            if server.id in self.asked.values():
                continue
            fresh = any(request.state == "waiting" and not request.sent for request in requests)
            if when > time.monotonic() and not (fresh and not server.error_code):
                soon += when < self.end and when - time.monotonic() <= max(PAUSES_S)
                continue
            try:
                arguments = self.requests._prepare_exchange(server, requests)
            except VaultError as error:
                self._settle(server._write_error, f"secret_{error.code}", {})
                self.next[server.id] = (time.monotonic() + SILENT_PAUSE_S, 0)
                continue
            self.asked[pool.submit(exchange, *arguments)] = server.id
        return soon

    def _finish(self, server_id, future):
        server = self.env["saas.server"].browse(server_id)
        if error := future.exception():
            _logger.error("Server %s", server_id, exc_info=error)
            self.next[server_id] = (time.monotonic() + SILENT_PAUSE_S, 0)
            return
        found = future.result()
        changed = self._settle(self._hear, server, found)
        _when, rounds = self.next.get(server_id, (0, 0))
        rounds = 0 if changed else rounds + 1
        pause = SILENT_PAUSE_S if found.error else PAUSES_S[min(rounds, len(PAUSES_S) - 1)]
        self.next[server_id] = (time.monotonic() + pause, rounds)

    def _hear(self, server, found):
        server._wait_alone()
        return self.requests._write_exchange(server, found)

    def _settle(self, write, *arguments):
        """Call ``write`` and commit; again when somebody else wrote the same records."""
        for attempt in range(5):
            self.env.invalidate_all()
            try:
                result = write(*arguments)
                self.env.flush_all()
                self.env.cr.commit()  # each answer lasts, whatever happens to the next
            except RIVALS:
                self.env.cr.rollback()
                time.sleep(0.05 * attempt)
            else:
                return result
        return False
