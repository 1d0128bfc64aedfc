"""Stands between os2os and the two API servers, writes down every request in the order in which it came, and kills os2os at one of them.

    proxy = Proxy(folder, {"A": config_of_a, "B": config_of_b})
    proxy.strike_at(Point("A PATCH /api/v1/...", 1, "after"))
    running = case.start(..., env={"KUBECONFIG": proxy.kubeconfig})
    proxy.victim(running)

os2os reaches it on loopback, by a certificate made for this one proxy; towards the real servers it shows the testbed's own
credentials. Bytes are passed on as they are: bodies, watches, and what follows an Upgrade. Frames with data of a WebSocket
are counted as messages, and are points as well.
"""
from __future__ import annotations

import base64
import json
import re
import socket
import ssl
import subprocess
import tempfile
import threading
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable
from urllib.parse import urlsplit

from program import Running, TooSlow
from wire import Frames, Gone, Head, Link, body_of_answer, body_of_request, read_head, readable

Object = dict[str, Any]

IDLE_SECONDS = 300.0      # nothing is read from a connection for longer
CONNECT_SECONDS = 10.0
VICTIM_SECONDS = 10.0
MOST_CONNECTIONS = 256
MOST_REQUESTS = 20000
MOST_BYTES_KEPT = 1 << 26  # of an answer that is held back
MESSAGE = "message"
BEFORE, AFTER = "before", "after"

# What differs from run to run in a path: names made by chance or by controllers, numbers in the query.
ACCIDENTAL = ((r"/namespaces/[^/?]+", "/namespaces/*"), (r"/(pods|replicasets|endpointslices|persistentvolumes)/[^/?]+", r"/\1/*"),
              (r"os2os-([a-z]+)-[0-9a-z]{8}(?![0-9a-z])", r"os2os-\1-*"), (r"%3D[0-9a-z]{8}(?![0-9a-z])", "%3D*"),
              (r"=\d+", "=*"), (r"(continue)=[^&]+", r"\1=*"))


@dataclass(frozen=True)
class Point:
    """The nth request of a sort (from 1), before it reaches the server, or after its effect and before its answer."""
    key: str
    nth: int
    place: str

    def __str__(self) -> str:
        return f"{self.place} {self.key} ({self.nth})"


@dataclass
class Request:
    """What came, in the order in which it came. The body stays in memory: it may be a Secret's."""
    number: int  # from 1
    cluster: str
    method: str
    path: str
    key: str
    nth: int
    body: bytes = b""
    sent: bool = False
    status: int = 0   # 0: no answer yet
    ended: bool = False

    @property
    def writes(self) -> bool:
        """May it have changed something?"""
        return self.method != "GET" and "dryRun=" not in self.path and "/authorization.k8s.io/" not in self.path

    @property
    def points(self) -> list[Point]:
        """What only reads has no effect: after it all is as before it."""
        return [Point(self.key, self.nth, place) for place in (BEFORE, AFTER) if place == BEFORE or self.writes]


def key_of(cluster: str, method: str, path: str) -> str:
    """The sort of a request: without what is another in every run."""
    for pattern, text in ACCIDENTAL:
        path = re.sub(pattern, text, path)
    return f"{cluster} {method} {path}"


class Struck(Exception):
    """os2os is dead: nothing is passed on any more."""


