"""Run by ``odoo shell`` before the other modules are installed: localisations go by the country."""


def main(env, arguments):
    """Give the company its country, currency and, where the country has one only, time zone."""
    import pytz

    country = env["res.country"].search([("code", "=", arguments["country"])])
    if not country:
        raise ValueError(f"there is no country {arguments['country']}")
    company = env.ref("base.main_company")
    company.write({"country_id": country.id, "currency_id": country.currency_id.id})
    country.currency_id.active = True
    zones = pytz.country_timezones.get(country.code, [])
    if len(zones) == 1:
        env["res.users"].with_context(active_test=False).search([]).write({"tz": zones[0]})
    env.cr.commit()
    return {"currency": country.currency_id.name}


RESULT = main(env, ARGUMENTS)  # pylint: disable=undefined-variable
