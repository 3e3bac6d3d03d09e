from . import home, notices, sso
