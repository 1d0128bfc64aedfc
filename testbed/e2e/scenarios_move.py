"""Moves with their data: the application is on the other side, the side it left is frozen, and `finalize` takes that away."""
from __future__ import annotations

import json
from pathlib import Path

import copies
import manifests
import volumes
import world as worlds
from case import MOVE_SECONDS, Case, Cluster, Failure, expect, expect_exit, expect_message, expect_words, parse_json, scenario
from program import Result, TooSlow
from scenarios_copy import deploy, expect_told
from scenarios_dry_run import expect_plan_document, expect_untouched
from scenarios_failure import both_worlds, expect_failed

CLAIM = "data-db-0"


def deploy_with_data(case: Case, items: list[worlds.Object] | None = None, owner: int = 0) -> None:
    """The application with files of every sort in each of its claims."""
    deploy(case, items or manifests.stateful(case.ns))
    found = case.volumes(case.a)
    expect(bool(found), "the application has no volume")
    for folder in found.values():
        volumes.plant(folder, owner)


def run(case: Case, cluster: Cluster, script: str, ns: str = "") -> str:
    """In the application's own pod."""
    return cluster.kubectl("-n", ns or case.ns, "exec", "db-0", "--", "sh", "-c", script)


def finalize(case: Case, first: str = "A", second: str = "B", *args: str) -> Result:
    result = case.os2os("finalize", "--from", first, "--to", second, "-n", case.ns, "--yes", *args, home="elsewhere")
    expect_exit(result, 0)
    return result


def expect_gone(case: Case, cluster: Cluster, before: copies.Source) -> None:
    """Of the application nothing is left, and its folders are gone from the disk."""
    left: list[str] = []

    def gone() -> bool:
        now = copies.uids_in(worlds.capture(cluster.name, [case.ns], case.prefix, case.since), case.ns)
        left[:] = [key for key, uid in before.uids.items() if now.get(key) == uid]
        left.extend(str(folder) for folder in before.folders.values() if folder.exists())
        return not left
    try:
        case.wait("the application is gone", 60, gone)
    except TooSlow:
        raise Failure(f"left on {cluster.name}: {left}") from None


# --- there and back ---------------------------------------------------------------------------------------------------

@scenario("move", seconds=60, limit=360)
def move_with_data(case: Case) -> None:
    """B has the application and its data to the byte, A is frozen; `finalize` deletes what was moved, and nothing else."""
    told = case.folder / "told.json"
    deploy_with_data(case)
    before = copies.take(case)
    result = case.move("--on-switch", f"cat >'{told}'")
    expect_exit(result, 0)
    expect_words(result.out, [r"Ways in", rf"Service {case.ns}/web .*->", f"os2os finalize {result.id}"], result, "the result")
    expect_told(case, json.loads(told.read_text(encoding="utf-8")), case.ns)
    copies.expect_moved(case, before)
    expect(volumes.is_sparse(case.volumes(case.b)[CLAIM] / "sparse"), "the sparse file is no longer sparse on B")
    expect_offers_finalize(case, result.id)
    case.a.apply([manifests.config_map(case.ns, "late", a="1")])
    case.a.kubectl("-n", case.ns, "delete", "configmap", "settings")
    case.a.apply([manifests.config_map(case.ns, "settings", mine="1")])
    finalize(case)
    expect_gone(case, case.a, before)
    copies.expect_tombstone(case.a, case.ns, "source", "DONE")
    for name in ("late", "settings"):
        expect(case.a.get("configmap", name, case.ns) is not None, f"finalize deleted ConfigMap {name}, which was not moved")
    copies.expect_arrived(case, before)
    expect_exit(case.os2os("finalize", "--from", "A", "--to", "B", "-n", case.ns, "--yes"), 0, 4)


def expect_offers_finalize(case: Case, id: str) -> None:
    found = case.state()
    if found is None:
        raise Failure("status does not list the move")
    expect(found["state"] == "DONE" and f"os2os finalize {id}" in found.get("next", ""), f"status says {found}")
    text = case.os2os("status", "--from", "A", "--to", "B", "-n", case.ns)
    expect_words(text.out, [f"{id}.*DONE", "finalize", f"{id}: A has been frozen for"], text, "status")


@scenario("move", "heavy", seconds=150, limit=600)
def there_and_back_and_there_again(case: Case) -> None:
    """Data change on each side before they travel on; each side is emptied before the next move comes back to it."""
    deploy_with_data(case)
    sides = (case.a, case.b)
    for turn in range(3):
        here, there = sides[turn % 2], sides[(turn + 1) % 2]
        run(case, here, f"cd /data; echo turn {turn} >>turns; rm -f zz; echo {turn} >turn-{turn}; chmod 60{turn} turn-{turn}")
        before = copies.take(case, here)
        expect_exit(case.move("--from", here.name, "--to", there.name), 0)
        copies.expect_arrived(case, before, there)
        expect(not here.items("pods", case.ns), f"{here.name} still has pods")
        finalize(case, here.name, there.name)
        expect_gone(case, here, before)
    expect(run(case, case.b, "cat /data/turns") == "turn 0\nturn 1\nturn 2\n", "a turn is missing in the data")