class Proxy:
    """Serves until close(). configs: a kubeconfig with everything in it for each cluster, by the name of its context."""

    def __init__(self, folder: Path, configs: dict[str, Object]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.requests: list[Request] = []
        self.messages = 0
        self.struck: Request | None = None
        self._point: Point | None = None
        self._victim: Running | None = None
        self._counts: Counter[str] = Counter()
        self._lock = threading.Condition()
        self._open = threading.BoundedSemaphore(MOST_CONNECTIONS)
        self.record = folder / "requests"  # a line each: number, cluster, method, path
        self._record = open(self.record, "w", encoding="utf-8")
        self._certificate = make_certificate(folder)
        self._sides = [Side(self, name, config) for name, config in configs.items()]
        self.kubeconfig = self._write_kubeconfig()

    def strike_at(self, point: Point) -> None:
        """Kill there; before os2os is started."""
        self._point = point

    def victim(self, running: Running) -> None:
        """What is killed."""
        with self._lock:
            self._victim = running
            self._lock.notify_all()

    def settle(self, seconds: float = 20) -> None:
        """Wait until everything that was sent to a server has its answer, or has none to come."""
        def unanswered() -> list[Request]:
            return [item for item in self.requests if item.sent and not item.status and not item.ended]
        with self._lock:
            if not self._lock.wait_for(lambda: not unanswered(), seconds):
                raise TooSlow(f"no answer within {seconds:.0f} s: {unanswered()[0].key}")

    def close(self) -> None:
        for side in self._sides:
            side.close()
        with self._lock:
            self._record.close()

    def points(self) -> list[Point]:
        """Of what was seen, in its order."""
        found = [point for item in self.requests for point in item.points]
        return found + [Point(MESSAGE, number, BEFORE) for number in range(1, self.messages + 1)]

    # For the sides.

    def note(self, cluster: str, method: str, path: str, body: bytes) -> Request:
        """A request has come: number it, and kill if it is the one."""
        key = key_of(cluster, method, path)
        with self._lock:
            self._expect_alive()
            if len(self.requests) >= MOST_REQUESTS:
                raise Gone("too many requests")
            self._counts[key] += 1
            request = Request(len(self.requests) + 1, cluster, method, path, key, self._counts[key], body)
            self.requests.append(request)
            self._record.write(f"{request.number} {cluster} {method} {path}\n")
            self._record.flush()
            self._strike_if(Point(key, request.nth, BEFORE), request)
            request.sent = True
        return request

    def note_message(self, request: Request) -> None:
        with self._lock:
            self._expect_alive()
            self.messages += 1
            self._strike_if(Point(MESSAGE, self.messages, BEFORE), request)

    def note_status(self, request: Request, status: int) -> None:
        with self._lock:
            request.status = status
            self._lock.notify_all()

    def note_end(self, request: Request) -> None:
        """Its connection has ended: no answer comes any more."""
        with self._lock:
            request.ended = True
            self._lock.notify_all()

    def is_held_back(self, request: Request) -> bool:
        return self._point == Point(request.key, request.nth, AFTER)

    def strike_after(self, request: Request) -> None:
        with self._lock:
            self._strike_if(Point(request.key, request.nth, AFTER), request)

    def _expect_alive(self) -> None:
        if self.struck:
            raise Struck

    def _strike_if(self, point: Point, request: Request) -> None:
        if point != self._point or self.struck:
            return
        if not self._lock.wait_for(lambda: self._victim is not None, VICTIM_SECONDS):
            raise Gone("nobody to kill")
        assert self._victim is not None
        self._victim.kill()
        self.struck = request
        raise Struck

    # What os2os is given.

    def serve(self, listener: socket.socket, work: Callable[[Link], None]) -> None:
        """A thread for each connection."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._certificate)
        while True:
            try:
                plain = listener.accept()[0]
            except OSError:
                return
            if not self._open.acquire(blocking=False):
                plain.close()
                continue
            threading.Thread(target=self._converse, args=(context, plain, work), daemon=True).start()

    def _converse(self, context: ssl.SSLContext, plain: socket.socket, work: Callable[[Link], None]) -> None:
        try:
            plain.settimeout(IDLE_SECONDS)
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with context.wrap_socket(plain, server_side=True) as secured:
                work(Link(secured))
        except (OSError, ValueError, Gone, Struck):
            pass  # the connection is dropped, which is all that there is to say
        finally:
            plain.close()
            self._open.release()

    def _write_kubeconfig(self) -> str:
        authority = base64.b64encode(self._certificate.read_bytes().partition(b"-----BEGIN PRIVATE")[0]).decode()
        config: Object = {"apiVersion": "v1", "kind": "Config", "clusters": [], "contexts": [],
                          "users": [{"name": "proxied", "user": {"token": "through-the-proxy"}}]}
        for side in self._sides:
            cluster = {"server": f"https://127.0.0.1:{side.port}", "certificate-authority-data": authority}
            config["clusters"].append({"name": side.name, "cluster": cluster})
            config["contexts"].append({"name": side.name, "context": {"cluster": side.name, "user": "proxied"}})
        path = self.folder / "kubeconfig"
        path.write_text(json.dumps(config), encoding="utf-8")
        return str(path)


class Side:
    """One cluster's end of the proxy."""

    def __init__(self, proxy: Proxy, name: str, config: Object) -> None:
        self.proxy, self.name = proxy, name
        self.host, self.target_port = address_of(config)
        self.context = context_of(config)
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=MOST_CONNECTIONS)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=proxy.serve, args=(self.listener, self.converse), daemon=True).start()

    def close(self) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def connect(self) -> Link:
        plain = socket.create_connection((self.host, self.target_port), CONNECT_SECONDS)
        plain.settimeout(IDLE_SECONDS)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return Link(self.context.wrap_socket(plain, server_hostname=self.host))

    def converse(self, client: Link) -> None:
        """One connection of os2os: request after request, over one connection to the server."""
        server: Link | None = None
        try:
            while True:
                head = read_head(client)
                if head.field("expect"):
                    client.send(b"HTTP/1.1 100 Continue\r\n\r\n")
                body = b"".join(body_of_request(client, head))
                request = self.proxy.note(self.name, head.words[0], head.words[1], body)
                if server and server.at_once() is not None:
                    server.close()  # it has closed meanwhile
                    server = None
                server = server or self.connect()
                self.exchange(client, server, request, head.without("authorization", "expect").bytes() + body)
        finally:
            if server:
                server.close()

    def exchange(self, client: Link, server: Link, request: Request, data: bytes) -> None:
        try:
            server.send(data)
            server.beside = client
            head = read_head(server)
            self.proxy.note_status(request, head.status)
            if head.status == 101:
                self.tunnel(client, server, request, head)
            else:
                self.pass_answer(client, server, request, head)
        finally:
            self.proxy.note_end(request)
            server.beside = None

    def pass_answer(self, client: Link, server: Link, request: Request, head: Head) -> None:
        held_back = self.proxy.is_held_back(request)
        if not held_back:
            client.send(head.bytes())
        kept = 0
        for piece in body_of_answer(server, head, request.method):
            if not held_back:
                client.send(piece)
                continue
            kept += len(piece)
            if is_stream(request) or kept > MOST_BYTES_KEPT:
                break
        if held_back:
            self.proxy.strike_after(request)
        if head.field("connection") == "close":
            raise Gone("the server closes")

    def tunnel(self, client: Link, server: Link, request: Request, head: Head) -> None:
        """Bytes in both directions, until one end closes."""
        if self.proxy.is_held_back(request):
            self.proxy.strike_after(request)
        client.send(head.bytes())
        server.beside = None
        others = {client: server, server: client}
        frames = {client: Frames(), server: Frames()}
        while True:
            for link in readable([client, server], IDLE_SECONDS):
                data = link.at_once()
                if data == b"":
                    raise Gone("closed")
                for piece, begins in frames[link].cut(data or b""):
                    if begins:
                        self.proxy.note_message(request)
                    others[link].send(piece)


