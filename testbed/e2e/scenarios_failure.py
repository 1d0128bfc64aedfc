"""What fails on the way is undone: both sides are as before, by I5."""
from __future__ import annotations

import json
import re
import signal
import time

import copies
import manifests
from case import Case, expect, expect_exit, expect_message, expect_words, parse_json, scenario
from program import Result
from scenarios_copy import deploy
from world import Object, World


def both_worlds(case: Case) -> tuple[World, World]:
    return case.world(case.a), case.world(case.b)


def deploy_gated(case: Case) -> tuple[World, World]:
    """An application that is ready on A and never becomes ready on B."""
    case.a.create_namespace(case.ns)
    case.a.apply(manifests.gated(case.ns))
    open_gates(case, "A")
    case.a.wait_ready(case.ns)
    return both_worlds(case)


def open_gates(case: Case, context: str) -> None:
    """Say of the pods what only somebody outside can say: they may be used."""
    cluster = case.a if context == "A" else case.b
    case.wait("there is a pod", 30, lambda: cluster.items("pods", case.ns))
    patch = f'{{"status": {{"conditions": [{{"type": "{manifests.GATE}", "status": "True"}}]}}}}'
    for pod in cluster.items("pods", case.ns):
        cluster.kubectl("-n", case.ns, "patch", "pod", pod["metadata"]["name"], "--subresource=status", "-p", patch)


def expect_failed(case: Case, result: Result, before: tuple[World, World], *words: str, code: int = 1, new: bool = True) -> None:
    """It failed with its reason, says that all is undone, and it is."""
    expect_exit(result, code)
    if words:
        expect_message(result, *words)
    expect_words(result.out, ["Undone", "undone|as before"], result, "the result")
    copies.expect_undone(case, *before, target_is_new=new)
    copies.expect_tombstone(case.a, case.ns, "source", "ABORTED")
    if not new:
        copies.expect_tombstone(case.b, case.ns, "target", "ABORTED")


# --- pods -------------------------------------------------------------------------------------------------------------

@scenario("failure", seconds=35)
def image_that_can_not_be_pulled(case: Case) -> None:
    """Given up long before the time-out, since waiting would not help; the image is named."""
    case.a.create_namespace(case.ns)
    case.a.apply(manifests.unpullable(case.ns))
    case.a.wait_ready(case.ns)
    case.a.apply([manifests.spoil(manifests.unpullable(case.ns)[0])])
    before = both_worlds(case)
    result = case.migrate("--start-timeout", "90s")
    expect_failed(case, result, before, "no-such-image:1", "pull", f"StatefulSet {case.ns}/web|pod 'web-0'")
    expect(result.seconds < 60, f"it took {result.seconds:.0f} s")


@scenario("failure", seconds=40)
def pod_that_never_becomes_ready(case: Case) -> None:
    before = deploy_gated(case)
    result = case.migrate("--start-timeout", "15s")
    expect_failed(case, result, before, "--start-timeout", "15 s", f"{case.ns}/web|pod 'web-")


@scenario("failure", seconds=40)
def pod_that_never_becomes_ready_beside_other_objects(case: Case) -> None:
    """The undo takes what the transaction made, and leaves what was there."""
    case.b.create_namespace(case.ns)
    case.b.apply([manifests.config_map(case.ns, "neighbour", a="1"), manifests.workload("Deployment", case.ns, "other", 1)])
    case.b.wait_ready(case.ns)
    before = deploy_gated(case)
    result = case.migrate("--start-timeout", "12s", "-o", "json")
    expect_exit(result, 1)
    document = parse_json(result)
    expect(document["end"] == "Undone" and document["exitCode"] == 1 and "12 s" in document["error"]["message"], f"it says {document}")
    copies.expect_undone(case, *before, target_is_new=False)
    copies.expect_tombstone(case.b, case.ns, "target", "ABORTED")


@scenario("failure", seconds=45)
def claims_are_undone_with_their_volumes(case: Case) -> None:
    """A full application with a volume fails at the user's check: everything of it is gone from B, in cluster scope too."""
    deploy(case, manifests.full(case.ns, fixed_port=False))
    before = both_worlds(case)
    result = case.migrate("--volumes=empty", "--check", "exit 3")
    expect_failed(case, result, before, "exit 3", "status 3")
    case.wait("the volumes on B are gone", 40, lambda: not volumes_of(case))


