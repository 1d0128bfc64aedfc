"""The bad days of a move: whatever happens, one side serves in the end, nothing that was acknowledged is lost, and nothing is
accepted by both. PostgreSQL and its front are under the ledger's load all the time.

Those that break a cluster are in scenarios_bad_outages.py.
"""
from __future__ import annotations

import json
import shlex
import signal
from typing import Callable

import manifests
from case import Case, Cluster, expect, expect_exit, expect_refusal, expect_words, register, scenario
from ledger import DATABASE, FRONT, OWN_LABEL, WAY_IN, Load, expect_failed, serving_pods, shop
from program import Running
from world import Object, World

MEBIBYTES_TO_COPY = 256  # long enough on the way that something can happen meanwhile
ENDS_SOON = ("--freeze-timeout", "20s")
ENDS_LATER = ("--freeze-timeout", "45s")  # what comes after B's start, on a busy machine
HELD_SECONDS = 40
REACHED_SECONDS = 150  # until a fault point of the freeze, on a busy machine
ENDED_SECONDS = 180


@scenario("move", "ledger", seconds=90, limit=360)
def move_under_load(case: Case) -> None:
    load = Load(case)
    load.deploy()
    result = load.move()
    expect_exit(result, 0)
    load.expect_moved(result)


# --- what B does not like ---------------------------------------------------------------------------------------------

@scenario("bad-day", seconds=90, limit=420)
def check_that_fails_after_the_move(case: Case) -> None:
    """B is ready with the moved data, and the user does not like it."""
    load = Load(case)
    before = load.deploy()
    result = load.move("--check", "echo not like this >&2; exit 7")
    expect_failed(result, "status 7")
    load.expect_undone(before, result)


def only_ready_in(case: Case, cluster: Cluster, items: list[Object]) -> list[Object]:
    """The front is ready only where its authority is this cluster's."""
    authority = cluster.get("configmap", "kube-root-ca.crt", case.ns)
    expect(authority is not None, f"{cluster.name} has no authority")
    assert authority is not None
    line = authority["data"]["ca.crt"].splitlines()[-2]
    command = ["grep", "-qF", "--", line, "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt"]
    for item in items:
        if item["kind"] == "Deployment":
            probe = item["spec"]["template"]["spec"]["containers"][0]["readinessProbe"]
            probe.pop("httpGet")
            probe["exec"] = {"command": command}
    return items


@scenario("bad-day", seconds=100, limit=420)
def pod_that_is_never_ready_with_the_moved_data(case: Case) -> None:
    load = Load(case)
    case.a.create_namespace(case.ns, seconds=90)
    before = load.deploy(only_ready_in(case, case.a, shop(case)))
    result = load.move("--start-timeout", "12s")
    expect_failed(result, "--start-timeout", f"{case.ns}/{FRONT}")
    load.expect_undone(before, result)


def quota(ns: str, **hard: str) -> Object:
    return manifests.make("ResourceQuota", "limits", ns, spec={"hard": {name.replace("_", "."): value for name, value in hard.items()}})


@scenario("bad-day", seconds=60, limit=360)
def quota_of_b_too_small_from_the_start(case: Case) -> None:
    """Refused before anything is changed: A does not stop at all."""
    load = Load(case)
    case.b.create_namespace(case.ns)
    case.b.apply([quota(case.ns, requests_storage="100Mi")])
    before = load.deploy()
    result = load.move()
    expect_refusal(result, (1, 4), "quota|requests.storage")
    load.expect_never_stopped()
    load.expect_undone(before, target_is_new=False)


def quota_that_shrinks(fault: str, stops: bool, **hard: str) -> Callable[[Case], None]:
    """Somebody makes B's quota too small while the move is under way."""
    def run(case: Case) -> None:
        load = Load(case)
        case.b.create_namespace(case.ns)
        before = load.deploy()
        running = load.start("--start-timeout", "20s", fault=f"{fault}=stop")
        running.wait_stopped(case.left(REACHED_SECONDS))
        case.b.apply([quota(case.ns, **hard)])
        running.signal(signal.SIGCONT)
        result = case.finish(running, ENDED_SECONDS)
        case.b.kubectl("-n", case.ns, "delete", "resourcequota", "limits")
        expect_failed(result, "quota")
        if not stops:
            load.expect_never_stopped()
        load.expect_undone(before, result, target_is_new=False)
    return run


