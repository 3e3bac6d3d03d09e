{
    "name": "Only Our Bundles",
    "summary": "Odoo's test runner generates the bundles that hold something of ours, and no others",
    "author": "Fleet for Odoo",
    "website": "https://github.com/fleet-for-odoo/fleet",
    "category": "Hidden",
    "version": "19.0.1.0.0",
    "license": "LGPL-3",
    "depends": ["web"],
    "installable": True,
}