def volumes_of(case: Case) -> list[str]:
    text = case.b.kubectl("get", "persistentvolumes", "-o", "jsonpath={range .items[*]}{.spec.claimRef.namespace}{'\\n'}{end}")
    return [line for line in text.splitlines() if line == case.ns]


@scenario("failure", seconds=25)
def check_that_fails_can_be_tried_again(case: Case) -> None:
    """After an undo the same migration goes through."""
    deploy(case, manifests.small(case.ns))
    before = both_worlds(case)
    result = case.migrate("--check", "echo it is not good enough >&2; exit 7")
    expect_failed(case, result, before, "check", "status 7")
    expect_exit(case.migrate("--check", "true"), 0)
    wanted = copies.application(case.a, case.ns, True)
    copies.expect_equal(wanted, copies.application(case.b, case.ns, True), case.b)
    case.expect_same(before[0], case.a)


# --- rules of the target ----------------------------------------------------------------------------------------------

def apply_policy(case: Case, condition: str) -> None:
    """Refuse Ingresses in the target namespace unless `condition` holds, and wait until the rule is in force."""
    probe_ns = f"{case.ns}-probe"
    items = manifests.refusal(f"{case.ns}-rule", case.ns, "ingresses", "networking.k8s.io", condition)
    case.b.create_namespace(probe_ns)
    items[0]["spec"]["matchConditions"][0]["expression"] = f"request.namespace in ['{case.ns}', '{probe_ns}']"
    case.b.apply(items)
    case.wait("the policy is in force", 30, lambda: not is_accepted(case, manifests.ingress(probe_ns, "probe", "web")))
    case.b.kubectl("delete", "namespace", probe_ns)


def is_accepted(case: Case, item: Object) -> bool:
    """Could it be created on B, in earnest? If so it is deleted again."""
    meta = item["metadata"]
    case.b.kubectl("create", "-f", "-", stdin=json.dumps(item), check=False)
    made = case.b.get(item["kind"], meta["name"], meta["namespace"])
    if made:
        case.b.kubectl("-n", meta["namespace"], "delete", item["kind"], meta["name"])
    return made is not None


@scenario("failure", seconds=30)
def late_object_that_is_refused(case: Case) -> None:
    """An Ingress is made only after the decision; that B refuses it is found out by the vote, before."""
    deploy(case, manifests.small(case.ns))
    apply_policy(case, "false")
    before = both_worlds(case)
    result = case.migrate()
    expect_failed(case, result, before, "not wanted here", f"Ingress {case.ns}/web")


@scenario("failure", seconds=40)
def late_object_that_is_refused_after_the_decision(case: Case) -> None:
    """The rule lets dry runs pass. Then it is decided, and can't be finished: exit 6; with the rule gone `resume` finishes."""
    deploy(case, manifests.small(case.ns))
    before = case.world(case.a)
    apply_policy(case, "has(request.dryRun) && request.dryRun")
    result = case.migrate()
    expect_exit(result, 6)
    expect_message(result, "not wanted here", f"Ingress.*{case.ns}/web|Ingress 'web'")
    expect_words(result.out, ["Committed", f"os2os resume {result.id}"], result, "the result")
    again = case.repair("resume", result.id, "--lost-timeout", "10s")
    expect_exit(again, 6)
    case.b.kubectl("delete", "validatingadmissionpolicybinding", f"{case.ns}-rule")
    case.b.kubectl("delete", "validatingadmissionpolicy", f"{case.ns}-rule")
    finish_when_allowed(case, result.id)
    copies.expect_whole(case)
    case.expect_same(before, case.a)


def finish_when_allowed(case: Case, id: str) -> None:
    """The server forgets a policy within seconds, not at once."""
    case.wait("resume finishes", 30, lambda: case.repair("resume", id).code == 0)