register("quota-of-b-shrinks-before-its-claims", quota_that_shrinks("create.before", False, persistentvolumeclaims="0"),
         "bad-day", seconds=80, limit=420)
register("quota-of-b-shrinks-before-its-movers", quota_that_shrinks("mover.before", False, pods="0"), "bad-day", seconds=80, limit=420)
register("quota-of-b-shrinks-before-its-start", quota_that_shrinks("start.before", True, pods="0"), "bad-day", seconds=80, limit=420)


# --- movers -----------------------------------------------------------------------------------------------------------

def movers(cluster: Cluster, ns: str) -> list[Object]:
    """Pods of os2os that hold the application's claims."""
    def holds_claim(pod: Object) -> bool:
        return any("persistentVolumeClaim" in volume for volume in pod["spec"].get("volumes", []))
    return [pod for pod in cluster.items("pods", ns, "-l", "os2os.io/txn") if holds_claim(pod)]


def are_ready(pods: list[Object]) -> bool:
    return bool(pods) and all(pod["status"].get("phase") == "Running" for pod in pods)


def kill_movers(case: Case, cluster: Cluster) -> None:
    names = [pod["metadata"]["name"] for pod in movers(cluster, case.ns)]
    expect(bool(names), f"there is no mover on {cluster.name}")
    case.note(f"killing {names} on {cluster.name}")
    cluster.kubectl("-n", case.ns, "delete", "pod", "--force", "--grace-period=0", *names)


def add_bulk(case: Case, mebibytes: int = MEBIBYTES_TO_COPY) -> None:
    """Something beside the database on its volume, so that the first round takes a while."""
    case.a.kubectl("-n", case.ns, "exec", f"{DATABASE}-0", "--", "sh", "-c",
                   f"head -c {mebibytes}M /dev/urandom > /var/lib/postgresql/data/bulk", seconds=60)


def mover_killed_in_pre_copy(side: str) -> Callable[[Case], None]:
    """While A serves a mover is no loss: the migration goes on with another, and goes through."""
    def run(case: Case) -> None:
        load = Load(case)
        load.deploy()
        add_bulk(case)
        running = load.start()
        running.wait_phase("copy", case.left(60))
        running.wait_for("straight from|through this machine|relay", case.left(60))
        kill_movers(case, case.a if side == "A" else case.b)
        result = case.finish(running, ENDED_SECONDS)
        expect_exit(result, 0)
        load.expect_moved(result)
    return run


def mover_killed_in_the_final_round(side: str) -> Callable[[Case], None]:
    """Undone: A must not stand still for as long as a new mover takes."""
    def run(case: Case) -> None:
        load = Load(case)
        before = load.deploy()
        running = load.start(fault="final.before=stop")
        running.wait_stopped(case.left(REACHED_SECONDS))
        kill_movers(case, case.a if side == "A" else case.b)
        running.signal(signal.SIGCONT)
        result = case.finish(running, ENDED_SECONDS)
        expect_failed(result, "mover|connection|session|stream")
        load.expect_undone(before, result)
    return run


for _side in ("A", "B"):
    register(f"mover-on-{_side.lower()}-killed-in-pre-copy", mover_killed_in_pre_copy(_side), "bad-day", seconds=120, limit=360)
    register(f"mover-on-{_side.lower()}-killed-in-the-final-round", mover_killed_in_the_final_round(_side), "bad-day",
             seconds=80, limit=420)


# --- a pod that will not stop -----------------------------------------------------------------------------------------

@scenario("bad-day", seconds=90, limit=420)
def pod_that_is_held_by_a_finalizer(case: Case) -> None:
    """The front's pod stays, and what ran in it has ended: it holds nobody up."""
    load = Load(case)
    load.deploy()
    held = serving_pods_of(case, FRONT)[0]
    patch_finalizers(case, held, ["e2e.example/hold"])
    try:
        result = load.move("--stop-timeout", "30s")
        expect_exit(result, 0)
        expect(case.a.get("pod", held, case.ns) is not None, f"pod '{held}' is gone, although a finalizer holds it")
    finally:
        patch_finalizers(case, held, None)
    load.expect_moved(result)