def is_stream(request: Request) -> bool:
    """Its answer ends when somebody has enough of it: its first piece stands for all."""
    return re.search(r"[?&](watch|follow)=(true|1)", request.path) is not None


# --- certificates -----------------------------------------------------------------------------------------------------

def make_certificate(folder: Path) -> Path:
    """Key and certificate of this proxy, its own authority, in one file."""
    key, certificate, both = folder / "key", folder / "certificate", folder / "proxy.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", str(key),
               "-out", str(certificate), "-days", "2", "-subj", "/CN=proxy of a scenario", "-addext", "subjectAltName=IP:127.0.0.1"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30)
    if done.returncode != 0:
        raise RuntimeError(f"openssl: {done.stderr}")
    both.write_bytes(certificate.read_bytes() + key.read_bytes())
    return both


def address_of(config: Object) -> tuple[str, int]:
    """Of the server that a kubeconfig names."""
    address = urlsplit(config["clusters"][0]["cluster"]["server"])
    return str(address.hostname), address.port or 443


def context_of(config: Object) -> ssl.SSLContext:
    """Trusts the cluster, and shows it the client certificate of the kubeconfig."""
    cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
    context = ssl.create_default_context(cadata=base64.b64decode(cluster["certificate-authority-data"]).decode())
    with tempfile.NamedTemporaryFile() as file:
        file.write(base64.b64decode(user["client-certificate-data"]) + base64.b64decode(user["client-key-data"]))
        file.flush()
        context.load_cert_chain(file.name)
    return context
