"""Copies that succeed."""
from __future__ import annotations

import json
import os
import re
import subprocess

import copies
import manifests
import world as worlds
from case import Case, Failure, expect, expect_exit, parse_json, scenario
from program import ROOT

PLAN_LINE = r"^Plan: \d+ to create, \d+ to change, \d+ to delete, \d+ volumes \([^)]*\), downtime [^\n]*\.$"


def deploy(case: Case, items: list[worlds.Object]) -> None:
    case.a.create_namespace(case.ns)
    case.a.apply(items)
    case.a.wait_ready(case.ns)


@scenario("copy", seconds=40)
def copy_everything(case: Case) -> None:
    """A full application, with a claim that is made empty: B has all of it, A is as before."""
    deploy(case, manifests.full(case.ns, fixed_port=True))
    before = case.world(case.a)
    result = case.migrate("--volumes=empty")
    expect_exit(result, 0)
    expect(result.id != "", f"no transaction is named\n{result.report()}")
    expect("Done" in result.out and result.id in result.out, f"stdout does not say how it ended\n{result.report()}")
    expect(re.search(PLAN_LINE, result.err, re.MULTILINE) is not None, f"the plan's last line is missing\n{result.report()}")
    copies.expect_whole(case)
    case.expect_same(before, case.a)


@scenario("copy", seconds=30)
def copy_into_another_namespace_of_the_same_cluster(case: Case) -> None:
    """A = B: references to the namespace are rewritten, what binds to it in cluster scope gets a name of its own."""
    target = case.ns + "-two"
    deploy(case, manifests.full(case.ns, fixed_port=False, volume=False))
    before = case.world(case.a)
    result = case.migrate("--to", "A", "--to-namespace", target)
    expect_exit(result, 0)
    copies.expect_whole(case, target, case.a, keep_ports=False, bound=False)
    expect_bound_again(case, target)
    after = case.world(case.a)
    new = [key for key in after["objects"] if target in key]
    for key in new:
        del after["objects"][key]
    lines = worlds.compare(before, after)
    expect(not lines, "the source has changed:\n" + "\n".join(lines))


def expect_bound_again(case: Case, target: str) -> None:
    """The ClusterRoleBinding of the copy: `<name>-<namespace>`, for the account in the new namespace."""
    old = case.a.get("clusterrolebinding", f"{case.ns}-viewer")
    new = case.a.get("clusterrolebinding", f"{case.ns}-viewer-{target}")
    expect(old is not None and old["subjects"][0]["namespace"] == case.ns, "the binding of the source has changed")
    if new is None:
        raise Failure(f"no ClusterRoleBinding {case.ns}-viewer-{target} was made")
    expect([subject["namespace"] for subject in new["subjects"]] == [target], f"its subjects are {new['subjects']}")
    expect(new["roleRef"] == old["roleRef"], f"its role is {new['roleRef']}")
    expect(not copies.marks_on(new), f"it has marks of os2os: {copies.marks_on(new)}")


@scenario("copy", seconds=25)
def copy_into_a_namespace_that_has_other_objects(case: Case) -> None:
    """What was in the namespace before is not touched."""
    deploy(case, manifests.small(case.ns))
    case.b.create_namespace(case.ns)
    case.b.apply([manifests.config_map(case.ns, "neighbour", a="1"), manifests.secret(case.ns, "neighbours"),
                  manifests.workload("Deployment", case.ns, "other", 1)])
    case.b.wait_ready(case.ns)
    before_a, before_b = case.world(case.a), case.world(case.b)
    expect_exit(case.migrate(), 0)
    copies.expect_whole(case, others=frozenset(before_b["objects"]))
    case.expect_same(before_a, case.a)
    expect_only_added(case, before_b)


