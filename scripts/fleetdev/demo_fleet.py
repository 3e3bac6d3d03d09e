"""What the demo's databases hold, as data. The portal is an accounting firm's; the rest are its clients."""

# The firm's own people have an account in several clients' databases.
MIA = ("Mia Laurent", "mia.laurent@northwind.example.com")
NOAH = ("Noah Keller", "noah.keller@northwind.example.com")
SOFIA = ("Sofia Rossi", "sofia.rossi@northwind.example.com")
STAFF = (MIA, NOAH, SOFIA)

NO_DRAFTS = {}


def _people(domain, *names):
    return [(name, f"{name.split()[0].lower()}@{domain}.example.com") for name in names]


# template: the cached template database; returns: (days until the deadline, state) a kind of return.
# hosted: how the demo's hosting server comes by it; the others run elsewhere.
CLIENTS = (
    {
        "label": "alpine",
        "company": "Alpine Outdoor",
        "hosted": "customer",
        "template": "client_account",
        "users": [
            MIA,
            NOAH,
            *_people("alpine", "Lena Huber", "Jonas Frei", "Petra Moser", "Urs Graf"),
        ],
        "drafts": {"out_invoice": 12, "in_invoice": 7, "entry": 3},
        "inbox": 14,
        "returns": {"vat": (-6, "open"), "annual": (140, "open")},
    },
    {
        "label": "birch",
        "company": "Birch Interiors",
        "hosted": "trial",
        "template": "client",
        "users": [MIA, *_people("birch", "Amelie Roux", "Hugo Petit")],
        "drafts": NO_DRAFTS,
        "inbox": 3,
        "returns": {"vat": (20, "ready")},
    },
    {
        "label": "cedar",
        "company": "Cedar Woodworks",
        "template": "legacy",
        "users": [NOAH, *_people("cedar", "Tom Baker")],
        "drafts": NO_DRAFTS,
        "inbox": 0,
        "returns": {"vat": (-40, "done")},
    },
    {
        "label": "dune",
        "company": "Dune Travel",
        "hosted": "customer",
        "template": "client",
        "users": _people("dune", "Omar Haddad"),
        "drafts": NO_DRAFTS,
        "inbox": 2,
        "returns": {},
        "wrong_key": True,
        "expected": "credentials",
    },
    {
        "label": "elm",
        "company": "Elm Street Bakery",
        "hosted": "customer",
        "template": "client_account",
        "users": [SOFIA, *_people("elm", "Grace Miller", "Ben Carter", "Ella Wood")],
        "drafts": {"out_invoice": 2, "in_invoice": 21},
        "inbox": 31,
        "returns": {"vat": (45, "open"), "annual": (25, "ready")},
    },
    {
        "label": "fjord",
        "company": "Fjord Seafood",
        "template": "client_account",
        "hosting": "paas",
        "users": [
            MIA,
            SOFIA,
            *_people("fjord", "Ingrid Dahl", "Lars Berg", "Nora Lie", "Odd Vik", "Siri Moe"),
        ],
        "drafts": {"in_invoice": 4, "entry": 1},
        "inbox": 0,
        "returns": {"vat": (-20, "done"), "annual": (200, "open")},
    },
    {
        "label": "grove",
        "company": "Grove Landscaping",
        "template": "client",
        "hosting": "paas",
        "users": [NOAH, SOFIA, *_people("grove", "Emma Stone", "Liam Field")],
        "drafts": NO_DRAFTS,
        "inbox": 8,
        "returns": {"vat": (-2, "ready")},
    },
    {
        "label": "harbor",
        "company": "Harbor Logistics",
        "hosted": "adopted",
        "template": "hosted_account",
        "users": [MIA, NOAH, SOFIA, *_people("harbor", "Pieter Smit", "Anna Visser")],
        "drafts": {"out_invoice": 5},
        "inbox": 1,
        "returns": {"vat": (12, "open"), "annual": (-30, "done")},
    },
)

# Nothing answers on the discard port of the loopback interface.
NOWHERE = {"label": "nowhere", "company": "Nowhere Antiques", "port": 9, "expected": "unreachable"}

HOSTER = "Northwind Hosting"
TEMPLATE = "accounting"
TEMPLATE_DESCRIPTION = "Invoices, bills and tax returns, as our own clients keep them."
STAGING = "staging"

# They sign up at the portal. The first one is on trial, the second one has paid.
CUSTOMERS = (
    {
        "label": "iris",
        "company": "Iris Florists",
        "person": "Ida Blom",
        "email": "ida.blom@iris.example.com",
        "plan": "pro",
        "pays": False,
    },
    {
        "label": "juniper",
        "company": "Juniper Tea",
        "person": "Jon Park",
        "email": "jon.park@juniper.example.com",
        "plan": "starter",
        "pays": True,
    },
)