@scenario("move", "heavy", seconds=50, limit=300)
def move_within_a_cluster(case: Case) -> None:
    """A = B: into another namespace, with data."""
    target = case.ns + "-two"
    deploy_with_data(case)
    before = copies.take(case)
    expect_exit(case.move("--to", "A", "--to-namespace", target), 0)
    copies.expect_moved(case, before, case.a, target)
    result = case.os2os("finalize", "--from", "A", "--to", "A", "-n", case.ns, "--yes")
    expect_exit(result, 0)
    expect_gone(case, case.a, before)
    copies.expect_arrived(case, before, case.a, target)


@scenario("move", "heavy", seconds=50, limit=300)
def move_through_this_machine(case: Case) -> None:
    """--relay: as well as straight."""
    deploy_with_data(case)
    before = copies.take(case)
    expect_exit(case.move("--relay", "--no-watchdog", "-o", "json"), 0)
    document = parse_json(case.last) if case.last else {}
    expect(document["end"] == "Done" and bool(document["waysIn"]), f"it says {document}")
    copies.expect_moved(case, before)


# --- copies with data -------------------------------------------------------------------------------------------------

@scenario("move", "heavy", "copy", seconds=50, limit=300)
def copy_with_data(case: Case) -> None:
    """A stands still for the last difference only, and is exactly as before."""
    deploy_with_data(case)
    before, source = case.world(case.a), copies.take(case)
    expect_exit(case.migrate(seconds=MOVE_SECONDS), 0)
    copies.expect_arrived(case, source)
    case.expect_same(before, case.a)
    copies.expect_tombstone(case.a, case.ns, "source", "DONE")


@scenario("move", "copy", seconds=50, limit=300)
def copy_of_one_that_writes(case: Case) -> None:
    """B has every line that was written before the freeze and none that was written after it; A writes on."""
    deploy(case, manifests.stateful(case.ns, manifests.WRITE))
    log = case.volumes(case.a)[CLAIM] / "log"
    case.wait("A writes", 20, lambda: log.exists() and log.stat().st_size > 0)
    expect_exit(case.migrate(seconds=MOVE_SECONDS), 0)
    there = case.volumes(case.b)[CLAIM] / "log"
    case.wait("both write", 30, lambda: len(by_life(log)) == 2 and len(by_life(there)) == 2)
    on_a, on_b = by_life(log), by_life(there)
    first, second = list(on_a)
    expect(list(on_b)[0] == first and second not in on_b, f"lives on A {list(on_a)}, on B {list(on_b)}")
    expect(on_a[first] == on_b[first], f"{len(on_a[first])} lines were written before the freeze, B has {len(on_b[first])}")
    expect(on_a[first] == [str(number + 1) for number in range(len(on_a[first]))], "A lost lines of its own")


def by_life(log: Path) -> dict[str, list[str]]:
    """Whole lines, by the pod that wrote them, in their order."""
    found: dict[str, list[str]] = {}
    for line in log.read_text(encoding="ascii").split("\n")[:-1]:
        pod, _, number = line.partition(" ")
        found.setdefault(pod, []).append(number)
    return found


# --- beside others ----------------------------------------------------------------------------------------------------

@scenario("move", seconds=60, limit=360)
def move_beside_a_neighbour(case: Case) -> None:
    """-l: who shares the namespace notices nothing, so the frozen one is watched; `finalize` leaves the neighbour alone too."""
    theirs = manifests.neighbour(case.ns)
    deploy_with_data(case, [*manifests.stateful(case.ns), *theirs])
    pods, log = their_pods(case), case.volumes(case.a)["theirs"] / "log"
    keys = {worlds.key_of(item) for item in theirs}
    before = own(copies.take(case), keys)
    lines = len(log.read_text().splitlines()) if log.exists() else 0
    result = case.move("-l", "app.kubernetes.io/part-of=mini")
    expect_exit(result, 0)
    expect_words(result.err, ["only watched"], result, "the plan")
    copies.expect_arrived(case, before)
    expect(their_pods(case) == pods, f"the neighbour's pods were {pods}, are {their_pods(case)}")
    case.os2os("finalize", "--from", "A", "--to", "B", "-n", case.ns, "--yes")
    expect_gone(case, case.a, before)
    expect(their_pods(case) == pods, "finalize touched the neighbour's pods")
    for key in sorted(keys):
        kind, _, name = key.partition(" ")
        expect(case.a.get(kind, name.partition("/")[2], case.ns) is not None, f"finalize took the neighbour's {key}")
    written = by_life(log)
    expect(len(written) == 1 and len(log.read_text().splitlines()) > lines, f"the neighbour stopped writing: {list(written)}")


