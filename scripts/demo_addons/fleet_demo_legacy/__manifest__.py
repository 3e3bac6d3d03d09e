{
    "name": "Demo Client Without JSON-2",
    "summary": "Makes one database of the demo answer like a server that knows XML-RPC only",
    "author": "Fleet for Odoo",
    "website": "https://github.com/fleet-for-odoo/fleet",
    "category": "Hidden",
    "version": "19.0.1.0.0",
    "license": "LGPL-3",
    "depends": ["base_setup"],
    "installable": True,
}
