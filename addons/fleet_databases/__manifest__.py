{
    "name": "Databases",
    "summary": "See, synchronise and open every Odoo database you look after",
    "description": "One list of all the Odoo databases of your customers: key figures, users, "
    "errors, one click to open each, and users invited or removed everywhere at once.",
    "author": "Fleet for Odoo",
    "website": "https://github.com/fleet-for-odoo/fleet",
    "category": "Services/Databases",
    "version": "19.0.1.0.0",
    "license": "LGPL-3",
    "depends": ["project"],
    "external_dependencies": {"python": ["cryptography"]},
    "data": [
        "security/databases_groups.xml",
        "security/ir.model.access.csv",
        "security/databases_rules.xml",
        "data/databases_data.xml",
        "data/ir_cron_data.xml",
    ],
    "application": True,
}
