"""Dry runs: they change nothing, and say how far each statement can be trusted."""
from __future__ import annotations

import re

import manifests
from case import Case, expect, expect_exit, parse_json, read_steps, scenario
from program import Result
from scenarios_copy import PLAN_LINE, deploy
from world import Object, World

# An autoscaler's status is written by its controller at any time.
MOVING = ("HorizontalPodAutoscaler",)


def last_line(result: Result) -> str:
    return result.out.rstrip().splitlines()[-1] if result.out.strip() else ""


def expect_plan_text(result: Result) -> None:
    expect(re.match(PLAN_LINE, last_line(result)) is not None, f"the last line is not the plan's\n{result.report()}")
    for word in ("proved", "computed", "unknown"):
        expect(f"[{word}]" in result.out, f"no check is marked [{word}]\n{result.report()}")


def expect_plan_document(result: Result) -> Object:
    """Numbers, lists and the frozen line agree with each other."""
    plan: Object = parse_json(result)
    summary, objects = plan["summary"], plan["objects"]
    made = sum(item["action"] == "create" for item in objects)
    numbers = [int(number) for number in re.findall(r"\d+", plan["line"])[:4]]
    expect(numbers == [summary["create"], summary["change"], summary["delete"], summary["volumes"]],
           f"line and summary differ: {plan['line']} {summary}")
    expect(made <= summary["create"] <= made + 1, f"{made} objects are to be created, the summary says {summary['create']}")
    expect(summary["volumes"] == sum(item["kind"] == "PersistentVolumeClaim" for item in objects), "the claims are miscounted")
    expect({finding["proof"] for finding in plan["findings"]} <= {"proved", "computed", "unknown"}, "an unknown proof")
    blocking = [finding for finding in plan["findings"] if finding["verdict"] == "blocks"]
    expect(len(blocking) == summary["blockers"], f"{len(blocking)} findings block, the summary says {summary['blockers']}")
    expect_steps_in_order([step["name"] for step in plan["steps"]])
    return plan


def expect_steps_in_order(names: list[str]) -> None:
    order = [name for name, _ in read_steps()]
    places = [order.index(name) for name in names]
    expect(places == sorted(places), f"steps are out of order: {names}")
    expect({"lock", "record", "create", "decide", "finish"} <= set(names), f"steps are missing: {names}")


def expect_names(case: Case, result: Result) -> None:
    for name in (f"deployment.apps/{case.ns}/web", f"configmap/{case.ns}/settings", f"ingress.networking.k8s.io/{case.ns}/web"):
        expect(name in result.out.splitlines(), f"'{name}' is not listed\n{result.report()}")


def expect_untouched(case: Case, before: tuple[World, World]) -> None:
    case.expect_unwritten(before[0], case.a, MOVING)
    case.expect_unwritten(before[1], case.b, MOVING)


def dry(case: Case, *args: str) -> Result:
    return case.migrate("--volumes=empty", "--dry-run", *args)


@scenario("dry-run", seconds=35)
def dry_run_for_a_new_namespace(case: Case) -> None:
    deploy(case, manifests.full(case.ns, fixed_port=False))
    before = case.world(case.a), case.world(case.b)
    text = dry(case)
    expect_exit(text, 0)
    expect_plan_text(text)
    plan = expect_plan_document(dry(case, "-o", "json"))
    expect(plan["summary"]["volumes"] == 1 and plan["summary"]["blockers"] == 0, f"the summary is {plan['summary']}")
    expect_names(case, dry(case, "-o", "name"))
    expect_exit(dry(case, "--detailed-exitcode"), 5)
    for output in ("wide", "yaml"):
        expect_exit(dry(case, "-o", output, "-v"), 0)
    expect(not case.b.has_namespace(case.ns), "a dry run made the namespace on B")
    expect_untouched(case, before)


@scenario("dry-run", seconds=25)
def dry_run_for_a_namespace_that_is_there(case: Case) -> None:
    deploy(case, manifests.full(case.ns, fixed_port=False, volume=False))
    case.b.create_namespace(case.ns)
    case.b.apply([manifests.config_map(case.ns, "neighbour", a="1")])
    before = case.world(case.a), case.world(case.b)
    expect_exit(dry(case), 0)
    plan = expect_plan_document(dry(case, "-o", "json"))
    tried = [finding for finding in plan["findings"] if finding["check"] == "accepted by B" and finding["proof"] == "proved"]
    expect(bool(tried), f"no object was tried on B: {plan['findings']}")
    result = case.os2os("predict", "--from", "A", "--to", "B", "-n", case.ns, "--mode", "copy")
    expect_exit(result, 0)
    expect(re.match(PLAN_LINE, last_line(result)) is not None, f"predict does not end with the plan's line\n{result.report()}")
    expect_untouched(case, before)


@scenario("dry-run", seconds=20)
def dry_run_of_the_client_only(case: Case) -> None:
    deploy(case, manifests.small(case.ns))
    before = case.world(case.a), case.world(case.b)
    result = case.migrate("--dry-run=client")
    expect_exit(result, 0)
    expect(re.match(PLAN_LINE, last_line(result)) is not None, f"the last line is not the plan's\n{result.report()}")
    plan = expect_plan_document(case.migrate("--dry-run=client", "-o", "json"))
    asked = [finding for finding in plan["findings"] if finding["check"] in ("access", "accepted by B")]
    expect(not asked, f"the servers were asked more than was needed: {asked}")
    expect_untouched(case, before)


@scenario("dry-run", seconds=20)
def inspect_shows_the_application_and_no_secret(case: Case) -> None:
    deploy(case, manifests.small(case.ns))
    before = case.world(case.a)
    for output in ("text", "wide", "json", "yaml", "name"):
        result = case.os2os("inspect", "--from", "A", "-n", case.ns, "-o", output)
        expect_exit(result, 0)
        expect("web" in result.out and "login" in result.out, f"objects are missing\n{result.report()}")
    parse_json(case.os2os("inspect", "--from", "A", "-n", case.ns, "-o", "json"))
    case.expect_unwritten(before, case.a)


@scenario("dry-run", seconds=25)
def what_blocks_a_dry_run_blocks_the_run(case: Case) -> None:
    """The same blockers, exit 4 both times, and nothing is changed."""
    deploy(case, manifests.small(case.ns))
    case.b.create_namespace(case.ns)
    case.b.apply([manifests.config_map(case.ns, "settings", mine="1")])
    before = case.world(case.a), case.world(case.b)
    dry_run, run = case.migrate("--dry-run"), case.migrate()
    for result in (dry_run, run):
        expect_exit(result, 4)
        expect(any("settings" in line for line in result.errors), f"the object is not named\n{result.report()}")
    expect(dry_run.errors == run.errors, f"they say different things\n{dry_run.report()}{run.report()}")
    plan = expect_plan_document(case.migrate("--dry-run", "-o", "json"))
    expect(plan["summary"]["blockers"] == 1, f"{plan['summary']['blockers']} blockers")
    expect_untouched(case, before)
