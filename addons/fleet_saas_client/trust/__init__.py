"""What a hosted database believes: documents of its server, and tickets of its portal.

Plain Python without the ORM. A **trust anchor** is a file of public keys that the hosting server
keeps outside every database. A **document** is what a server has signed for one database: its plan,
its limits, its notices, and the keys of the portal. A **ticket** is what that portal has signed
to let one person in once.
"""

from .anchor import read_anchor
from .document import Document, Limits, Notice, Portal, State, read_document
from .errors import SENTENCES, TrustError
from .keys import read_keys
from .paths import HOME, local_path
from .standing import NOTHING, Standing, judge
from .ticket import Ticket, read_ticket

__all__ = [
    "HOME",
    "NOTHING",
    "SENTENCES",
    "Document",
    "Limits",
    "Notice",
    "Portal",
    "Standing",
    "State",
    "Ticket",
    "TrustError",
    "judge",
    "local_path",
    "read_anchor",
    "read_document",
    "read_keys",
    "read_ticket",
]
