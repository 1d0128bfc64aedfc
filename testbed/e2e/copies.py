"""Is what stands on B the same application as on A? Judged by kubectl's view of both sides, without os2os."""
from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import manifests
import volumes
import world as worlds
from case import Case, Cluster, expect, indented
from world import Object

# What the server or a controller of each side writes for itself.
SERVER_MADE = ("uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "ownerReferences", "selfLink")
SERVER_ANNOTATIONS = ("deployment.kubernetes.io/revision", "pv.kubernetes.io/bind-completed",
                      "pv.kubernetes.io/bound-by-controller", "volume.beta.kubernetes.io/storage-provisioner",
                      "volume.kubernetes.io/storage-provisioner", "volume.kubernetes.io/selected-node")
JUNK = {("ConfigMap", "kube-root-ca.crt"), ("ServiceAccount", "default")}
CLUSTER_KINDS = "clusterroles,clusterrolebindings,storageclasses,priorityclasses"


def portable(item: Object, keep_ports: bool) -> Object:
    """An object without what belongs to the cluster it is in."""
    item = json.loads(json.dumps(item))
    item.pop("status", None)
    meta = item["metadata"]
    for name in SERVER_MADE:
        meta.pop(name, None)
    annotations = {name: value for name, value in meta.pop("annotations", {}).items() if name not in SERVER_ANNOTATIONS}
    if annotations:
        meta["annotations"] = annotations
    if item["kind"] == "Service":
        clean_service(item["spec"], keep_ports)
    if item["kind"] == "PersistentVolumeClaim":
        item["spec"].pop("volumeName", None)
    return item


def clean_service(spec: Object, keep_ports: bool) -> None:
    if spec.get("clusterIP") != "None":
        spec.pop("clusterIP", None)
        spec.pop("clusterIPs", None)
    for port in spec.get("ports", []):
        if port.get("nodePort") != manifests.FIXED_NODE_PORT or not keep_ports:
            port.pop("nodePort", None)


def application(cluster: Cluster, ns: str, keep_ports: bool, bound: bool = True) -> dict[str, Object]:
    """The user's objects of a namespace; bound: with those of cluster scope that are named after it."""
    found: dict[str, Object] = {}
    kinds = [kind for kind in worlds.listable(cluster.name, True) if kind not in ("pods", "controllerrevisions.apps")]
    items = worlds.read_objects(cluster.name, kinds, ns)
    if bound:
        items += [item for item in worlds.read_objects(cluster.name, CLUSTER_KINDS.split(","))
                  if item["metadata"]["name"].startswith(ns + "-viewer")]
    for item in items:
        if (item["kind"], item["metadata"]["name"]) in JUNK or worlds.is_controlled(item):
            continue
        if not item["metadata"]["name"].startswith("os2os-"):
            found[worlds.key_of(item)] = portable(item, keep_ports)
    return found


def renamed(objects: dict[str, Object], old: str, new: str) -> dict[str, Object]:
    """The same application in another namespace: every mention of the old name is one of the new."""
    made = [json.loads(json.dumps(item).replace(old, new)) for item in objects.values()]
    return {worlds.key_of(item): item for item in made}


def expect_equal(wanted: dict[str, Object], there: dict[str, Object], cluster: Cluster) -> None:
    lines = [f"not on {cluster.name}: {key}" for key in sorted(wanted.keys() - there.keys())]
    lines += [f"only on {cluster.name}: {key}" for key in sorted(there.keys() - wanted.keys())]
    for key in sorted(wanted.keys() & there.keys()):
        lines += [f"differs: {key}: {line}" for line in worlds.differences(wanted[key], there[key], "")]
    expect(not lines, f"{cluster.name} has not what A has:\n" + indented(lines))


# --- marks and records ------------------------------------------------------------------------------------------------

def marks_on(item: Object) -> list[str]:
    meta = item["metadata"]
    found = [name for place in ("labels", "annotations") for name in meta.get(place, {}) if "os2os" in name]
    found += [f"owner {owner['name']}" for owner in meta.get("ownerReferences", []) if owner["name"].startswith("os2os-")]
    found += [f"finalizer {name}" for name in meta.get("finalizers", []) if "os2os" in name]
    if "os2os" in json.dumps(item.get("spec", {})):
        found.append("a word of os2os in spec")
    return found


def records(cluster: Cluster, ns: str) -> dict[str, Object]:
    return {item["metadata"]["name"]: item for item in cluster.items("configmaps", ns)
            if item["metadata"]["name"].startswith("os2os-")}


def expect_unmarked(cluster: Cluster, ns: str) -> None:
    """Nothing but the record says that os2os was there."""
    kinds = [kind for kind in worlds.listable(cluster.name, True)]
    items = [item for item in worlds.read_objects(cluster.name, kinds, ns)
             if not item["metadata"]["name"].startswith("os2os-txn-")]
    items += [item for item in worlds.read_objects(cluster.name, ["namespaces", *CLUSTER_KINDS.split(",")])
              if item["metadata"]["name"].startswith(ns)]
    lines = [f"{worlds.key_of(item)}: {mark}" for item in items for mark in marks_on(item)]
    expect(not lines, f"marks of os2os are left on {cluster.name}:\n" + indented(lines))


def expect_tombstone(cluster: Cluster, ns: str, role: str, state: str, unfinalized: bool = False) -> None:
    """Of all that os2os writes for itself one clean record is left: no lock, no owner, no write set.
    unfinalized: the write set is needed once more, to delete what is frozen."""
    left = {name: item for name, item in records(cluster, ns).items() if not (unfinalized and "-ws-" in name)}
    faults = [f"{name}{worlds.record_fault(item)}" for name, item in left.items()
              if not worlds.is_record(item) or worlds.record_fault(item)]
    # An earlier attempt that was undone leaves its own.
    states = {name: item["data"]["state"] for name, item in left.items()
              if name.endswith(role) and (state == "ABORTED" or item["data"]["state"] != "ABORTED")}
    expect(not faults and list(states.values()) == [state],
           f"in {cluster.name} {ns} one clean record '-{role}' in state {state} should be left:\n"
           + indented([f"{name}" for name in left] + [f"fault: {fault}" for fault in faults] + [f"states: {states}"]))


def expect_no_secret(cluster: Cluster, ns: str) -> None:
    """No value of a Secret is in a ConfigMap of os2os."""
    for name, item in records(cluster, ns).items():
        text = json.dumps(item)
        for word in manifests.secret_words():
            expect(word not in text, f"{cluster.name}: ConfigMap {ns}/{name} holds a Secret's value")


def expect_whole(case: Case, target: str = "", cluster: Cluster | None = None, keep_ports: bool = True,
                 bound: bool = True, others: frozenset[str] = frozenset()) -> None:
    """B has the application, whole and running; both records say DONE. others: what was in the namespace before."""
    cluster, target = cluster or case.b, target or case.ns
    wanted = renamed(application(case.a, case.ns, keep_ports, bound), case.ns, target)
    there = {key: item for key, item in application(cluster, target, keep_ports, bound).items() if key not in others}
    expect_equal(wanted, there, cluster)
    expect_pods(case, cluster, target)
    expect_tombstone(case.a, case.ns, "source", "DONE")
    expect_tombstone(cluster, target, "target", "DONE")
    expect_no_secret(case.a, case.ns)
    expect_no_secret(cluster, target)
    expect_unmarked(cluster, target)


def expect_pods(case: Case, cluster: Cluster, target: str) -> None:
    """Every workload of A has as many ready pods on B, now: the migration has waited for them."""
    wanted = {key.replace(f" {case.ns}/", f" {target}/"): count for key, count in case.a.ready(case.ns).items()}
    there = cluster.ready(target)
    lines = [f"{key}: {there.get(key, 0)} ready pods, not {count}" for key, count in wanted.items() if there.get(key, 0) != count]
    expect(not lines, f"{cluster.name} has not as many ready pods as A:\n" + indented(lines))


def expect_undone(case: Case, before_a: Any, before_b: Any, target_is_new: bool = True) -> None:
    """Both sides are exactly as before (I5), nobody holds a lock, and a record that stayed is a clean tombstone."""
    case.expect_same(before_a, case.a, "(source)")
    case.expect_same(before_b, case.b, "(target)")
    if target_is_new:
        expect(not case.b.has_namespace(case.ns), f"namespace {case.ns} is still on B")
    expect_no_secret(case.a, case.ns)


# --- moves ------------------------------------------------------------------------------------------------------------

HELD = "os2os.io/held"


@dataclass(frozen=True)
class Source:
    """What was on A before a move."""
    objects: dict[str, Object]
    ready: dict[str, int]
    uids: dict[str, str]  # of what is in the namespace, and of its volumes
    files: dict[str, volumes.Tree]
    folders: dict[str, Path]


def take(case: Case, cluster: Cluster | None = None, ns: str = "") -> Source:
    cluster, ns = cluster or case.a, ns or case.ns
    now = worlds.capture(cluster.name, [ns], case.prefix, case.since)
    return Source(application(cluster, ns, True), cluster.ready(ns), uids_in(now, ns), trees(case, cluster, ns),
                  case.volumes(cluster, ns))


def uids_in(world: worlds.World, ns: str) -> dict[str, str]:
    """The records and what each namespace is furnished with are left out."""
    return {key: item["metadata"]["uid"] for key, item in world["objects"].items()
            if (f" {ns}/" in key or key.startswith("PersistentVolume ")) and "/os2os-txn-" not in key
            and (item["kind"], item["metadata"]["name"]) not in JUNK}


def trees(case: Case, cluster: Cluster, ns: str = "") -> dict[str, volumes.Tree]:
    return {claim: volumes.read_tree(folder) for claim, folder in case.volumes(cluster, ns).items()}


def expect_data(wanted: dict[str, volumes.Tree], there: dict[str, volumes.Tree], where: str) -> None:
    """Every claim has every file, byte by byte, with owner, mode, times, attributes and links."""
    lines = [f"{claim}: no such volume" for claim in sorted(wanted.keys() - there.keys())]
    lines += [f"{claim}: a volume too many" for claim in sorted(there.keys() - wanted.keys())]
    for claim in sorted(wanted.keys() & there.keys()):
        lines += [f"{claim}: {line}" for line in volumes.differences(wanted[claim], there[claim], root=False)]
    expect(not lines, f"the data {where} are not what they were:\n" + indented(lines))


def expect_moved(case: Case, before: Source, cluster: Cluster | None = None, target: str = "",
                 others: frozenset[str] = frozenset()) -> None:
    """B has the application with its data and works; A has it frozen, with its data."""
    expect_arrived(case, before, cluster, target, others)
    expect_frozen(case, before)
    expect_tombstone(case.a, case.ns, "source", "DONE", unfinalized=True)
    expect_tombstone(cluster or case.b, target or case.ns, "target", "DONE")
    expect_no_secret(case.a, case.ns)


def expect_arrived(case: Case, before: Source, cluster: Cluster | None = None, target: str = "",
                   others: frozenset[str] = frozenset()) -> None:
    cluster, target = cluster or case.b, target or case.ns
    there = {key: item for key, item in application(cluster, target, True).items() if key not in others}
    expect_equal(renamed(before.objects, case.ns, target), there, cluster)
    wanted = {key.replace(f" {case.ns}/", f" {target}/"): count for key, count in before.ready.items()}
    ready = {key: count for key, count in cluster.ready(target).items() if key in wanted}
    expect(ready == wanted, f"{cluster.name}: ready pods are {ready}, not {wanted}")
    expect_data(before.files, trees(case, cluster, target), f"on {cluster.name}")
    expect_no_secret(cluster, target)
    expect_unmarked(cluster, target)


def expect_frozen(case: Case, before: Source) -> None:
    """No pod on A; every object is still there under its uid, what runs pods is held, and the volumes are kept."""
    pods = [pod["metadata"]["name"] for pod in case.a.items("pods", case.ns)]
    expect(not pods, f"A still has pods: {pods}")
    now = worlds.capture(case.a.name, [case.ns], case.prefix, case.since)
    uids = uids_in(now, case.ns)
    expect(uids == before.uids, f"A has not the objects it had: {sorted(uids.items() ^ before.uids.items())}")
    for key, item in now["objects"].items():
        if key.startswith(("Deployment.", "StatefulSet.", "CronJob.", "PersistentVolume ")):
            held = item["metadata"].get("labels", {}).get(HELD)
            expect(bool(held), f"{key} on A is not held: {item['metadata'].get('labels')}")
            stopped = item["spec"].get("suspend") or item["spec"].get("replicas") == 0 \
                or item["spec"].get("persistentVolumeReclaimPolicy") == "Retain"
            expect(bool(stopped), f"{key} on A is not stopped or kept: {item['spec']}")
    expect_data(before.files, trees(case, case.a), "on A")
