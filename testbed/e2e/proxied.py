"""Migrations through the proxy: one that is only watched, and those that are killed at one of its requests."""
from __future__ import annotations

import fcntl
import functools
import json
import re
from dataclasses import asdict, dataclass
from typing import Callable

import yaml  # type: ignore[import-untyped]

import copies
import manifests
import world as worlds
from case import MOVE_SECONDS, Case, Cluster, expect, expect_exit
from program import ROOT, Result
from proxy import AFTER, MESSAGE, Point, Proxy, Request
from reading import Reader
from world import Object

RECORD = "os2os-txn-"
SHAPES = ROOT / "testbed" / "sim" / "shapes"


@functools.lru_cache(maxsize=None)
def config_of(context: str) -> Object:
    """The testbed's kubeconfig of a cluster."""
    return json.loads(worlds.kubectl(context, "config", "view", "--raw", "--minify", "--flatten", "-o", "json"))


@functools.lru_cache(maxsize=None)
def reader_of(context: str) -> Reader:
    return Reader(config_of(context))


class QuickCluster(Cluster):
    """Reads without a kubectl each."""

    def get(self, kind: str, name: str, ns: str = "") -> Object | None:
        return reader_of(self.name).get(kind, name, ns)

    def items(self, kind: str, ns: str, *args: str) -> list[Object]:
        return super().items(kind, ns, *args) if args else reader_of(self.name).read(kind.split(","), ns)


def child(case: Case, number: int) -> Case:
    """A case within a case, with a namespace and a folder of its own, that reads quickly."""
    name = f"p{number:03d}"
    made = Case(case.scenario, f"{case.prefix}{name}", case.folder / name)
    made.end, made.running, made.transcript, made.since = case.end, case.running, case.transcript, case.since
    made.a, made.b = QuickCluster("A", made), QuickCluster("B", made)
    for context in ("A", "B"):
        worlds.READERS[context] = reader_of(context).read
    return made


# --- what the proxy saw -----------------------------------------------------------------------------------------------

@dataclass(frozen=True)
class Standing:
    """How far a transaction came: what the last write of A's record said that A's server took."""
    wrote: bool = False  # anything at all, taken or not
    state: str = ""      # empty: there is no record
    clean: bool = False

    @property
    def decided(self) -> bool:
        return self.state in ("COMMITTED", "DONE")


def standing(requests: list[Request]) -> Standing:
    found = Standing()
    for request in requests:
        if not (request.writes and request.sent):
            continue
        data = source_record(request)
        expect(not data or request.status != 0, f"it is in doubt whether {request.key} was taken")
        if data and request.status < 300:
            found = Standing(True, data["state"], data.get("clean") == "true")
        else:
            found = Standing(True, found.state, found.clean)
    return found


def source_record(request: Request) -> Object | None:
    """The data of A's record, if that is what the request writes."""
    if request.cluster != "A" or "/configmaps" not in request.path or RECORD.encode() not in request.body:
        return None
    item = json.loads(request.body)
    name = item.get("metadata", {}).get("name", "")
    return item["data"] if name.startswith(RECORD) and name.endswith("-source") else None


# --- one migration ----------------------------------------------------------------------------------------------------

class Attempt:
    """A move through a proxy of its own."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.proxy = Proxy(case.folder / "proxy", {name: config_of(name) for name in ("A", "B")})

    def move(self, point: Point | None = None) -> Result:
        """point: where it is killed. Afterwards nothing of it is on its way any more."""
        if point:
            self.proxy.strike_at(point)
        running = self.case.start(*self.case.moving(), env={"KUBECONFIG": self.proxy.kubeconfig})
        self.proxy.victim(running)
        try:
            result = self.case.finish(running, MOVE_SECONDS)
            self.proxy.settle()
        finally:
            self.proxy.close()
        return result

    def nearest(self, point: Point) -> Point | None:
        """The point; or if there were fewer of its sort this time, the last of these; None if there was none."""
        seen = self.proxy.messages if point.key == MESSAGE else sum(item.key == point.key for item in self.proxy.requests)
        return Point(point.key, min(point.nth, seen), point.place) if seen else None


# --- applications -----------------------------------------------------------------------------------------------------

@dataclass(frozen=True)
class Variant:
    """An application that is moved through the proxy."""
    name: str
    items: Callable[[str], list[Object]]


def plain(ns: str) -> list[Object]:
    return [manifests.config_map(ns, "settings", url=f"http://web.{ns}.svc.cluster.local:80/"),
            manifests.workload("Deployment", ns, "web", 1, container={"envFrom": [{"configMapRef": {"name": "settings"}}]}),
            manifests.service(ns, "web", "web", type="NodePort"), manifests.ingress(ns, "web", "web")]


def with_data(ns: str) -> list[Object]:
    return [manifests.claim(ns, "files"),
            manifests.workload("Deployment", ns, "web", 1, volumes=manifests.on_claim("files"),
                               container=manifests.shell(manifests.IDLE)),
            manifests.service(ns, "web", "web")]


def shape(name: str) -> Variant:
    """One of the simulator's, with an image that is there."""
    text = (SHAPES / f"{name}.yaml").read_text(encoding="utf-8")

    def items(ns: str) -> list[Object]:
        return list(yaml.safe_load_all(re.sub(r"registry/\w+:1", manifests.image(), text.replace("namespace: shop", f"namespace: {ns}"))))
    return Variant(name, items)


PLAIN, DATA = Variant("plain", plain), Variant("with-data", with_data)


# --- the recording ----------------------------------------------------------------------------------------------------

@dataclass
class Recording:
    """A migration in which nothing struck."""
    run: str
    points: list[Point]  # of the requests in their order; then of the messages
    requests: int
    messages: int
    writes: int          # of the requests
    first_write: int     # index of the first point with something to undo
    decision: int        # of the first that is decided

    def is_decided(self, index: int) -> bool:
        """Messages are sent before the decision."""
        return self.decision <= index < len(self.points) - self.messages


def recorded(case: Case, variant: Variant, record: Callable[[], Attempt]) -> Recording:
    """The one of this run: whoever asks first makes it, the others wait for it."""
    run = case.prefix.rpartition("-")[0]
    with open(case.folder.parent / f"requests-{variant.name}.json", "a+", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        found = read_recording(file.read(), run)
        if found is None:
            found = recording_of(run, record())
            file.truncate(0)
            json.dump(asdict(found), file)
    return found


def read_recording(text: str, run: str) -> Recording | None:
    data = json.loads(text or "{}")
    if data.get("run") != run:
        return None
    data["points"] = [Point(**point) for point in data["points"]]
    return Recording(**data)


def recording_of(run: str, attempt: Attempt) -> Recording:
    requests = attempt.proxy.requests
    writes = [item.number for item in requests if item.writes]
    decision = next(number for number in writes if standing(requests[:number]).decided)
    points = attempt.proxy.points()
    places = {point: index for index, point in enumerate(points)}
    first, decisive = requests[writes[0] - 1], requests[decision - 1]
    return Recording(run, points, len(requests), attempt.proxy.messages, len(writes), places[Point(first.key, first.nth, AFTER)],
                     places[Point(decisive.key, decisive.nth, AFTER)])


def watched(case: Case, source: copies.Source) -> Attempt:
    """A migration to its good end."""
    attempt = Attempt(case)
    expect_exit(attempt.move(), 0)
    copies.expect_moved(case, source)
    return attempt
