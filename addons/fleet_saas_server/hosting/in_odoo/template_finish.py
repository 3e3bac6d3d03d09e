"""Run by ``odoo shell`` after the modules are installed: language and chart of accounts."""


def main(env, arguments):
    """Make the language the one of everybody, and load a chart of accounts where none was."""
    _set_language(env, arguments["lang"])
    chart = _load_chart(env)
    env.cr.commit()
    return {"chart": chart}


def _set_language(env, code):
    lang = env["res.lang"]._activate_lang(code)
    if not lang:
        raise ValueError(f"there is no language {code}")
    everybody = env["res.users"].with_context(active_test=False).search([])
    everybody.partner_id.write({"lang": code})
    env["res.company"].search([]).partner_id.write({"lang": code})
    if "website" in env:
        for website in env["website"].search([]):
            website.write({"language_ids": [(4, lang.id)], "default_lang_id": lang.id})


def _load_chart(env):
    if "account.chart.template" not in env:
        return ""
    for company in env["res.company"].search([("chart_template", "=", False)]):
        env["account.chart.template"].try_loading(None, company, install_demo=False)
    return env.ref("base.main_company").chart_template or ""


RESULT = main(env, ARGUMENTS)  # pylint: disable=undefined-variable