def their_pods(case: Case) -> list[tuple[str, int, str]]:
    found = case.a.items("pods", case.ns, "-l", "app=theirs")
    return [(pod["metadata"]["uid"], pod["status"]["containerStatuses"][0]["restartCount"], pod["status"]["phase"])
            for pod in found]


def own(source: copies.Source, others: set[str]) -> copies.Source:
    """Without what is not the application's."""
    objects = {key: item for key, item in source.objects.items() if key not in others}
    ready = {key: count for key, count in source.ready.items() if key not in others}
    volume = {key for key in source.uids if key.startswith("PersistentVolume ")}
    uids = {key: uid for key, uid in source.uids.items() if key not in others and key not in volume}
    files = {claim: tree for claim, tree in source.files.items() if claim != "theirs"}
    return copies.Source(objects, ready, uids, files, {claim: source.folders[claim] for claim in files})


@scenario("move", "heavy", seconds=60, limit=360)
def move_of_shared_and_of_idle_claims(case: Case) -> None:
    """Two replicas that mount one RWO claim, and a claim whose only user is scaled to 0; watched instead of guarded."""
    deploy_with_data(case, manifests.shared(case.ns))
    case.a.kubectl("-n", case.ns, "delete", "deployment", "former", "--cascade=foreground")
    before = copies.take(case)
    result = case.move("--guard=watch")
    expect_exit(result, 0)
    expect_words(result.err, ["--guard=watch"], result, "the plan")
    copies.expect_moved(case, before)


# --- what goes wrong --------------------------------------------------------------------------------------------------

@scenario("move", "failure", seconds=50, limit=300)
def move_whose_check_fails(case: Case) -> None:
    """A serves again with the same data, exactly as before; then the same move goes through."""
    deploy_with_data(case)
    before = both_worlds(case)
    result = case.move("--check", "exit 7")
    expect_failed(case, result, before, "check", "status 7")
    expect_words(result.out, ["A serves again"], result, "the result")
    source = copies.take(case)
    expect_exit(case.move(), 0)
    copies.expect_arrived(case, source)


@scenario("move", "heavy", "failure", seconds=90, limit=300)
def move_of_files_of_somebody_else(case: Case) -> None:
    """Files that the application's own user may not read: said with the remedy, and undone; with the remedy it works."""
    user = {"runAsUser": 1000, "runAsGroup": 1000}
    deploy_with_data(case, manifests.stateful(case.ns, securityContext=user))
    before, source = both_worlds(case), copies.take(case)
    expect_failed(case, case.move(), before, CLAIM, "--mover-as-root")
    expect_exit(case.move("--mover-as-root"), 0)
    copies.expect_moved(case, source)


# --- plans ------------------------------------------------------------------------------------------------------------

@scenario("move", "dry-run", seconds=25)
def dry_run_of_a_move(case: Case) -> None:
    """It says what guards the freeze and what ends it, and changes nothing."""
    deploy_with_data(case)
    before = both_worlds(case)
    text = case.move("--dry-run")
    expect_exit(text, 0)
    expect_words(text.out, [r"^Plan: .* 1 volumes? ", "quota", "watchdog|a Job in A", "freeze", "final"], text, "the plan")
    plan = expect_plan_document(case.move("--dry-run", "-o", "json"))
    checks = {finding["check"] for finding in plan["findings"]}
    expect({"guard", "watchdog", "volumes"} <= checks, f"the findings are about {sorted(checks)}")
    names = [step["name"] for step in plan["steps"]]
    wanted = ["mover", "copy", "watchdog", "retain", "pause", "freeze", "final"]
    expect([name for name in wanted if name not in names] == [] and "thaw" not in names, f"the steps are {names}")
    expect_untouched(case, before)


@scenario("move", "refusal", seconds=20)
def bare_pod_blocks_a_move(case: Case) -> None:
    """What no controller makes again can't be given back: refused, with what else could be done; nothing is changed."""
    pod = manifests.make("Pod", "alone", case.ns, spec=manifests.pod_template({})["spec"])
    deploy(case, [*manifests.small(case.ns), pod])
    case.wait("the pod runs", 40, lambda: case.a.ready(case.ns).get(f"Pod {case.ns}/alone") == 1)
    before = both_worlds(case)
    result = case.move()
    expect_exit(result, 4)
    expect_message(result, f"Pod {case.ns}/alone", "--exclude Pod|--mode copy")
    expect_untouched(case, before)
