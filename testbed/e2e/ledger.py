"""A shop under the ledger's load: the database and the front of charts/samples/shop, a client that writes rows through the
way in, and the count of what was lost, or accepted by both sides, after whatever was done meanwhile."""
from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import copies
import manifests
from case import Case, Cluster, expect, expect_exit, expect_words
from program import ROOT, Result, Running
from world import Object, World

LEDGER = ROOT / "testbed" / "ledger"
CHART = ROOT / "charts" / "samples" / "shop" / "templates"
PARTS = ("secrets", "config", "account", "db", "web", "ways-in")
LEFT_OUT = ("HorizontalPodAutoscaler", "PodDisruptionBudget", "NetworkPolicy", "Ingress")  # they cost time, and no row
PASSWORD = "correct horse battery staple"
OWN_LABEL = "app.kubernetes.io/part-of=shop"
FRONT, DATABASE, WAY_IN = "web", "db", "web-public"
ROWS_PER_SECOND = 20
READY_SECONDS = 150
COUNT_SECONDS = 150
TAIL_BYTES = 8192
RESULTS = "downtime.json"


def shop(case: Case) -> list[Object]:
    """The objects of the chart that the ledger needs; with a password that no output may show."""
    texts = [(CHART / f"{part}.yaml").read_text(encoding="utf-8") for part in PARTS]
    text = "\n---\n".join(texts).replace("{{ .Values.registry }}", os.environ["O2_REGISTRY"])
    text = text.replace(PASSWORD, f"{manifests.SECRET_MARK}-word")
    out = case.a.kubectl("create", "-n", case.ns, "--dry-run=client", "--validate=false", "-o", "json", "-f", "-", stdin=text)
    return [adjusted(item) for item in documents(out) if item["kind"] not in LEFT_OUT]


def documents(text: str) -> list[Object]:
    """kubectl prints one JSON document after the other."""
    found, decoder = [], json.JSONDecoder()
    text = text.strip()
    while text:
        item, end = decoder.raw_decode(text)
        found += item["items"] if item["kind"] == "List" else [item]
        text = text[end:].strip()
    return found


