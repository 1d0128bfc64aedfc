#!/usr/bin/env python3
"""The world of a cluster, read with kubectl alone, and the differences between two of them by invariant I5.

    world.py capture --context A -n shop [-n other] [--prefix e2e-7-] > before.json
    world.py compare before.json after.json      one line a difference; exit 1 if there is one

A world holds every object of the namespaces and of cluster scope that no controller owns, how many pods of each workload
are ready, the marks of os2os on what controllers own, and every file of the claims. What may differ between two worlds is listed in `normalise` and in `is_settled_record`, and nowhere else.
"""
from __future__ import annotations

import argparse
import copy
import functools
import json
import subprocess
import sys
from typing import Any, Callable, Iterable, Iterator

import volumes

Object = dict[str, Any]
World = dict[str, Any]

SCENARIO_PREFIX = "e2e-"
KUBECTL_SECONDS = 60
MAX_LINES_OF_AN_OBJECT = 12
# By context, where something faster than a kubectl each lists the objects of kinds in a namespace, or in cluster scope.
READERS: dict[str, Callable[[Iterable[str], str | None], list[dict[str, Any]]]] = {}

# What moves by itself (I5 leaves it out), and what only mirrors a Service or a node.
UNSEEN_NAMESPACED = {"events", "events.events.k8s.io", "leases.coordination.k8s.io", "endpoints",
                     "endpointslices.discovery.k8s.io"}
UNSEEN_CLUSTER = {"nodes", "componentstatuses", "csinodes.storage.k8s.io", "volumeattachments.storage.k8s.io",
                  "ipaddresses.networking.k8s.io", "certificatesigningrequests.certificates.k8s.io",
                  "resourceslices.resource.k8s.io"}


class KubectlError(Exception):
    """kubectl failed: the world can't be read."""


def kubectl(context: str, *args: str, seconds: float = KUBECTL_SECONDS) -> str:
    command = ["kubectl", "--context", context, *args]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds)
    except subprocess.TimeoutExpired as error:
        raise KubectlError(f"{' '.join(command)}: no end within {seconds:.0f} s") from error
    if done.returncode != 0:
        raise KubectlError(f"{' '.join(command)}: exit {done.returncode}: {done.stderr.strip()}")
    return done.stdout


# --- reading ----------------------------------------------------------------------------------------------------------

@functools.lru_cache(maxsize=None)
def listable(context: str, namespaced: bool) -> tuple[str, ...]:
    names = kubectl(context, "api-resources", "--verbs=list", f"--namespaced={str(namespaced).lower()}", "-o", "name").split()
    return tuple(sorted(set(names) - (UNSEEN_NAMESPACED if namespaced else UNSEEN_CLUSTER)))


def read_objects(context: str, kinds: Iterable[str], namespace: str | None = None) -> list[Object]:
    if context in READERS:
        return READERS[context](kinds, namespace)
    where = ["--namespace", namespace] if namespace else []
    text = kubectl(context, "get", ",".join(kinds), *where, "-o", "json", "--show-managed-fields")
    return json.loads(text)["items"]


def key_of(item: Object) -> str:
    """`Deployment.apps shop/web`, `Namespace shop`."""
    group = item["apiVersion"].rpartition("/")[0]
    meta = item["metadata"]
    place = f"{meta['namespace']}/" if "namespace" in meta else ""
    return f"{item['kind']}{'.' + group if group else ''} {place}{meta['name']}"


def is_controlled(item: Object) -> bool:
    return any(owner.get("controller") for owner in item["metadata"].get("ownerReferences", []))


def is_foreign(item: Object, namespaces: Iterable[str], prefix: str, since: str) -> bool:
    """Of somebody else who uses the same cluster now: another scenario's, a namespace that is not looked at, or something
    of another name that was made after `since` and not by os2os."""
    claim = item.get("spec", {}).get("claimRef") or {}
    name = claim.get("namespace") or item["metadata"]["name"]
    if item["kind"] == "PersistentVolume" and claim:
        return name not in namespaces
    if name.startswith(SCENARIO_PREFIX):
        return not name.startswith(prefix)
    if since and item["metadata"]["creationTimestamp"] >= since and "os2os" not in json.dumps(item["metadata"]):
        return True
    return item["kind"] == "Namespace" and name not in namespaces


