{
    "name": "Hosting Server",
    "summary": "Make this machine host Odoo databases safely",
    "description": "Templates, sealed clones, snapshots, encrypted backups that are proven by "
    "restoring them, and a command line: everything one machine needs to host Odoo databases.",
    "author": "Fleet for Odoo",
    "website": "https://github.com/fleet-for-odoo/fleet",
    "category": "Services/Databases",
    "version": "19.0.1.0.0",
    "license": "LGPL-3",
    "depends": ["mail", "queue_job"],
    "external_dependencies": {"python": ["cryptography", "requests"]},
    "data": [
        "security/saas_server_groups.xml",
        "security/ir.model.access.csv",
        "data/queue_job_data.xml",
        "data/ir_cron_data.xml",
        "views/saas_operation_views.xml",
        "views/saas_database_views.xml",
        "views/saas_server_menus.xml",
    ],
    "post_load": "post_load",
    "application": True,
}
