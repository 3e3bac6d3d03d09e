from . import connect, customer, export, openid, start