def capture(context: str, namespaces: list[str], prefix: str, since: str = "") -> World:
    """Read the world of a cluster. prefix: what begins with it in cluster scope belongs to this scenario."""
    try:
        return capture_once(context, namespaces, prefix, since)
    except KubectlError:
        listable.cache_clear()  # somebody has taken a kind away
        return capture_once(context, namespaces, prefix, since)


def capture_once(context: str, namespaces: list[str], prefix: str, since: str) -> World:
    world: World = {"context": context, "namespaces": namespaces, "objects": {}, "ready": {}, "versions": {}, "marks": [], "files": {}}
    kinds = listable(context, True)
    for namespace in namespaces:
        items = read_objects(context, kinds, namespace)
        world["ready"].update(ready_pods(items))
        for item in items:
            if not is_controlled(item):
                add(world, item)
            elif has_mark(item):
                world["marks"].append(key_of(item))
    wide = read_objects(context, listable(context, False))
    for item in wide:
        if not is_controlled(item) and not is_foreign(item, namespaces, prefix, since):
            add(world, item)
    for namespace in namespaces:
        add_files(world, namespace, [item for item in wide if item["kind"] == "PersistentVolume"])
    return world


def has_mark(item: Object) -> bool:
    """Does what a controller owns bear a word of os2os, as a ReplicaSet to which an annotation was copied?"""
    meta = item["metadata"]
    return "os2os" in json.dumps([meta["name"], meta.get("labels"), meta.get("annotations"), meta.get("finalizers")])


def add_files(world: World, namespace: str, items: list[Object]) -> None:
    """What is in the claims; where the volumes are not on this machine's disk nothing is known of it."""
    for claim, folder in volumes.folders(items, namespace).items():
        if folder.is_dir():
            world["files"][f"{namespace}/{claim}"] = volumes.read_tree(folder)


def add(world: World, item: Object) -> None:
    key = key_of(item)
    world["versions"][key] = item["metadata"]["resourceVersion"]
    world["objects"][key] = normalise(item)


def normalise(item: Object) -> Object:
    """What I5 compares: all but resourceVersion, generation, status, and the times of managedFields."""
    item = copy.deepcopy(item)
    item.pop("status", None)
    meta = item["metadata"]
    for name in ("resourceVersion", "generation"):
        meta.pop(name, None)
    entries = [entry for entry in meta.pop("managedFields", []) if entry.get("subresource") != "status"]
    for entry in entries:
        entry.pop("time", None)
    meta["managedFields"] = {manager_of(entry): entry for entry in entries}
    return item


def manager_of(entry: Object) -> str:
    return " ".join(entry.get(name, "") for name in ("manager", "operation", "apiVersion", "subresource")).strip()


def ready_pods(items: list[Object]) -> dict[str, int]:
    """How many pods of each workload are ready; by the pods, whatever the workloads say."""
    by_uid = {item["metadata"]["uid"]: item for item in items}
    ready: dict[str, int] = {}
    for item in items:
        if item["kind"] in ("Deployment", "StatefulSet", "DaemonSet"):
            ready.setdefault(key_of(item), 0)
    for item in items:
        if item["kind"] == "Pod" and is_ready(item):
            root = key_of(root_owner(item, by_uid))
            ready[root] = ready.get(root, 0) + 1
    return ready


def is_ready(pod: Object) -> bool:
    conditions = pod.get("status", {}).get("conditions", [])
    return "deletionTimestamp" not in pod["metadata"] and any(
        condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)


def root_owner(item: Object, by_uid: dict[str, Object]) -> Object:
    owners = [owner["uid"] for owner in item["metadata"].get("ownerReferences", []) if owner.get("controller")]
    if not owners or owners[0] not in by_uid:
        return item
    return root_owner(by_uid[owners[0]], by_uid)


# --- comparing --------------------------------------------------------------------------------------------------------

def compare(before: World, after: World) -> list[str]:
    """The differences, one line each; none if the worlds are the same by I5."""
    lines: list[str] = []
    then, now = before["objects"], after["objects"]
    for key in sorted(then.keys() | now.keys()):
        if key not in now:
            lines.append(f"missing: {key}")
        elif key in then:
            found = [f"changed: {key}: {line}" for line in differences(then[key], now[key], "")]
            lines += found[:MAX_LINES_OF_AN_OBJECT]
        elif not is_settled_record(now[key], before, after):
            lines.append(f"left over: {key}{record_fault(now[key])}")
    for key in sorted(before["ready"].keys() | after["ready"].keys()):
        old, new = before["ready"].get(key, 0), after["ready"].get(key, 0)
        if old != new:
            lines.append(f"ready pods: {key}: {old} -> {new}")
    lines += [f"marked: {key}" for key in sorted(set(after["marks"]) - set(before["marks"]))]
    for claim in sorted(before["files"].keys() | after["files"].keys()):
        found = volumes.differences(before["files"].get(claim, {}), after["files"].get(claim, {}))
        lines += [f"claim {claim}: {line}" for line in found]
    return lines


