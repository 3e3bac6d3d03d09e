"""Run in ``odoo shell``: make a database one that sends in every way that Odoo has, at once.

ARGUMENTS: the ports of an SMTP, an HTTP and a POP3 sink, and the administrator's password.
Prints, as JSON, the administrator's API key and the ids of the scheduled actions that are due.
"""

import json

CRON = """
number = env['res.partner'].search_count([])
env['res.partner'].create({'name': 'Automation %s' % number})
env['mail.mail'].create({
    'subject': 'new %s' % env['ir.config_parameter'].sudo().get_param('database.uuid'),
    'email_from': 'trap@example.com', 'email_to': 'victim@example.com', 'body_html': 'new'})
"""


def add_mail(odoo_env, smtp_port, pop_port):
    odoo_env["ir.mail_server"].search([]).unlink()
    access = {"smtp_user": "trap", "smtp_pass": "smtp-secret", "smtp_authentication": "login"}
    odoo_env["ir.mail_server"].create(
        {"name": "trap", "smtp_host": "127.0.0.1", "smtp_port": smtp_port, **access}
    )
    odoo_env["fetchmail.server"].create(
        {
            "name": "trap",
            "server_type": "pop",
            "server": "127.0.0.1",
            "port": pop_port,
            "user": "trap",
            "password": "pop-secret",
            "state": "done",
        }
    )
    values = {"email_from": "trap@example.com", "email_to": "victim@example.com", "body_html": "x"}
    odoo_env["mail.mail"].create([{"subject": f"old {n}", **values} for n in range(50)])


def add_webhook(odoo_env, http_port):
    model = odoo_env.ref("base.model_res_partner")
    hook = odoo_env["ir.actions.server"].create(
        {
            "name": "hook",
            "model_id": model.id,
            "state": "webhook",
            "webhook_url": f"http://127.0.0.1:{http_port}/hook",
        }
    )
    rule = {"name": "hook", "model_id": model.id, "trigger": "on_create"}
    odoo_env["base.automation"].create({**rule, "action_server_ids": [(6, 0, hook.ids)]})
    return odoo_env["ir.cron"].create(
        {
            "name": "trap",
            "model_id": model.id,
            "state": "code",
            "code": CRON,
            "priority": 0,
            "interval_number": 1,
            "interval_type": "days",
        }
    )


def main(odoo_env, smtp_port, http_port, pop_port, password):
    add_mail(odoo_env, int(smtp_port), int(pop_port))
    crons = add_webhook(odoo_env, http_port)
    crons += odoo_env.ref("mail.ir_cron_mail_scheduler_action")
    crons += odoo_env.ref("mail.ir_cron_mail_gateway_action")
    crons += odoo_env.ref("base.autovacuum_job")
    # Nothing else is due for years: some actions of Odoo ask its makers' servers.
    odoo_env["ir.cron"].search([]).nextcall = "2099-01-01 00:00:00"
    crons.write({"active": True, "nextcall": "2020-01-01 00:00:00"})
    admin = odoo_env.ref("base.user_admin")
    admin.password = password
    key = odoo_env["res.users.apikeys"].with_user(admin).sudo()._generate("rpc", "trap", None)
    odoo_env.cr.commit()
    print(json.dumps({"key": key, "crons": crons.ids}))


main(env, *ARGUMENTS)  # noqa: F821 - given by the caller