def serving_pods_of(case: Case, app: str) -> list[str]:
    return [pod["metadata"]["name"] for pod in case.a.items("pods", case.ns, "-l", f"app={app}")]


def patch_finalizers(case: Case, pod: str, finalizers: list[str] | None) -> None:
    case.a.kubectl("-n", case.ns, "patch", "pod", pod, "--type=merge", "-p", json.dumps({"metadata": {"finalizers": finalizers}}))


def deaf_sidecar(items: list[Object], app: str) -> list[Object]:
    """A container beside the app's that does not hear SIGTERM."""
    for item in items:
        if item["kind"] in ("Deployment", "StatefulSet") and item["metadata"]["name"] == app:
            spec = item["spec"]["template"]["spec"]
            spec["terminationGracePeriodSeconds"] = HELD_SECONDS
            spec["containers"].append({"name": "deaf", "image": manifests.image("busybox:1"),
                                       "command": ["sh", "-c", "trap '' TERM; while :; do sleep 1; done"],
                                       "securityContext": {"runAsUser": 999}})
    return items


def pod_that_does_not_hear(app: str) -> Callable[[Case], None]:
    def run(case: Case) -> None:
        load = Load(case)
        case.a.create_namespace(case.ns, seconds=90)
        before = load.deploy(deaf_sidecar(shop(case), app))
        result = load.move("--stop-timeout", "6s", seconds=200)
        expect_failed(result, app)
        load.expect_undone(before, result)
    return run


register("front-that-will-not-stop", pod_that_does_not_hear(FRONT), "bad-day", seconds=90, limit=360)
register("database-that-will-not-stop", pod_that_does_not_hear(DATABASE), "bad-day", seconds=130, limit=400)


# --- the machine of os2os ---------------------------------------------------------------------------------------------

def killed_and_given_back_by_the_watchdog(fault: str) -> Callable[[Case], None]:
    """The machine burns in the freeze. A comes back without anybody's doing; B is cleaned when somebody comes."""
    def run(case: Case) -> None:
        load = Load(case)
        before = load.deploy()
        killed = load.move(*(ENDS_LATER if fault.startswith("decide") else ENDS_SOON), fault=f"{fault}=kill")
        expect(killed.code == -9, f"it was not killed at {fault}\n{killed.report()}")
        load.wait_silent(20)
        load.wait_acknowledged(90)
        result = case.repair("recover", killed.id)
        expect_exit(result, 0)
        load.expect_undone(before, killed)
    return run


def killed_and_recovered_at_once(fault: str) -> Callable[[Case], None]:
    def run(case: Case) -> None:
        load = Load(case)
        before = load.deploy()
        killed = load.move(fault=f"{fault}=kill")
        expect(killed.code == -9, f"it was not killed at {fault}\n{killed.report()}")
        result = case.repair("recover")
        expect_exit(result, 0)
        expect_words(result.out, ["Undone"], result, "the result")
        load.expect_undone(before, killed)
    return run


def killed_after_the_decision(fault: str, verb: str) -> Callable[[Case], None]:
    """A stays frozen, and B is opened by whoever comes; --on-switch is told the ways in, or is not told again."""
    def run(case: Case) -> None:
        load = Load(case)
        load.deploy()
        killed = load.move(fault=f"{fault}=kill")
        expect(killed.code == -9, f"it was not killed\n{killed.report()}")
        expect_exit(case.repair(verb, killed.id), 0)
        load.expect_moved(killed)
    return run


for _fault in ("freeze.after", "final.before", "start.before", "decide.before"):
    _place = _fault.replace(".", "-")
    register(f"killed-at-{_place}-given-back-by-the-watchdog", killed_and_given_back_by_the_watchdog(_fault), "bad-day",
             seconds=100, limit=360)
    register(f"killed-at-{_place}-recovered-at-once", killed_and_recovered_at_once(_fault), "bad-day", seconds=80, limit=420)
