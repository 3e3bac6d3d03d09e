{
    "name": "Hosted Database",
    "summary": "What a hosted database carries inside: limits, notices, one-click login",
    "description": "The limits and notices that its provider has signed for a hosted database, "
    "login through the provider's portal, and figures about its use. It does nothing "
    "until a provider has signed.",
    "author": "Fleet for Odoo",
    "website": "https://github.com/fleet-for-odoo/fleet",
    "category": "Services/Databases",
    "version": "19.0.1.0.0",
    "license": "LGPL-3",
    "depends": ["base_setup", "mail", "web"],
    "external_dependencies": {"python": ["cryptography", "PyJWT"]},
    "data": [
        "security/saas_client_groups.xml",
        "security/ir.model.access.csv",
        "data/ir_cron_data.xml",
        "views/saas_access_views.xml",
        "views/webclient_templates.xml",
    ],
    "assets": {
        "web.assets_backend": ["fleet_saas_client/static/src/**/*"],
    },
    "uninstall_hook": "uninstall_hook",
}
