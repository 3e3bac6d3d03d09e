from . import models
from . import wizards
from . import redaction

redaction.install()