def is_record(item: Object) -> bool:
    return item["kind"] == "ConfigMap" and item["metadata"]["name"].startswith("os2os-txn-")


def record_fault(item: Object) -> str:
    """Why a ConfigMap of os2os is not the tombstone that may stay; empty if it is one."""
    data, meta = item.get("data", {}), item["metadata"]
    if not is_record(item):
        return ""
    if not meta["name"].endswith(("-source", "-target")):
        return " (not a record's head)"
    if data.get("clean") != "true" or data.get("state") not in ("DONE", "ABORTED"):
        return f" (state {data.get('state')}, clean {data.get('clean')})"
    if meta.get("finalizers") or meta.get("ownerReferences"):
        return " (still has finalizers or owners)"
    return ""


def is_settled_record(item: Object, before: World, after: World) -> bool:
    """Left over is only the record. In a namespace that the transaction made nothing is left, the namespace included."""
    namespace = f"Namespace {item['metadata'].get('namespace')}"
    return is_record(item) and not record_fault(item) and namespace in before["objects"] and namespace in after["objects"]


def compare_versions(before: World, after: World, moving: Iterable[str] = ()) -> list[str]:
    """Was anything written at all? `moving`: kinds whose controllers write by themselves."""
    lines = []
    for key in sorted(before["versions"].keys() | after["versions"].keys()):
        if key.split(" ")[0].split(".")[0] in moving:
            continue
        old, new = before["versions"].get(key, "absent"), after["versions"].get(key, "absent")
        if old != new:
            lines.append(f"written: {key}: resourceVersion {old} -> {new}")
    return lines


def differences(old: Any, new: Any, path: str) -> Iterator[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        for name in sorted(old.keys() | new.keys()):
            yield from differences(old.get(name, ABSENT), new.get(name, ABSENT), f"{path}/{name}")
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for index, (left, right) in enumerate(zip(old, new)):
            yield from differences(left, right, f"{path}/{index}")
    elif old != new:
        yield f"{path}: {shown(old, path)} -> {shown(new, path)}"


class Absent:
    def __repr__(self) -> str:
        return "absent"


ABSENT = Absent()


def shown(value: Any, path: str) -> str:
    """A value, short; those of Secrets are told by their length only."""
    if isinstance(value, Absent):
        return "absent"
    text = json.dumps(value, sort_keys=True)
    if path.startswith(("/data", "/stringData", "/binaryData")):
        return f"{len(text)} bytes"
    return text if len(text) <= 160 else text[:157] + "..."


# --- command ----------------------------------------------------------------------------------------------------------

def parse(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    reading = commands.add_parser("capture", help="read a cluster's world, as JSON on stdout")
    reading.add_argument("--context", required=True)
    reading.add_argument("-n", "--namespace", action="append", required=True)
    reading.add_argument("--prefix", default=SCENARIO_PREFIX, help="of cluster-scoped objects that belong to it")
    for name in ("compare", "diff"):
        comparing = commands.add_parser(name, help="one line a difference; exit 1 if there is one")
        comparing.add_argument("before")
        comparing.add_argument("after")
        comparing.add_argument("--versions", action="store_true", help="compare resourceVersions as well")
    return parser.parse_args(argv)


def read_world(path: str) -> World:
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def main(argv: list[str]) -> int:
    args = parse(argv)
    if args.command == "capture":
        json.dump(capture(args.context, args.namespace, args.prefix), sys.stdout, indent=1, sort_keys=True)
        return 0
    before, after = read_world(args.before), read_world(args.after)
    lines = compare(before, after) + (compare_versions(before, after) if args.versions else [])
    print("\n".join(lines), end="\n" if lines else "")
    return 1 if lines else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (KubectlError, OSError) as failure:
        print(f"world: {failure}", file=sys.stderr)
        sys.exit(2)
