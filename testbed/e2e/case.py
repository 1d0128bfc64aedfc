"""What a scenario works with: a Case has namespaces of its own, a deadline, and the rules about commands and worlds."""
from __future__ import annotations

import json
import os
import re
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Iterable, Mapping

import manifests
import volumes
import world as worlds
from program import BINARY, ROOT, Result, Running, TooSlow
from world import Object, World

LINE_MAX = 1200
POLL_SECONDS = 0.5  # a look with kubectl costs a tenth of a second of a processor
SKEW_SECONDS = 600  # what was made by others shortly before or during a scenario is none of its business
COMMAND_SECONDS = 100.0
MOVE_SECONDS = 180.0  # movers are pods, one after the other on each side, and must be pulled, started, and ended


class Failure(Exception):
    """A rule does not hold."""


class Skip(Exception):
    """The scenario can't be run here; the text says why."""


@dataclass(frozen=True)
class Scenario:
    name: str
    run: Callable[["Case"], None]
    tags: tuple[str, ...]
    seconds: int          # what it takes, roughly
    limit: int            # what it may take
    exclusive: bool       # breaks a cluster: runs alone


REGISTRY: dict[str, Scenario] = {}


def register(name: str, run: Callable[["Case"], None], *tags: str, seconds: int = 15, limit: int = 0,
             exclusive: bool = False) -> None:
    if name in REGISTRY:
        raise ValueError(f"two scenarios are called '{name}'")
    REGISTRY[name] = Scenario(name, run, tags, seconds, limit or max(120, 5 * seconds), exclusive)


def scenario(*tags: str, **options: Any) -> Callable[[Callable[["Case"], None]], Callable[["Case"], None]]:
    """Register a function under its name, with dashes."""
    def decorate(function: Callable[["Case"], None]) -> Callable[["Case"], None]:
        register(function.__name__.replace("_", "-"), function, *tags, **options)
        return function
    return decorate


def expect(condition: bool, text: str) -> None:
    if not condition:
        raise Failure(text)


# --- clusters ---------------------------------------------------------------------------------------------------------

class Cluster:
    """One of the two, by kubectl."""

    def __init__(self, name: str, case: "Case") -> None:
        self.name = name
        self.case = case
        self.applied: dict[str, tuple[str, Object]] = {}  # what was applied last, and by which manager

    def kubectl(self, *args: str, stdin: str | None = None, check: bool = True, seconds: float = 60) -> str:
        command = ["kubectl", "--context", self.name, *args]
        try:
            done = subprocess.run(command, input=stdin if stdin is not None else "", capture_output=True, text=True,
                                  timeout=self.case.left(seconds))
        except subprocess.TimeoutExpired as error:
            raise TooSlow(f"{' '.join(command)}: no end within {error.timeout:.0f} s") from None
        if check and done.returncode != 0:
            raise Failure(f"{' '.join(command)}: exit {done.returncode}: {done.stderr.strip()}")
        return done.stdout

    def get(self, kind: str, name: str, ns: str = "") -> Object | None:
        where = ["-n", ns] if ns else []
        text = self.kubectl("get", kind, name, *where, "-o", "json", "--ignore-not-found")
        return json.loads(text) if text.strip() else None

    def items(self, kind: str, ns: str, *args: str) -> list[Object]:
        return json.loads(self.kubectl("get", kind, "-n", ns, "-o", "json", *args))["items"]

    def apply(self, items: Iterable[Object], manager: str = "e2e") -> None:
        found = list(items)
        self.kubectl(*apply_words(manager), stdin=as_list(found))
        self.applied.update({worlds.key_of(item): (manager, json.loads(json.dumps(item))) for item in found})

    def expect_appliable(self) -> None:
        """Who applied it may apply it again, and meets no conflict: every field is still his (I5)."""
        for manager in sorted({manager for manager, _ in self.applied.values()}):
            items = [item for who, item in self.applied.values() if who == manager]
            self.kubectl(*apply_words(manager), "--dry-run=server", stdin=as_list(items))

    def create_namespace(self, ns: str, seconds: float = 30) -> str:
        """A namespace in which pods may be made: its account is there."""
        self.apply([namespace_object(ns)])
        self.case.wait(f"namespace {ns} in {self.name} is furnished", seconds,
                       lambda: self.get("serviceaccount", "default", ns) and self.get("configmap", "kube-root-ca.crt", ns))
        return ns

    def has_namespace(self, ns: str) -> bool:
        return self.get("namespace", ns) is not None

    def ready(self, ns: str) -> dict[str, int]:
        return worlds.ready_pods(self.items("deployments,statefulsets,daemonsets,replicasets,pods", ns))

    def wait_ready(self, ns: str, seconds: float = 90) -> None:
        """Until every workload has as many ready pods as it wants, and its own status says so."""
        def settled() -> bool:
            items = json.loads(self.kubectl("get", "deployments,statefulsets", "-n", ns, "-o", "json"))["items"]
            return all(is_settled(item) for item in items)
        self.case.wait(f"workloads of {ns} in {self.name} are ready", seconds, settled)


