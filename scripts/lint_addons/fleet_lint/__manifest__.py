{
    "name": "Odoo's Linters on Our Addons",
    "summary": "Runs test_lint for the addons of this repository only",
    "author": "Fleet for Odoo",
    "website": "https://github.com/fleet-for-odoo/fleet",
    "category": "Hidden",
    "version": "19.0.1.0.0",
    "license": "LGPL-3",
    "depends": ["test_lint"],
    "installable": True,
}