def adjusted(item: Object) -> Object:
    """One front: two would only start slower. What is short of time stops soon."""
    if item["kind"] == "Deployment":
        item["spec"]["replicas"] = 1
    if item["kind"] in ("Deployment", "StatefulSet"):
        item["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] = 5
    item.pop("status", None)
    return item


class Load:
    """The shop of a case in A, and the client that writes to it."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.log = case.folder / "ledger.log"
        self.address_file = case.folder / "address"
        self.client: subprocess.Popen[str] | None = None
        self.pods: set[str] = set()

    # What runs.

    def deploy(self, items: list[Object] | None = None, others: list[Object] | None = None) -> tuple[World, World]:
        """The shop, serving; and both worlds before anything else happens. others: what is in the namespace besides."""
        case = self.case
        case.busy_claims.add(f"{case.ns}/data-{DATABASE}-0")  # the count tells what is in it
        case.a.create_namespace(case.ns, seconds=90)
        case.a.apply([*(items or shop(case)), *(others or [])])
        case.a.wait_ready(case.ns, READY_SECONDS)
        self.start_client()
        self.wait_acknowledged()
        self.pods = self.pods_of_a()
        return case.world(case.a), case.world(case.b)

    def pods_of_a(self) -> set[str]:
        return {pod["metadata"]["uid"] for pod in self.case.a.items("pods", self.case.ns, "-l", OWN_LABEL)}

    def expect_never_stopped(self) -> None:
        """A's pods are those of the beginning: it was not frozen. (A busy machine may still refuse a row now and then.)"""
        expect(self.pods_of_a() == self.pods, "A was stopped for nothing")

    def address(self, cluster: Cluster) -> str:
        service = cluster.get("service", WAY_IN, self.case.ns)
        ports = service["spec"]["ports"] if service else []
        expect(bool(ports) and "nodePort" in ports[0], f"Service {WAY_IN} of {cluster.name} has no node port")
        nodes = json.loads(cluster.kubectl("get", "nodes", "-o", "json"))["items"]
        hosts = [address["address"] for node in nodes for address in node["status"]["addresses"] if address["type"] == "InternalIP"]
        return f"http://{hosts[0]}:{ports[0]['nodePort']}"

    def start_client(self) -> None:
        command = [str(LEDGER / "client"), "--out", str(self.log), "--address", self.address(self.case.a), "--address-file",
                   str(self.address_file), "--clients", "1", "--lingering", "1", "--rate", str(ROWS_PER_SECOND),
                   "--seconds", f"{self.case.left(3600):.0f}"]
        self.client = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.case.running.append(self.client)  # type: ignore[arg-type]  # ended with the scenario

    def stop_client(self) -> None:
        client = self.client
        expect(client is not None and client.poll() is None, "the client has ended before its time")
        assert client is not None
        client.send_signal(signal.SIGTERM)
        out, err = client.communicate(timeout=self.case.left(30))
        expect(client.returncode == 0, f"the client ended with {client.returncode}: {out}{err}")

    def last_acknowledged(self) -> tuple[float, str]:
        """When, and which cluster answered."""
        with open(self.log, "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - TAIL_BYTES))
            lines = file.read().decode().splitlines()
        for line in reversed(lines):
            if '"acknowledged"' in line and line.startswith("{") and line.endswith("}"):
                item = json.loads(line)
                return item["t"], item["answered"].partition("/")[0]
        return 0.0, ""

    def wait_acknowledged(self, seconds: float = 60) -> None:
        """Until somebody accepts a row that was sent after now."""
        began = time.time()
        self.case.wait("a row is acknowledged", seconds, lambda: self.log.exists() and self.last_acknowledged()[0] > began)

    def serves(self) -> bool:
        """Was a row acknowledged within the last second?"""
        return time.time() - self.last_acknowledged()[0] < 1

    def wait_silent(self, seconds: float = 60) -> None:
        """Until nobody accepts any more."""
        self.case.wait("no row is acknowledged any more", seconds, lambda: not self.serves())

    # The program.

    def arguments(self, *args: str) -> list[str]:
        return self.case.migration("--mode", "move", "--on-switch", f"{LEDGER / 'switch'} {self.address_file}", *args)

    def start(self, *args: str, **options: Any) -> Running:
        return self.case.start(*self.arguments(*args), **options)

    def move(self, *args: str, seconds: float = 240, **options: Any) -> Result:
        return self.case.finish(self.start(*args, **options), seconds)

    # What came of it.

    def count(self, serving: str) -> Object:
        """Ends the load and counts. A move has two sides, what was undone has one."""
        self.stop_client()
        dumps = [self.dump(self.case.a)] + ([self.dump(self.case.b)] if serving == "B" else [])
        command = [str(LEDGER / "count"), "--log", str(self.log), *dumps, *(["--frozen", "A"] if serving == "B" else [])]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=self.case.left(60))
        self.case.note(f"ledger: {done.stdout}{done.stderr}")
        expect(done.returncode in (0, 1), f"the count failed: {done.stderr}")
        found = json.loads(done.stdout)
        expect(found["acknowledged"] > 0 and found["lost"] == 0 and found["both"] == 0 and done.returncode == 0,
               f"the ledger says {done.stdout}{done.stderr}")
        return found

    def dump(self, cluster: Cluster) -> str:
        path = self.case.folder / f"dump-{cluster.name}"
        done = subprocess.run([str(LEDGER / "dump"), cluster.name, self.case.ns, str(path)], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=self.case.left(COUNT_SECONDS))
        expect(done.returncode == 0, f"the table of {cluster.name} can't be had: {done.stderr}")
        return f"--dump={cluster.name}={path}"

    def expect_moved(self, result: Result | None = None) -> Object:
        """B serves, A is frozen, nothing was lost, and nothing accepted twice."""
        self.wait_acknowledged()
        expect(serving_pods(self.case.a, self.case.ns) == [], "A still has pods of the application")
        expect(bool(serving_pods(self.case.b, self.case.ns)), "B has no pods of the application")
        found = self.count("B")
        expect(found["acknowledged_by"]["B"] > 0, f"nothing was acknowledged by B: {found}")
        return self.measure(found, result)

    def expect_undone(self, before: tuple[World, World], result: Result | None = None, target_is_new: bool = True,
                      seconds: float = 90) -> Object:
        """A serves, by I5 as before; B has nothing of it."""
        self.wait_acknowledged(seconds)
        copies.expect_undone(self.case, *before, target_is_new=target_is_new)
        self.case.wait("the volumes on B are gone", 40, lambda: volumes(self.case.b, self.case.ns) == [])
        found = self.count("A")
        expect(found["acknowledged_by"]["A"] == found["acknowledged"] or found["acknowledged_by"].get("B", 0) == 0,
               f"B acknowledged: {found}")
        return self.measure(found, result)

    def measure(self, found: Object, result: Result | None) -> Object:
        """The downtime as the client saw it, beside what the program foretold, where the run's report takes it from."""
        predicted = predicted_downtime(result) if result else None
        measured = {"downtime_s": found["downtime_s"], "predicted_s": predicted}
        self.case.note(f"downtime: {json.dumps(measured)}")
        (self.case.folder / RESULTS).write_text(json.dumps(measured), encoding="utf-8")
        return found


def predicted_downtime(result: Result) -> float | None:
    """"downtime 6.1 s" or "downtime 1 min 4 s" of the plan."""
    found = re.search(r"^Plan: .* downtime (?:(\d+) min ?)?(?:([\d.]+) (ms|s))?", result.out + result.err, re.MULTILINE)
    if not found:
        return None
    return 60 * float(found.group(1) or 0) + float(found.group(2) or 0) * (0.001 if found.group(3) == "ms" else 1)


def serving_pods(cluster: Cluster, ns: str) -> list[str]:
    """Pods of the shop that have not ended."""
    items = cluster.items("pods", ns, "-l", OWN_LABEL)
    return [item["metadata"]["name"] for item in items if item["status"].get("phase") not in ("Succeeded", "Failed")]


def volumes(cluster: Cluster, ns: str) -> list[str]:
    items = json.loads(cluster.kubectl("get", "persistentvolumes", "-o", "json"))["items"]
    return [item["metadata"]["name"] for item in items if item["spec"].get("claimRef", {}).get("namespace") == ns]


def expect_failed(result: Result, *words: str, code: int = 1) -> None:
    """It says why, and that all is undone."""
    expect_exit(result, code)
    expect_words(result.err, words, result, "stderr")
    expect_words(result.out, ["Undone"], result, "the result")
