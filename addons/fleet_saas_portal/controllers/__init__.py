from . import connect, customer, export, start
