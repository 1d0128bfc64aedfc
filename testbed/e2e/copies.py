"""Is what stands on B the same application as on A? Judged by kubectl's view of both sides, without os2os."""
from __future__ import annotations

import json
from typing import Any

import manifests
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


def expect_tombstone(cluster: Cluster, ns: str, role: str, state: str) -> None:
    """Of all that os2os writes for itself one clean record is left: no lock, no owner, no write set."""
    left = records(cluster, ns)
    faults = [f"{name}{worlds.record_fault(item)}" for name, item in left.items()
              if not worlds.is_record(item) or worlds.record_fault(item)]
    states = {name: item["data"]["state"] for name, item in left.items() if name.endswith(role)}
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