@scenario("failure", seconds=25)
def node_port_that_is_taken(case: Case) -> None:
    """A node port that the user chose is a way in, and B has given it away: found out before the decision, never after it."""
    case.a.create_namespace(case.ns)
    port = {"name": "http", "port": 80, "targetPort": 8080, "nodePort": manifests.TAKEN_NODE_PORT}
    front = manifests.make("Service", "front", case.ns, spec={"type": "NodePort", "selector": {"app": "web"}, "ports": [port]})
    case.a.apply([manifests.workload("Deployment", case.ns, "web", 1), front])
    case.a.wait_ready(case.ns)
    other = case.b.create_namespace(case.ns + "-other")
    front["metadata"]["namespace"] = other
    case.b.apply([front])
    before = both_worlds(case)
    result = case.migrate()
    expect_exit(result, 1, 4)
    expect_message(result, f"Service.*{case.ns}/front|Service 'front'", str(manifests.TAKEN_NODE_PORT))
    copies.expect_undone(case, *before)


@scenario("failure", seconds=30)
def switch_command_that_fails(case: Case) -> None:
    """--on-switch runs after the decision: B has the application, exit 6, resume runs it again."""
    deploy(case, manifests.small(case.ns))
    before = case.world(case.a)
    flag = case.folder / "dns-is-up"
    result = case.migrate("--on-switch", f"test -e '{flag}'")
    expect_exit(result, 6)
    expect_message(result, "on-switch", "status 1")
    flag.touch()
    expect_exit(case.repair("resume"), 0)
    copies.expect_whole(case)
    case.expect_same(before, case.a)


# --- interrupted ------------------------------------------------------------------------------------------------------

def interrupt_in_prepare(case: Case, number: signal.Signals) -> None:
    deploy(case, manifests.small(case.ns))
    before = both_worlds(case)
    running = case.start(*case.migration(), fault="create.before:2=stop")
    running.wait_stopped(case.left(40))
    running.signal(number)
    running.signal(signal.SIGCONT)
    expect_failed(case, case.finish(running), before, code=128 + number)


def interrupt_in_start(case: Case, number: signal.Signals, times: int) -> None:
    before = deploy_gated(case)
    running = case.start(*case.migration())
    running.wait_phase("start", case.left(40))
    case.wait("B starts", 30, lambda: case.b.items("pods", case.ns))
    for _ in range(times):
        running.signal(number)
        time.sleep(0.3)
    expect_failed(case, case.finish(running), before, code=128 + number)


@scenario("failure", "signal", seconds=20)
def interrupted_in_prepare(case: Case) -> None:
    interrupt_in_prepare(case, signal.SIGINT)


@scenario("failure", "signal", seconds=25)
def interrupted_in_start(case: Case) -> None:
    interrupt_in_start(case, signal.SIGINT, 1)


@scenario("failure", "signal", seconds=25)
def interrupted_twice_in_start(case: Case) -> None:
    """The second Ctrl-C is answered by a word of patience: an undo that has begun is finished."""
    interrupt_in_start(case, signal.SIGINT, 2)


@scenario("failure", "signal", seconds=25)
def terminated_in_start(case: Case) -> None:
    interrupt_in_start(case, signal.SIGTERM, 1)


@scenario("failure", "signal", seconds=30)
def canceled_from_elsewhere(case: Case) -> None:
    """`cancel` on another machine: the process that runs the migration undoes it; both say so."""
    before = deploy_gated(case)
    running = case.start(*case.migration())
    running.wait_phase("start", case.left(40))
    cancel = case.repair("cancel")
    expect_exit(cancel, 0)
    expect_words(cancel.out, ["Undone", "its process undid everything"], cancel, "the result of cancel")
    first = case.finish(running)
    expect_failed(case, first, before, "cancel")
    expect(re.search("canceled|cancelled", first.err) is not None, f"it does not say why it ended\n{first.report()}")


@scenario("failure", "signal", seconds=30)
def canceled_after_the_process_died(case: Case) -> None:
    """Nobody is left to undo it: `cancel` does so itself."""
    before = deploy_gated(case)
    running = case.start(*case.migration())
    running.wait_phase("start", case.left(40))
    running.kill()
    running.finish(case.left(5))
    expect_exit(case.repair("cancel", seconds=80), 0)
    copies.expect_undone(case, *before)
