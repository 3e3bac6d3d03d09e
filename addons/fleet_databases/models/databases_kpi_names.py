"""Headings of KPIs that most databases report, in the language of who looks at the list.

A database reports a name in the language of the account that reads it, and Odoo keeps one heading
of a property for everybody. The names are those of the types of journals in
``account/models/kpi_provider.py``, of the figures of ``fleet_saas_client``, and of usual returns.
"""

from odoo.tools.translate import LazyTranslate

_lt = LazyTranslate(__name__)

_KNOWN = (
    _lt("Sales"),
    _lt("Purchase"),
    _lt("Cash"),
    _lt("Bank"),
    _lt("Credit Card"),
    _lt("Miscellaneous"),
    _lt("Users"),
    _lt("Storage (MB)"),
    _lt("Failing Scheduled Actions"),
    _lt("E-mails in Error"),
    _lt("Days since Last Login"),
    _lt("VAT Return"),
    _lt("Annual Accounts"),
)
KPI_NAMES = {name._source: name for name in _KNOWN}


def translate_kpi_name(env, name):
    """Return how the KPI ``name`` is called in the language of ``env``; unknown names stay."""
    # The text is exported where it stands; here one is only chosen.
    translate = env._
    return translate(KPI_NAMES[name]) if name in KPI_NAMES else name
