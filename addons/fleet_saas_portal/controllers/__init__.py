from . import connect, customer, start
