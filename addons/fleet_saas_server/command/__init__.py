"""The command line ``odoo-bin fleet``: words in, operations out."""
