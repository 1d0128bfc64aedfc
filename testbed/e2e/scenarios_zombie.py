"""A process is stopped, somebody else takes over and ends the transaction, and then the first wakes up: it may do no harm."""
from __future__ import annotations

import signal
from typing import Callable

import copies
import manifests
from case import Case, expect, expect_exit, expect_words, register, scenario
from scenarios_copy import deploy
from world import World

# Where it wakes up, and whether that is tried in every run or, as the kills are, in a sample of the runs.
UNDECIDED = {"owner.before": "kill", "create.before": "zombie", "start.before": "kill", "decide.before": "zombie"}
DECIDED = {"open.before": "zombie", "release.before": "kill", "finish.before": "kill"}


def zombie(fault: str, decided: bool) -> Callable[[Case], None]:
    def run(case: Case) -> None:
        deploy(case, manifests.small(case.ns))
        before = case.world(case.a), case.world(case.b)
        first = case.start(*case.migration(), fault=f"{fault}=stop")
        first.wait_stopped(case.left(60))
        expect_exit(case.repair("recover"), 0)
        expect_right(case, decided, before)
        first.signal(signal.SIGCONT)
        woken = case.finish(first)
        if decided:
            # What it says is taken from the record, which is DONE by then.
            expect_exit(woken, 0, 3, 6)
        else:
            expect_exit(woken, 3)
            expect_words(woken.out + woken.err, ["taken over"], woken, "the output")
        expect_right(case, decided, before)
    return run


def expect_right(case: Case, decided: bool, before: tuple[World, World]) -> None:
    if decided:
        copies.expect_whole(case)
        case.expect_same(before[0], case.a)
    else:
        copies.expect_undone(case, *before)


for _points, _decided in ((UNDECIDED, False), (DECIDED, True)):
    for _fault, _tag in _points.items():
        register(f"zombie-at-{_fault.replace('.', '-')}", zombie(_fault, _decided), _tag, seconds=30)


@scenario("zombie", seconds=30)
def recovery_that_dies_is_recovered(case: Case) -> None:
    """The recovery is killed in its undo, and so is the next; the third ends it."""
    deploy(case, manifests.small(case.ns))
    before = case.world(case.a), case.world(case.b)
    expect(case.migrate(fault="start.after=kill").code == -9, "it was not killed")
    for fault in ("undo.start=kill", "close.before=kill"):
        expect(case.repair("recover", fault=fault).code == -9, f"recover was not killed at {fault}")
    expect_exit(case.repair("recover"), 0)
    copies.expect_undone(case, *before)


@scenario("zombie", seconds=30)
def recovery_of_one_leaves_others_alone(case: Case) -> None:
    """`recover -n` of a namespace that has nothing to recover must not touch the transaction of another one."""
    deploy(case, manifests.small(case.ns))
    other = case.ns + "-idle"
    case.a.create_namespace(other)
    first = case.start(*case.migration(), fault="decide.before=stop")
    first.wait_stopped(case.left(60))
    for verb in ("recover", "rollback", "cancel"):
        result = case.os2os(verb, "--from", "A", "--to", "B", "-n", other, home="elsewhere")
        expect_exit(result, 0, 4)
        expect_words(result.out + result.err, ["no unfinished|nothing"], result, "the output")
    listed = case.os2os("status", "--from", "A", "--to", "B", "-n", other, home="elsewhere")
    expect(case.ns + " " not in listed.out, f"status -n lists another namespace's transaction\n{listed.report()}")
    first.signal(signal.SIGCONT)
    expect_exit(case.finish(first), 0)
    copies.expect_whole(case)