def expect_only_added(case: Case, before: worlds.World) -> None:
    now = case.world(case.b)
    for place in ("objects", "ready"):
        now[place] = {key: value for key, value in now[place].items() if key in before[place]}
    lines = worlds.compare(before, now)
    expect(not lines, "what was on B before has changed:\n" + "\n".join(lines))


@scenario("copy", seconds=30)
def copy_with_another_name_and_checks(case: Case) -> None:
    """A new name on B, a check before the decision, a command at the switch that is told the addresses; JSON as the result."""
    target, told = case.ns + "-new", case.folder / "told.json"
    deploy(case, manifests.small(case.ns))
    before = case.world(case.a)
    check = f"kubectl --context B -n {target} get deployment web -o 'jsonpath={{.status.readyReplicas}}' | grep -qx 1"
    result = case.migrate("--to-namespace", target, "--check", check, "--on-switch", f"cat > '{told}'", "-o", "json")
    expect_exit(result, 0)
    document = parse_json(result)
    expect(document["end"] == "Done" and document["exitCode"] == 0 and document["id"] == result.id, f"it says {document}")
    expect_told(case, json.loads(told.read_text(encoding="utf-8")), target)
    copies.expect_whole(case, target)
    case.expect_same(before, case.a)


def expect_told(case: Case, told: worlds.Object, target: str) -> None:
    """Old and new address of every way in."""
    ways = {way["object"]: way for way in told["waysIn"]}
    wanted = f"Service {target}/web"
    expect(wanted in ways, f"--on-switch is not told of '{wanted}': {told}")
    service = case.b.get("service", "web", target)
    port = str(service["spec"]["ports"][0]["nodePort"]) if service else "?"
    expect(port in ways[wanted]["new"], f"the new address of '{wanted}' is {ways[wanted]}, its node port {port}")
    expect(f"Ingress {target}/web" in ways, f"--on-switch is not told of the Ingress: {told}")


@scenario("copy", seconds=25)
def copy_what_a_label_selects(case: Case) -> None:
    """-l: the selected objects with what they refer to, and nothing else."""
    deploy(case, [*manifests.small(case.ns), manifests.config_map(case.ns, "unrelated", a="1"),
                  manifests.workload("Deployment", case.ns, "other", 1)])
    case.a.kubectl("-n", case.ns, "label", "deployment/web", "pick=me")
    before = case.world(case.a)
    expect_exit(case.migrate("-l", "pick=me"), 0)
    there = copies.application(case.b, case.ns, False)
    for key in (f"Deployment.apps {case.ns}/web", f"ConfigMap {case.ns}/settings", f"Service {case.ns}/web"):
        expect(key in there, f"{key} was not taken along: {sorted(there)}")
    for key in (f"Deployment.apps {case.ns}/other", f"ConfigMap {case.ns}/unrelated"):
        expect(key not in there, f"{key} was taken along")
    case.expect_same(before, case.a)


@scenario("copy", "sample", seconds=70, limit=240)
def copy_the_sample_application(case: Case) -> None:
    """charts/samples/shop, as testbed/sample brings it up: its web page answers on B."""
    sample(case, "A")
    before = case.world(case.a)
    expect_exit(case.migrate("--volumes=empty", seconds=150), 0)
    copies.expect_tombstone(case.a, case.ns, "source", "DONE")
    copies.expect_unmarked(case.b, case.ns)
    copies.expect_pods(case, case.b, case.ns)
    case.expect_same(before, case.a, live=True)
    answer = sample(case, "B", "--answer")
    expect(answer.strip() != "", "the shop on B answers nothing")


def sample(case: Case, context: str, *words: str) -> str:
    command = [str(ROOT / "testbed" / "sample"), context, case.ns, *words]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=case.left(150),
                          env=dict(os.environ))
    case.note(f"$ {' '.join(command)}\n{done.stdout}{done.stderr}")
    expect(done.returncode == 0, f"{' '.join(command)}: exit {done.returncode}: {done.stdout[-600:]}{done.stderr[-600:]}")
    return done.stdout