register("killed-after-the-decision-then-resume", killed_after_the_decision("open.before", "resume"), "bad-day", seconds=90, limit=420)
register("killed-before-the-end-then-recover", killed_after_the_decision("finish.before", "recover"), "bad-day", seconds=90, limit=420)


def stopped_and_woken(fault: str) -> Callable[[Case], None]:
    """Somebody else undoes it meanwhile. The first process wakes up and must neither start B nor stop A."""
    def run(case: Case) -> None:
        load = Load(case)
        before = load.deploy()
        first = load.start(fault=f"{fault}=stop")
        first.wait_stopped(case.left(REACHED_SECONDS))
        expect_exit(case.repair("recover"), 0)
        load.wait_acknowledged()
        first.signal(signal.SIGCONT)
        woken = case.finish(first, ENDED_SECONDS)
        expect_exit(woken, 3)
        expect_words(woken.out + woken.err, ["taken over"], woken, "the output")
        load.expect_undone(before, woken)
    return run


for _fault in ("freeze.before", "final.before", "start.before", "decide.before"):
    register(f"stopped-at-{_fault.replace('.', '-')}-and-woken", stopped_and_woken(_fault), "bad-day", seconds=90, limit=420)


@scenario("bad-day", seconds=90, limit=420)
def stopped_longer_than_the_watchdog_waits(case: Case) -> None:
    """The watchdog takes A back while the process sleeps just before the decision; woken, it may not decide."""
    load = Load(case)
    before = load.deploy()
    first = load.start(*ENDS_LATER, fault="decide.before=stop")
    first.wait_stopped(case.left(REACHED_SECONDS))
    load.wait_acknowledged(90)
    first.signal(signal.SIGCONT)
    woken = case.finish(first, ENDED_SECONDS)
    expect_exit(woken, 1, 3)
    if woken.code == 3:
        expect_exit(case.repair("recover"), 0)
    load.expect_undone(before, woken)


@scenario("bad-day", "signal", seconds=80, limit=420)
def interrupted_in_the_freeze(case: Case) -> None:
    load = Load(case)
    before = load.deploy()
    running = load.start(fault="final.before=stop")
    running.wait_stopped(case.left(REACHED_SECONDS))
    running.signal(signal.SIGINT)
    running.signal(signal.SIGCONT)
    result = case.finish(running, ENDED_SECONDS)
    expect_failed(result, code=128 + signal.SIGINT)
    load.expect_undone(before, result)


@scenario("bad-day", seconds=90, limit=420)
def two_moves_at_once(case: Case) -> None:
    """The second is told so, and changes nothing; the first goes through."""
    load = Load(case)
    load.deploy()
    first = load.start(fault="copy.before=stop")
    first.wait_stopped(case.left(REACHED_SECONDS))
    second = load.move(home="elsewhere")
    expect_refusal(second, 4)
    first.signal(signal.SIGCONT)
    result = case.finish(first, ENDED_SECONDS)
    expect_exit(result, 0)
    load.expect_moved(result)


# --- people -----------------------------------------------------------------------------------------------------------

