"""Run by ``odoo shell`` on a finished template: generate what a browser loads on the first pages.

The pages are asked for over Odoo's own WSGI application, so that every bundle they name is made
exactly as it would be for the first visitor, and is stored as an attachment.
"""

import contextlib
import re
import tempfile

PAGES = ("/web/login", "/", "/odoo")
ASSET = re.compile(r"""["'(](/web/assets/[^"'()\s]+\.(?:js|css|xml))["')]""")
# What a visit leaves behind; a template has none.
TRACES = ("res_device_log", "res_users_log", "website_track", "website_visitor", "bus_bus")
# Loaded by the web client's own scripts, so no page names them.
LAZY = (
    "bus.websocket_worker_assets",
    "web.assets_backend_lazy",
    "web.assets_emoji",
    "web.assets_web_dark",
    "web.chartjs_lib",
    "web_tour.interactive",
)


def main(env, arguments):
    """Return how many assets there are, and the pages with the status that each one answered."""
    traces = _last_ids(env)
    if arguments["every"]:
        # Odoo's own list: every bundle that a page of the installed modules may name.
        env["ir.qweb"]._pregenerate_assets_bundles()
        for bundle in LAZY:
            _make(env, bundle)
    env.cr.commit()
    pages, assets = _visit(env)
    env.cr.commit()  # what the visits wrote in transactions of their own is not seen before
    _forget(env, traces)
    env["ir.attachment"]._gc_file_store()
    env.cr.commit()
    env.cr.execute("SELECT count(*) FROM ir_attachment WHERE url LIKE '/web/assets/%'")
    return {"stored": env.cr.fetchone()[0], "pages": pages, "named": len(assets)}


def _make(env, bundle):
    """Store one bundle; not every database has every one of them."""
    with contextlib.suppress(Exception), env.cr.savepoint():
        made = env["ir.qweb"]._get_asset_bundle(bundle, css=True, js=True)
        made.js()
        made.css()


def _visit(env):
    from werkzeug.test import Client

    from odoo import http

    pages, assets = {}, set()
    with tempfile.TemporaryDirectory() as folder:
        http.root.__dict__["session_store"] = http.FilesystemSessionStore(
            folder, session_class=http.Session, renew_missing=True
        )
        client = Client(http.root)
        for page in PAGES:
            if page == "/odoo":
                client.set_cookie("session_id", _session(env, http).sid)
            answer = client.get(page, follow_redirects=True)
            pages[page] = answer.status_code
            assets |= set(ASSET.findall(answer.get_data(as_text=True)))
        for asset in sorted(assets):
            answer = client.get(asset)
            if answer.status_code != 200:
                pages[asset] = answer.status_code
    return pages, assets


def _session(env, http):
    """Return a session of the administrator, which only this process knows."""
    user = env.ref("base.user_admin")
    session = http.root.session_store.new()
    session.update(http.get_default_session(), db=env.cr.dbname)
    session.uid, session.login = user.id, user.login
    session.context = dict(user.context_get())
    session.session_token = user._compute_session_token(session.sid)
    http.root.session_store.save(session)
    return session


def _last_ids(env):
    found = {}
    for table in TRACES:
        env.cr.execute("SELECT to_regclass(%s) IS NOT NULL", [table])
        if env.cr.fetchone()[0]:
            env.cr.execute(f"SELECT COALESCE(max(id), 0) FROM {table}")
            found[table] = env.cr.fetchone()[0]
    return found


def _forget(env, traces):
    for table, last in traces.items():
        env.cr.execute(f"DELETE FROM {table} WHERE id > %s", [last])


RESULT = main(env, ARGUMENTS)  # pylint: disable=undefined-variable
