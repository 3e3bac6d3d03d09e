{
    "name": "Demo Client Figures",
    "summary": "Documents and tax returns for the client databases of the demo",
    "author": "Fleet for Odoo",
    "website": "https://github.com/fleet-for-odoo/fleet",
    "category": "Hidden",
    "version": "19.0.1.0.0",
    "license": "LGPL-3",
    "depends": ["base_setup"],
    "data": ["security/ir.model.access.csv"],
    "installable": True,
}
