"""Requests of a file, sent one after another to one API server, and what it answered."""
from __future__ import annotations

import base64
import copy
import datetime
import http.client
import json
import re
import ssl
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable
from urllib.parse import urlsplit

import yaml  # type: ignore[import-untyped]

Json = Any

POLL_SECONDS = 0.1
DEADLINE_SECONDS = 20.0
TYPES = {"merge": "application/merge-patch+json", "json": "application/json-patch+json",
         "apply": "application/apply-patch+yaml", "strategic": "application/strategic-merge-patch+json"}
AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


class Missing:
    """What is not there: unlike null, which JSON has."""

    def __repr__(self) -> str:
        return "nothing"


MISSING = Missing()


def at(doc: Json, pointer: str) -> Json:
    """By JSON Pointer; MISSING if it isn't there."""
    for part in pointer.split("/")[1:]:
        token = part.replace("~1", "/").replace("~0", "~")
        if isinstance(doc, dict) and token in doc:
            doc = doc[token]
        elif isinstance(doc, list) and token.isdigit() and int(token) < len(doc):
            doc = doc[int(token)]
        else:
            return MISSING
    return doc


def merge(doc: Json, patch: Json) -> Json:
    """JSON Merge Patch (RFC 7386), of a copy."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(doc) if isinstance(doc, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge(merged.get(name), value)
    return merged


# --- one server -------------------------------------------------------------------------------------------------------

@dataclass
class Target:
    """An API server. speed: how much faster than ours its clock is."""
    url: str
    context: ssl.SSLContext | None = None
    speed: float = 1.0

    def connect(self) -> http.client.HTTPConnection:
        parts = urlsplit(self.url)
        assert parts.hostname
        if parts.scheme == "https":
            return http.client.HTTPSConnection(parts.hostname, parts.port, timeout=60, context=self.context)
        return http.client.HTTPConnection(parts.hostname, parts.port, timeout=60)


def target_of(kubeconfig: Path, name: str) -> Target:
    """A cluster of a kubeconfig with certificates."""
    config = yaml.safe_load(kubeconfig.read_text(encoding="utf-8"))
    context = next(entry["context"] for entry in config["contexts"] if entry["name"] == name)
    cluster = next(entry["cluster"] for entry in config["clusters"] if entry["name"] == context["cluster"])
    user = next(entry["user"] for entry in config["users"] if entry["name"] == context["user"])
    tls = ssl.create_default_context(cadata=base64.b64decode(cluster["certificate-authority-data"]).decode())
    with tempfile.NamedTemporaryFile() as pem:
        for key in ("client-certificate-data", "client-key-data"):
            pem.write(base64.b64decode(user[key]) + b"\n")
        pem.flush()
        tls.load_cert_chain(pem.name)
    return Target(cluster["server"], tls)


# --- the replay -------------------------------------------------------------------------------------------------------

@dataclass
class Answer:
    """status 0: what was waited for did not come. body: lines of a watch are a list."""
    status: int
    body: Json


class Replay:
    """Steps on a target. values: what the steps saved, and what is put in for $name in them."""

    def __init__(self, target: Target, values: dict[str, Json]) -> None:
        self.target = target
        self.values = dict(values)
        self.connection = target.connect()

    def fill(self, value: Json) -> Json:
        """`$name` in every text becomes what was saved under the name; a text that is nothing else, the value itself."""
        if isinstance(value, dict):
            return {self.fill(name): self.fill(part) for name, part in value.items()}
        if isinstance(value, list):
            return [self.fill(part) for part in value]
        if not isinstance(value, str) or "$" not in value:
            return value
        if value[1:] in self.values:
            return copy.deepcopy(self.values[value[1:]])
        return re.sub(r"\$(\w+)", lambda found: str(self.values[found[1]]), value)

    def send(self, method: str, path: str, body: Json = None, kind: str = "") -> Answer:
        headers = {"Accept": AGGREGATED if path in ("/api", "/apis") else "application/json"}
        data = body if isinstance(body, str) else json.dumps(body) if body is not None else None
        if data is not None:
            headers["Content-Type"] = TYPES.get(kind, kind or "application/json")
        try:
            self.connection.request(method, path.replace(" ", "%20"), data, headers)
            answer = self.connection.getresponse()
        except (http.client.RemoteDisconnected, BrokenPipeError):
            self.connection.close()
            self.connection.request(method, path.replace(" ", "%20"), data, headers)
            answer = self.connection.getresponse()
        text = answer.read().decode()
        try:
            lines = "watch=true" in path and answer.status == 200
            return Answer(answer.status, [json.loads(line) for line in text.splitlines()] if lines else json.loads(text))
        except json.JSONDecodeError:
            return Answer(answer.status, text)

    def pause(self, seconds: float) -> None:
        time.sleep(seconds / self.target.speed)

    def wait_for(self, ask: Callable[[], Answer], wanted: Json) -> Answer:
        """Ask until the answer is as it should be: `status`, and `at` with `is`, `has` (true, false)."""
        end = time.monotonic() + float(wanted.get("within", DEADLINE_SECONDS)) / self.target.speed + 2
        while True:
            answer = ask()
            if self.is_as(answer, wanted):
                return answer
            if time.monotonic() > end:
                return Answer(0, {"waited for": wanted, "found": answer.body})
            time.sleep(POLL_SECONDS / self.target.speed)

    @staticmethod
    def is_as(answer: Answer, wanted: Json) -> bool:
        if "status" in wanted and answer.status != wanted["status"]:
            return False
        if "at" not in wanted:
            return True
        found = at(answer.body, wanted["at"])
        if "count" in wanted:
            return isinstance(found, list) and len(found) == wanted["count"]
        return found == wanted["is"] if "is" in wanted else (found is not MISSING) == wanted.get("has", True)

    def run(self, step: Json) -> Answer:
        """One step; `save` is done."""
        self.values["now"] = self.stamp(0)
        self.values["long_ago"] = self.stamp(-400)
        self.pause(step.get("wait", 0))
        method, path = self.fill(step["do"]).split(" ", 1)
        body = self.fill(step.get("body"))
        if "from" in step:
            body = merge(self.values[step["from"]], body or {})
        if "eventually" in step:
            answer = self.wait_for(lambda: self.send(method, path), self.fill(step["eventually"]))
        else:
            answer = self.send(method, path, body, step.get("type", ""))
        for name, pointer in step.get("save", {}).items():
            found = at(answer.body, pointer)
            self.values[name] = "none" if found is MISSING else found
        return answer

    @staticmethod
    def stamp(days: int) -> str:
        when = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=days)
        return when.strftime("%Y-%m-%dT%H:%M:%SZ")
