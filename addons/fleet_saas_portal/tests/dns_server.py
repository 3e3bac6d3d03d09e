import contextlib
import socket
import threading

import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset


class DnsServer:
    """A name server on the loopback that answers TXT questions, or misbehaves on purpose.

    :param how: what it does with questions: ``answer``, ``silent``, ``servfail``, ``refused``,
        ``garbage``, ``forged`` (an answer to another question) or ``pieces`` (the text in two)
    """

    def __init__(self, how="answer"):
        self.how = how
        self.records = {}  # name without a dot at its end → texts
        self.asked = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.address = ("127.0.0.1", self.port)
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_error):
        how, self.how = self.how, "stop"
        with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as last:
            last.sendto(b"stop", self.address)
        self._thread.join(5)
        self._socket.close()
        self.how = how

    def _serve(self):
        while True:
            data, client = self._socket.recvfrom(4096)
            if self.how == "stop":
                return
            for answer in self._answers(dns.message.from_wire(data)):
                self._socket.sendto(answer, client)

    def _answers(self, query):
        name = query.question[0].name.to_text(omit_final_dot=True).lower()
        self.asked.append(name)
        if self.how == "silent":
            return []
        if self.how == "garbage":
            return [b"\x00", b"no DNS at all", query.to_wire()[:7] + b"\xff" * 40]
        if self.how == "forged":
            other = dns.message.make_query(query.question[0].name, dns.rdatatype.TXT)
            other.id = (query.id + 1) % 65536
            return [self._answer(other, name).to_wire()]
        return [self._answer(query, name).to_wire()]

    def _answer(self, query, name):
        answer = dns.message.make_response(query, recursion_available=True)
        if self.how in ("servfail", "refused"):
            answer.set_rcode(dns.rcode.from_text(self.how.upper()))
            return answer
        texts = self.records.get(name)
        if texts is None:
            answer.set_rcode(dns.rcode.NXDOMAIN)
        elif texts:
            answer.answer.append(
                dns.rrset.from_text(
                    query.question[0].name, 60, "IN", "TXT", *(self._quote(text) for text in texts)
                )
            )
        return answer

    def _quote(self, text):
        if self.how == "pieces":
            return f'"{text[:5]}" "{text[5:]}"'
        return f'"{text}"'
