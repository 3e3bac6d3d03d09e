"""A visitor of the demo's portal: a browser without a screen, that reads pages and sends their forms."""

import time
import urllib.parse

from . import console

TIMEOUT_S = 60
SIGNUP_S = 180
POLL_S = 0.3


class Visitor:
    """Somebody who signs up, in a session of his own.

    :param url: the portal's, such as ``http://portal.localhost:8069``
    """

    def __init__(self, url):
        import requests  # in the virtual environment, which may not be there yet

        self._session = requests.Session()
        # No proxy of the environment may stand between this and the loopback interface.
        self._session.trust_env = False
        self._url = url

    def get(self, path):
        """Return the text of a page."""
        return self._ask("GET", path).text

    def send(self, page, action, **values):
        """Fill in the form on ``page`` whose address begins with ``action``, and send it."""
        from lxml import html

        forms = html.fromstring(self.get(page)).forms
        [form] = [each for each in forms if (each.action or "").startswith(action)]
        fields = {**dict(form.form_values()), **values}
        return self._ask("POST", form.action, data=fields).text

    def call(self, path, **params):
        """Return what a page's script is answered."""
        answer = self._ask("POST", path, json={"params": params}).json()
        if "error" in answer:
            raise console.Failure(f"{path}: {answer['error']['data']['message']}")
        return answer["result"]

    def sign_up(self, customer, read_mail):
        """Sign up as ``customer``, an entry of ``demo_fleet.py``; return the path into the database.

        :param read_mail: returns the text of the last mail to an address
        """
        wanted = {
            "company_name": customer["company"],
            "contact_name": customer["person"],
            "email": customer["email"],
            "name": customer["name"],
        }
        self.send(f"/start/{customer['plan']}", "/start/", **wanted)
        link = "/start/confirm/" + read_mail(customer["email"]).split("/start/confirm/")[1]
        self.send(link.split('"')[0], "/start/confirm/")
        return self._wait()

    def _wait(self):
        end = time.monotonic() + SIGNUP_S
        while time.monotonic() < end:
            found = self.call("/start/status")
            if found["url"]:
                return found["url"]
            if found["state"] not in ("creating", "done"):
                raise console.Failure(
                    f"The sign-up is {found['state']}: see Sign-ups in the portal"
                )
            time.sleep(POLL_S)
        raise console.Failure(f"After {SIGNUP_S} s a customer who signed up has no database")

    def _ask(self, method, path, **options):
        """Ask this machine, by the host name of the address: plain glibc knows ``localhost`` alone."""
        parts = urllib.parse.urlsplit(urllib.parse.urljoin(self._url, path))
        here = urllib.parse.urlunsplit(parts._replace(netloc=f"127.0.0.1:{parts.port}"))
        headers = {"Host": parts.netloc}
        answer = self._session.request(method, here, headers=headers, timeout=TIMEOUT_S, **options)
        if not answer.ok:
            raise console.Failure(f"{parts.path}: {answer.status_code}")
        return answer
