from . import start
from . import customer
