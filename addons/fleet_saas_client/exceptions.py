from odoo.exceptions import UserError


class LimitReached(UserError):
    """A change would go beyond what the provider has signed for.

    The web client shows it with a button that leads to where the plan is changed; every other
    caller reads the address in the sentence.
    """

    def __init__(self, message: str, link: str = "", link_text: str = "") -> None:
        super().__init__(message)
        self.context = {"link": link, "link_text": link_text}
