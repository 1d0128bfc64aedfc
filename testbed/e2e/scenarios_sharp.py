"""Is the comparison of worlds sharp? Differences are planted, in what was read and in a real cluster; each must be seen.

These run whatever is selected: a scenario that finds nothing proves nothing if the comparison is blind.
"""
from __future__ import annotations

import copy
import json
from typing import Callable

import manifests
import volumes
import world as worlds
from case import Case, Failure, expect, scenario
from scenarios_copy import deploy
from world import World


def first(world: World, kind: str) -> str:
    for key in sorted(world["objects"]):
        if key.startswith(kind + " ") and not key.endswith("kube-root-ca.crt"):
            return key
    raise Failure(f"the world has no {kind}")


def change_label(world: World) -> None:
    world["objects"][first(world, "ConfigMap")]["metadata"]["labels"]["app.kubernetes.io/part-of"] = "other"


def leave_object(world: World) -> None:
    key = first(world, "ConfigMap")
    world["objects"][key + "-left"] = copy.deepcopy(world["objects"][key])


def lose_object(world: World) -> None:
    del world["objects"][first(world, "Service")]


def lose_pod(world: World) -> None:
    world["ready"][sorted(world["ready"])[0]] -= 1


def change_manager(world: World) -> None:
    managed = world["objects"][first(world, "Deployment.apps")]["metadata"]["managedFields"]
    entry = managed[next(name for name in managed if name.startswith("e2e Apply"))]
    entry["fieldsV1"]["f:spec"].pop("f:replicas")


def change_uid(world: World) -> None:
    world["objects"][first(world, "Secret")]["metadata"]["uid"] = "00000000-0000-0000-0000-000000000000"


def leave_mark(world: World) -> None:
    world["marks"].append("ReplicaSet.apps x/web-1")


def change_file(world: World) -> None:
    """One bit of one file."""
    entry = world["files"][f"{world['namespaces'][0]}/data-db-0"]["binary"]
    entry["content"] = f"{int(entry['content'], 16) ^ 1:064x}"


def change_mode(world: World) -> None:
    world["files"][f"{world['namespaces'][0]}/data-db-0"]["script"]["mode"] = "0o100755"


def break_link(world: World) -> None:
    del world["files"][f"{world['namespaces'][0]}/data-db-0"]["zz"]["same as"]


def keep_policy(world: World) -> None:
    world["objects"][first(world, "PersistentVolume")]["spec"]["persistentVolumeReclaimPolicy"] = "Retain"


def leave_lock(world: World) -> None:
    leave_record(world, "os2os-lock", {})


def leave_open_record(world: World) -> None:
    leave_record(world, "os2os-txn-x-source", {"state": "OPEN", "clean": "false"})


def leave_write_set(world: World) -> None:
    leave_record(world, "os2os-txn-x-ws-0", {"entries": ""})


def leave_record(world: World, name: str, data: dict[str, str]) -> None:
    ns = world["namespaces"][0]
    world["objects"][f"ConfigMap {ns}/{name}"] = {"apiVersion": "v1", "kind": "ConfigMap", "data": data,
                                                 "metadata": {"name": name, "namespace": ns}}


PLANTS: tuple[Callable[[World], None], ...] = (change_label, leave_object, lose_object, lose_pod, change_manager, change_uid,
                                              leave_lock, leave_open_record, leave_write_set, leave_mark, change_file,
                                              change_mode, break_link, keep_policy)


@scenario("self", seconds=15)
def planted_differences_are_seen(case: Case) -> None:
    deploy(case, manifests.stateful(case.ns))
    volumes.plant(case.volumes(case.a)["data-db-0"])
    before, again = case.world(case.a), case.world(case.a)
    expect(not worlds.compare(before, again), f"an untouched world differs from itself: {worlds.compare(before, again)}")
    for plant in PLANTS:
        planted = copy.deepcopy(again)
        plant(planted)
        lines = worlds.compare(before, planted)
        case.note(f"{plant.__name__}: {lines}")
        expect(len(lines) == 1, f"{plant.__name__}: one difference was planted, seen were {lines}")
    tombstone = copy.deepcopy(again)
    leave_record(tombstone, "os2os-txn-x-source", {"state": "ABORTED", "clean": "true"})
    expect(not worlds.compare(before, tombstone), "a clean tombstone is taken for a difference")


def write_settings(case: Case) -> str:
    """What is there already, to be applied by another manager: nothing but the managers change."""
    path = case.folder / "settings.json"
    path.write_text(json.dumps(manifests.small(case.ns)[0]), encoding="utf-8")
    return str(path)


@scenario("self", seconds=20)
def real_differences_are_seen(case: Case) -> None:
    """The same in a cluster, with kubectl: label, manager, object, pods."""
    deploy(case, manifests.small(case.ns))
    before = case.world(case.a)
    steps: list[tuple[list[str], str]] = [
        (["label", "configmap/settings", "planted=1"], "/metadata/labels/planted"),
        (["apply", "--server-side", "--field-manager=planted", "-f", write_settings(case)], "managedFields/planted"),
        (["create", "configmap", "planted"], f"left over: ConfigMap {case.ns}/planted"),
        (["delete", "service", "web"], f"missing: Service {case.ns}/web"),
        (["scale", "deployment/web", "--replicas=0"], f"ready pods: Deployment.apps {case.ns}/web: 1 -> 0"),
    ]
    for args, wanted in steps:
        case.a.kubectl("-n", case.ns, *args)
        seen: list[str] = []

        def is_seen() -> bool:
            seen[:] = worlds.compare(before, case.world(case.a))
            return any(wanted in line for line in seen)
        case.wait(f"'{wanted}' is seen", 10, is_seen)
