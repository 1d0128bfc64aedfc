"""Two answers side by side: what must differ is evened out, and what may differ stands in EXCEPTIONS and nowhere else."""
from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from typing import Any, Iterator

from replay import MISSING

Json = Any

UID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
ADDRESS = re.compile(r"\b\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}\b")
SUFFIX = re.compile(r"-[bcdfghjklmnpqrstvwxz2456789]{5}\b")  # of a name that was generated
VERSION_WORDS = re.compile(r"(resource version: )\d+( \()\d+(\))")
NUMBERED = {"resourceVersion": "<version>", "nodePort": "<port>", "continue": "<token>"}

# What may differ: the kind of the object, its place (an element of a list is *), "left out" (only the simulator may lack it) or "any",
# and why. A place stands for all below it.
TEMPLATE = r"(/spec/jobTemplate)?(/spec/template)?/spec"
EXCEPTIONS: list[tuple[str, str, str, str]] = [
    ("Discovery", r"/[^/]+", "left out", "kinds that the simulator does not have"),
    ("Discovery", r"/[^/]+/subresources/[^/]+", "left out", "sub-resources that os2os does not use, and exec"),
    ("Pod|Deployment|ReplicaSet|StatefulSet|DaemonSet|Job|CronJob",
     TEMPLATE + r"/(dnsPolicy|schedulerName|securityContext|enableServiceLinks|preemptionPolicy|priority|tolerations"
     r"|restartPolicy|terminationGracePeriodSeconds|serviceAccount)",
     "left out", "defaults of pods that nobody looks at"),
    ("Pod|Deployment|ReplicaSet|StatefulSet|DaemonSet|Job|CronJob",
     TEMPLATE + r"/(containers|initContainers)/[*]/(imagePullPolicy|resources|terminationMessagePath|terminationMessagePolicy)",
     "left out", "defaults of containers that nobody looks at"),
    ("Pod", r"/status/qosClass", "left out", "nobody looks at it"),
    ("Job", r"/status/conditions/[^/]+/lastProbeTime", "left out", "always that of the transition"),
    ("CronJob", r"/spec/jobTemplate(/spec/template)?/metadata", "left out", "empty"),
    ("DaemonSet", r"/metadata(/annotations)?", "left out", "an old count of templates; os2os takes it off"),
]


@dataclass
class Difference:
    kind: str
    pointer: str
    real: Json
    sim: Json
    reason: str = ""  # of the exception; "" if there is none


# --- what must differ -------------------------------------------------------------------------------------------------

class Evening:
    """What one server gave out by chance is told by the names that the steps saved it under."""

    def __init__(self, values: dict[str, Json]) -> None:
        texts = {value: f"${name}" for name, value in values.items()
                 if isinstance(value, str) and len(value) > 3 and name not in ("now", "long_ago")}
        self.texts = [(re.compile(rf"\b{re.escape(value)}\b"), name)
                      for value, name in sorted(texts.items(), key=lambda pair: -len(pair[0]))]

    def text(self, value: str) -> str:
        for found, name in self.texts:
            value = found.sub(lambda _, name=name: name, value)
        value = VERSION_WORDS.sub(r"\1<version>\2<version>\3", value)
        value = SUFFIX.sub("-<suffix>", value)
        return ADDRESS.sub("<address>", TIME.sub("<time>", UID.sub("<uid>", value)))

    def even(self, value: Json, name: str = "") -> Json:
        if name in NUMBERED:
            return NUMBERED[name]
        if isinstance(value, dict):
            evened = {self.text(key): self.even(part, key) for key, part in value.items()}
            return self.generated(evened)
        if isinstance(value, list):
            return self.keyed([self.even(part) for part in value], name)
        return self.text(value) if isinstance(value, str) else value

    @staticmethod
    def generated(doc: dict[str, Json]) -> dict[str, Json]:
        prefix = doc.get("generateName")
        if isinstance(prefix, str) and str(doc.get("name", "")).startswith(prefix):
            doc["name"] = prefix + "<suffix>"
        return doc

    @staticmethod
    def keyed(items: list[Json], name: str) -> Json:
        """Lists whose order says nothing become objects."""
        if name == "managedFields":
            return {"/".join([item.get("manager", ""), item.get("operation", ""), item.get("subresource", "")]): item
                    for item in items}
        if name == "conditions":
            return {item["type"]: item for item in items}
        if name == "causes":
            return sorted(items, key=str)
        if name == "items":
            return {item["metadata"]["name"]: item for item in items}
        return items


# --- what differs -----------------------------------------------------------------------------------------------------

def walk(real: Json, sim: Json, pointer: str = "") -> Iterator[tuple[str, Json, Json]]:
    if isinstance(real, dict) and isinstance(sim, dict):
        for name in [*real, *(name for name in sim if name not in real)]:
            token = name.replace("~", "~0").replace("/", "~1")
            yield from walk(real.get(name, MISSING), sim.get(name, MISSING), f"{pointer}/{token}")
    elif isinstance(real, list) and isinstance(sim, list):
        for index, (one, other) in enumerate(itertools.zip_longest(real, sim, fillvalue=MISSING)):
            yield from walk(one, other, f"{pointer}/{index}")
    elif real != sim or isinstance(real, bool) != isinstance(sim, bool):
        yield pointer, real, sim


def place_of(pointer: str) -> str:
    """For the table: indexes are *, and a field that somebody owns is that field."""
    owned = re.match(r"(.*)/metadata/managedFields/[^:]*/fieldsV1(.*)", pointer)
    if owned:
        fields = re.sub(r"/[kv]:([^/~]|~0|~1)*", "/*", owned[2])
        pointer = owned[1] + re.sub(r"/f:", "/", fields)
    return re.sub(r"/\d+(?=/|$)", "/*", pointer)


def reason_of(kind: str, place: str, left_out: bool) -> str:
    for its_kind, its_place, way, reason in EXCEPTIONS:
        inside = re.match(its_place + "(/|$)", place)
        if re.fullmatch(its_kind, kind) and inside and (left_out or way == "any"):
            return reason
    return ""


def owner_of(doc: Json, pointer: str) -> tuple[str, str]:
    """The kind of the object that the pointer leads into, and the way from there: lists and events hold several."""
    for lead in (r"/items/[^/]*", r"/\d+/object"):
        inner = re.match(lead, pointer)
        if inner:
            kind = str(doc.get("kind", "")).removesuffix("List") if isinstance(doc, dict) else ""
            if isinstance(doc, list):
                kind = str(doc[int(pointer.split("/")[1])]["object"].get("kind", ""))
            return kind, pointer[inner.end():]
    return (str(doc.get("kind", "")), pointer) if isinstance(doc, dict) else ("", pointer)


def compare(real: Json, sim: Json) -> Iterator[Difference]:
    """Both evened out."""
    for pointer, one, other in walk(real, sim):
        kind, rest = owner_of(real, pointer)
        yield Difference(kind, pointer, one, other, reason_of(kind, place_of(rest), other is MISSING))
