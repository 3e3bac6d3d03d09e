"""Host Odoo databases on this machine: plain Python, PostgreSQL and files, no ORM."""