def apply_words(manager: str) -> list[str]:
    return ["apply", "--server-side", "--field-manager", manager, "-f", "-"]


def as_list(items: list[Object]) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items})


def namespace_object(ns: str) -> Object:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": ns, "labels": {"team": "mini"}}}


def is_settled(item: Object) -> bool:
    status, wanted = item.get("status", {}), item["spec"].get("replicas", 1)
    return (status.get("observedGeneration", 0) >= item["metadata"]["generation"]
            and status.get("readyReplicas", 0) == wanted and status.get("replicas", 0) == wanted
            and status.get("availableReplicas", 0) == wanted)


# --- a case -----------------------------------------------------------------------------------------------------------

class Case:
    def __init__(self, item: Scenario, prefix: str, folder: Path) -> None:
        self.scenario = item
        self.prefix = prefix
        self.folder = folder
        self.ns = prefix  # all else that is named here begins with it
        self.end = time.monotonic() + item.limit
        self.since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - SKEW_SECONDS))
        self.a, self.b = Cluster("A", self), Cluster("B", self)
        self.transcript: list[str] = []
        self.last: Result | None = None
        self.running: list[Running] = []
        self.busy_claims: set[str] = set()  # somebody writes to them all the time: their files are not compared
        self._commands = 0
        folder.mkdir(parents=True, exist_ok=True)

    # Time.

    def left(self, wish: float) -> float:
        """Seconds that may still be waited, at most `wish`."""
        remaining = self.end - time.monotonic()
        if remaining <= 0:
            raise TooSlow(f"the scenario took more than {self.scenario.limit} s")
        return min(wish, remaining)

    def wait(self, what: str, seconds: float, reached: Callable[[], Any]) -> None:
        end = time.monotonic() + self.left(seconds)
        while not reached():
            if time.monotonic() > end:
                raise TooSlow(f"waited {seconds:.0f} s in vain until {what}")
            time.sleep(POLL_SECONDS)

    def note(self, text: str) -> None:
        self.transcript.append(text.rstrip() + "\n")

    # The program.

    def environment(self, home: str, fault: str, env: Mapping[str, str]) -> dict[str, str]:
        """Nothing of the caller's settings; history and configuration in a folder of the scenario."""
        kept = ("PATH", "KUBECONFIG", "SSL_CERT_FILE", "CURL_CA_BUNDLE", "NO_PROXY", "no_proxy", "O2_REGISTRY", "ASAN_OPTIONS",
                "UBSAN_OPTIONS", "LANG")
        place = self.folder / home
        place.mkdir(exist_ok=True)
        found = {name: os.environ[name] for name in kept if name in os.environ}
        found.update({"HOME": str(place), "TERM": "dumb"})
        if fault:
            found["OS2OS_FAULT"] = fault
        return {**found, **env}

    def start(self, *args: str, fault: str = "", home: str = "home", env: Mapping[str, str] | None = None) -> Running:
        self._commands += 1
        running = Running([str(BINARY), *args], self.environment(home, fault, env or {}), self.folder, self._commands)
        self.running.append(running)
        return running

    def finish(self, running: Running, seconds: float = COMMAND_SECONDS) -> Result:
        self.last = running.finish(self.left(seconds))
        self.note(self.last.report())
        self.check_manners(self.last)
        return self.last

    def os2os(self, *args: str, seconds: float = COMMAND_SECONDS, **options: Any) -> Result:
        return self.finish(self.start(*args, **options), seconds)

    def migration(self, *args: str, ns: str = "") -> list[str]:
        """The arguments of the usual migration; later ones override."""
        return ["migrate", "--from", "A", "--to", "B", "-n", ns or self.ns, "--mode", "copy", "--yes", *args]

    def migrate(self, *args: str, ns: str = "", **options: Any) -> Result:
        return self.os2os(*self.migration(*args, ns=ns), **options)

    def move(self, *args: str, **options: Any) -> Result:
        """Mode move is the default of the program: it is not named."""
        return self.os2os(*self.moving(*args), **{"seconds": MOVE_SECONDS, **options})

    def moving(self, *args: str) -> list[str]:
        return ["migrate", "--from", "A", "--to", "B", "-n", self.ns, "--yes", *args]

    def repair(self, verb: str, *args: str, **options: Any) -> Result:
        """recover, resume, rollback or cancel, as on another machine: with a history of its own."""
        return self.os2os(verb, "--from", "A", "--to", "B", "-n", self.ns, *args, home="elsewhere", **options)

    def volumes(self, cluster: Cluster, ns: str = "") -> dict[str, Path]:
        """The folders of the claims, on their node's disk."""
        items = json.loads(cluster.kubectl("get", "persistentvolumes", "-o", "json"))["items"]
        return volumes.folders(items, ns or self.ns)

    def state(self) -> Object | None:
        """What `status` says of this scenario's transaction; None if it lists none."""
        result = self.os2os("status", "--from", "A", "--to", "B", "-n", self.ns, "-o", "json", home="elsewhere")
        expect_exit(result, 0)
        items = parse_json(result)["items"]
        expect(len(items) <= 1, f"status lists {len(items)} transactions for one namespace\n{result.report()}")
        return items[0] if items else None

    # Rules about every command.

    def check_manners(self, result: Result) -> None:
        text = result.out + result.err
        for word in manifests.secret_words():
            expect(word not in text, f"a Secret's value is printed: '{word}'\n{result.report()}")
        expect("(null)" not in text, f"'(null)' is printed\n{result.report()}")
        expect(re.search(r"[\x00-\x08\x0b-\x1f\x7f]", text) is None, f"control characters are printed\n{result.report()}")
        expect(result.code >= 0 or result.code == -9 and (result.killed or "OS2OS_FAULT" in result.command),
               f"it ended by signal {-result.code}\n{result.report()}")
        expect("Sanitizer" not in result.err and "Assertion" not in result.err, f"it broke\n{result.report()}")

    # Worlds.

    def world(self, cluster: Cluster, *namespaces: str) -> World:
        self.left(1)
        found = worlds.capture(cluster.name, list(namespaces or [self.ns]), self.prefix, self.since)
        found["files"] = {claim: tree for claim, tree in found["files"].items() if claim not in self.busy_claims}
        return found

    def expect_same(self, before: World, cluster: Cluster, what: str = "", live: bool = False) -> None:
        """The world is as it was, by I5. What controllers still do is waited for: for volumes to go, 40 s at most.
        live: the application writes by itself, so that its files are not compared."""
        lines: list[str] = []

        def same() -> bool:
            now = self.world(cluster, *before["namespaces"])
            lines[:] = worlds.compare(before, {**now, "files": before["files"]} if live else now)
            return not lines
        try:
            self.wait("the world is as before", 40, same)
        except TooSlow:
            raise Failure(f"{cluster.name} is not as before{' ' + what if what else ''}:\n" + indented(lines)) from None
        cluster.expect_appliable()

    def expect_unwritten(self, before: World, cluster: Cluster, moving: Iterable[str] = ()) -> None:
        now = self.world(cluster, *before["namespaces"])
        lines = worlds.compare_versions(before, now, moving) + worlds.compare(before, now)
        expect(not lines, f"something was written to {cluster.name}:\n" + indented(lines))


