{
    "name": "Demo: names below localhost",
    "summary": "The demo's addresses are found on every machine",
    "description": "A server-wide module: names below localhost are this machine, also where the "
    "system's resolver knows localhost alone.",
    "author": "Fleet for Odoo",
    "website": "https://github.com/fleet-for-odoo/fleet",
    "category": "Hidden",
    "version": "19.0.1.0.0",
    "license": "LGPL-3",
    "depends": ["base"],
    "installable": True,
    "post_load": "resolve_localhost_names",
}