class Gate:
    """A check that says when it has begun, and passes when it may."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.begun, self.open = case.folder / "check-begun", case.folder / "check-open"

    def option(self) -> list[str]:
        begun, opened = shlex.quote(str(self.begun)), shlex.quote(str(self.open))
        return ["--check", f"touch {begun}; while [ ! -e {opened} ]; do sleep 0.2; done"]

    def wait(self, running: Running) -> None:
        self.case.wait("the check has begun", REACHED_SECONDS, lambda: self.begun.exists() or running.process.poll() is not None)
        expect(self.begun.exists(), f"it ended before its check\n{running.stderr()}")
        self.expect_closed()

    def expect_closed(self) -> None:
        """B runs, but nobody from outside gets in; A has no pod that could be reached."""
        case = self.case
        service = case.b.get("service", WAY_IN, case.ns)
        expect(service is not None and service["spec"]["type"] == "ClusterIP", f"a way in to B is open before the decision: {service}")
        expect(serving_pods(case.a, case.ns) == [], "A has pods while B runs")

    def let_pass(self) -> None:
        self.open.touch()


def scale(case: Case, name: str, replicas: int) -> None:
    case.a.kubectl("-n", case.ns, "scale", name, f"--replicas={replicas}")


def scaled_up_during_the_freeze(guard: str) -> Callable[[Case], None]:
    """Somebody wants A's front back while B is being tried. Undone or done, never both."""
    def run(case: Case) -> None:
        load = Load(case)
        before = load.deploy()
        gate = Gate(case)
        running = load.start(f"--guard={guard}", *gate.option())
        gate.wait(running)
        scale(case, f"deployment/{FRONT}", 1)
        if guard == "watch":
            case.wait("a pod of A appears", 30, lambda: serving_pods(case.a, case.ns))
        else:
            case.wait("its controller has tried", 30, lambda: quota_was_hit(case))
            expect(serving_pods(case.a, case.ns) == [], "the guard let a pod pass")
        gate.let_pass()
        result = case.finish(running, ENDED_SECONDS)
        if result.code == 0:
            expect(guard == "quota", f"B was opened although A had pods again\n{result.report()}")
            load.expect_moved(result)
            return
        expect_failed(result, "changed|pod")
        keep_mark_of_scaling(case, before[0])
        load.expect_undone(before, result)
    return run


def keep_mark_of_scaling(case: Case, before: World) -> None:
    """That somebody scaled it was no doing of os2os, and is still told."""
    mark, key = "kubectl Update apps/v1 scale", f"Deployment.apps {case.ns}/{FRONT}"
    now = case.world(case.a)["objects"][key]["metadata"]["managedFields"]
    if mark in now:
        before["objects"][key]["metadata"]["managedFields"][mark] = now[mark]


def quota_was_hit(case: Case) -> bool:
    """The ReplicaSet says that it may not make a pod."""
    sets = case.a.items("replicasets", case.ns)
    conditions = [condition for item in sets for condition in item["status"].get("conditions", [])]
    return any(condition["type"] == "ReplicaFailure" and condition["status"] == "True" for condition in conditions)


register("scaled-up-during-the-freeze-under-quota", scaled_up_during_the_freeze("quota"), "bad-day", seconds=90, limit=420)
register("scaled-up-during-the-freeze-under-watch", scaled_up_during_the_freeze("watch"), "bad-day", seconds=90, limit=420)


@scenario("bad-day", seconds=90, limit=420)
def neighbour_that_must_not_notice(case: Case) -> None:
    """Another application of the namespace is not selected: its pods are the same before, during and after an undone move."""
    load = Load(case)
    neighbours = [manifests.workload("Deployment", case.ns, "neighbour", 2),
                  manifests.stateful_set(case.ns, "neighbour-set"), manifests.config_map(case.ns, "neighbour", a="1")]
    before = load.deploy(others=neighbours)
    pods = neighbour_pods(case)
    gate = Gate(case)
    running = load.start("-l", OWN_LABEL, *gate.option(), "--check", "exit 3")
    gate.wait(running)
    expect(neighbour_pods(case) == pods, "the neighbour's pods are others during the freeze")
    victim = next(pod for pod in case.a.items("pods", case.ns) if pod["metadata"]["uid"] in pods)
    case.a.kubectl("-n", case.ns, "delete", "pod", victim["metadata"]["name"], "--wait=false")
    case.wait("the neighbour has a new pod", 40, lambda: len(neighbour_pods(case) - pods) == 1)
    pods = neighbour_pods(case)
    gate.let_pass()
    result = case.finish(running, ENDED_SECONDS)
    expect_failed(result, "status 3")
    load.expect_undone(before, result)
    expect(neighbour_pods(case) == pods, "the neighbour's pods are others after the undo")


def neighbour_pods(case: Case) -> set[str]:
    return {pod["metadata"]["uid"] for pod in case.a.items("pods", case.ns)
            if pod["metadata"]["name"].startswith("neighbour") and is_up(pod)}


def is_up(pod: Object) -> bool:
    states = pod["status"].get("containerStatuses", [])
    return "deletionTimestamp" not in pod["metadata"] and bool(states) and all(
        state["ready"] and state["restartCount"] == 0 for state in states)