# --- rules about one command ------------------------------------------------------------------------------------------

def indented(lines: Iterable[str]) -> str:
    return "".join(f"    {line}\n" for line in lines)


def expect_exit(result: Result, *codes: int) -> None:
    wanted = " or ".join(str(code) for code in codes)
    expect(result.code in codes, f"exit code {result.code}, not {wanted}\n{result.report()}")


def expect_words(text: str, words: Iterable[str], result: Result, where: str) -> None:
    for word in words:
        expect(re.search(word, text, re.IGNORECASE | re.MULTILINE) is not None, f"/{word}/ is not in {where}\n{result.report()}")


def expect_refusal(result: Result, code: int | tuple[int, ...], *words: str) -> None:
    """It failed as it should: by this exit code, nothing on stdout, a clear line on stderr that has all the words."""
    expect_exit(result, *(code if isinstance(code, tuple) else (code,)))
    expect(result.out == "", f"stdout is not empty\n{result.report()}")
    expect_message(result, *words)


def expect_message(result: Result, *words: str) -> None:
    """Errors are lines that begin with "error: "; they and their remedies have the words."""
    expect(bool(result.errors), f"no line on stderr begins with 'error: '\n{result.report()}")
    said = [line for line in result.lines if line.startswith(("error: ", "warning: ", "  remedy: "))]
    for line in said:
        expect(len(line) <= LINE_MAX, f"a line of {len(line)} characters\n{result.report()}")
    expect_words("\n".join(said), words, result, "the message")


def parse_json(result: Result) -> Any:
    try:
        return json.loads(result.out)
    except ValueError as error:
        raise Failure(f"stdout is not JSON: {error}\n{result.report()}") from None


def read_steps() -> list[tuple[str, bool]]:
    """Names of the step types in their order, and whether each has an undo; from the program's own table."""
    text = (ROOT / "lib" / "plan" / "steps.def").read_text(encoding="utf-8")
    rows = re.findall(r'^O2_STEP\(\w+,\s*"([\w-]+)",\s*"\w+",\s*\w+,\s*\w+,\s*(\w+),', text, re.MULTILINE)
    expect(len(rows) >= 10, "lib/plan/steps.def can't be read")
    return [(name, undo != "NULL") for name, undo in rows]
