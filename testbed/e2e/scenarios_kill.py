"""The process is killed at every fault point; another one, on another machine, brings the transaction to its end.

Before the decision that is "exactly as before", data and all; after it "whole on B", and A frozen. The points are generated
from lib/plan/steps.def, so that a new step is covered from the day it is there. Moves pass every step but those of copies.
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import Callable

import copies
import manifests
from case import MOVE_SECONDS, Case, expect, expect_exit, expect_words, read_steps, register
from program import Result
from scenarios_copy import deploy
from scenarios_dry_run import MOVING
from scenarios_move import deploy_with_data
from world import World

# Points of the undo, besides one for each step that has one.
UNDO_POINTS = ("abort.before", "abort.after", "close.before")
# Up to here only a lock was made, or nothing: there is no record to go on with.
UNRECORDED = ("lock.before", "lock.after", "record.before")
# A move has no such step. A copy with data has it, and gives A back twice where it is undone later.
OF_COPIES = ("thaw",)

PLAIN = "copy"           # without data
COPY = "copy-with-data"
MOVE = "move"


@dataclass(frozen=True)
class Point:
    """Where the process is killed."""
    fault: str         # "start.before", "create.after:2"
    decided: bool      # has the decision been taken there?
    undoing: bool      # does it lie on the way back? Then the user's check fails
    ending: str        # verb that is used afterwards
    target_exists: bool
    mode: str = MOVE

    @property
    def name(self) -> str:
        place = "-beside-others" if self.target_exists else "" if self.mode == MOVE else f"-of-a-{self.mode}"
        return f"kill-{self.fault.replace('.', '-').replace(':', '-')}{place}-then-{self.ending}"


def points() -> list[Point]:
    found: list[Point] = []
    decided = False
    for step, _ in read_steps():
        for place in ("before", "after"):
            decided = decided or (step == "decide" and place == "after")
            mode = COPY if step in OF_COPIES else MOVE
            found.append(make_point(f"{step}.{place}", decided, False, len(found), mode))
    backwards = [f"undo.{step}" for step, has_undo in read_steps() if has_undo] + list(UNDO_POINTS)
    for fault in backwards:
        found.append(make_point(fault, False, True, len(found), MOVE))
    found.append(Point("start.before", False, False, "recover", False, COPY))
    found.append(Point("undo.create", False, True, "recover", False, COPY))
    found.append(Point("create.after:2", False, False, "resume", False, PLAIN))
    found.append(Point("start.before", False, False, "resume", True, PLAIN))
    found.append(Point("create.before", False, False, "recover", True, PLAIN))
    found.append(Point("try.after", False, False, "rollback", True, PLAIN))
    found.append(Point("open.after", True, False, "resume", True, PLAIN))
    found.append(Point("undo.owner", False, True, "recover", True, PLAIN))
    found.append(Point("close.before", False, True, "rollback", True, PLAIN))
    return found


def make_point(fault: str, decided: bool, undoing: bool, index: int, mode: str) -> Point:
    if fault in UNRECORDED:
        ending = "recover"
    elif undoing:
        ending = ("recover", "rollback")[index % 2]
    else:
        ending = ("recover", "resume", "rollback")[index % 3]
    return Point(fault, decided, undoing, ending, False, mode)


# --- one scenario -----------------------------------------------------------------------------------------------------

def kill_and_end(point: Point) -> Callable[[Case], None]:
    def run(case: Case) -> None:
        before = prepare(case, point)
        source = copies.take(case)
        # The step `namespace` is not in the plan where the namespace is there.
        words = ["--check", "false" if point.undoing else "true", "--on-switch", "true"]
        killed = (case.move if point.mode == MOVE else case.migrate)(*words, fault=f"{point.fault}=kill", seconds=MOVE_SECONDS)
        expect(killed.code == -9, f"it was not killed at '{point.fault}'\n{killed.report()}")
        expect_status(case, point, killed)
        bring_to_an_end(case, point, killed)
        expect_end(case, point, before, source)
        expect_nothing_to_do(case, killed)
    return run


def prepare(case: Case, point: Point) -> tuple[World, World]:
    if point.mode == PLAIN:
        deploy(case, manifests.small(case.ns))
    else:
        deploy_with_data(case)
    if point.target_exists:
        case.b.create_namespace(case.ns)
        case.b.apply([manifests.config_map(case.ns, "neighbour", a="1"), manifests.secret(case.ns, "neighbours")])
    return case.world(case.a), case.world(case.b)


def expect_status(case: Case, point: Point, killed: Result) -> None:
    """`status` tells state and next command from the records alone."""
    found = case.state()
    if point.fault in UNRECORDED:
        return
    if point.fault == "finish.after":
        expect(found is None or found["clean"], f"status says of a finished migration {found}")
        return
    expect(found is not None, f"status does not list {killed.id}, killed at {point.fault}")
    if found is None or found["clean"]:
        return
    wanted = "COMMITTED" if point.decided else "ABORTED" if is_aborted(point) else "OPEN"
    expect(found["id"] == killed.id and found["state"] == wanted, f"status says {found}, not {wanted}")
    verb = "resume" if point.decided else "recover"
    expect(f"os2os {verb} {killed.id}" in found.get("next", ""), f"the next command is '{found.get('next')}'")


def is_aborted(point: Point) -> bool:
    return point.undoing and point.fault != "abort.before"


def goes_forward(point: Point) -> bool:
    """An open transaction may be resumed; one that is aborted only ends."""
    return point.decided or (point.ending == "resume" and not is_aborted(point))


def bring_to_an_end(case: Case, point: Point, killed: Result) -> None:
    if point.fault == "lock.before":
        expect_exit(case.repair("recover"), 0, 4)
        return
    if point.fault == "finish.after":
        expect_exit(case.repair(point.ending, killed.id), 0, 4)
        return
    if point.decided and point.ending == "rollback":
        refused = case.repair("rollback", killed.id)
        expect_exit(refused, 4, 6)
        expect_words(refused.err, ["can't be undone"], refused, "stderr")
        result = case.repair("recover", killed.id)
    else:
        result = case.repair(point.ending, *([] if len(point.fault) % 2 else [killed.id]), seconds=MOVE_SECONDS)
    expect_exit(result, 0)
    expect_words(result.out, ["Done" if goes_forward(point) else "Undone"], result, "the result")


def expect_end(case: Case, point: Point, before: tuple[World, World], source: copies.Source) -> None:
    if not goes_forward(point):
        copies.expect_undone(case, *before, target_is_new=not point.target_exists)
    elif point.mode == MOVE:
        copies.expect_moved(case, source)
    else:
        copies.expect_arrived(case, source, others=frozenset(before[1]["objects"]))
        copies.expect_tombstone(case.a, case.ns, "source", "DONE")
        copies.expect_tombstone(case.b, case.ns, "target", "DONE")
        case.expect_same(before[0], case.a)


def expect_nothing_to_do(case: Case, killed: Result) -> None:
    """The end is the end: a second recover changes nothing."""
    worlds = case.world(case.a), case.world(case.b)
    expect_exit(case.repair("recover"), 0, 4)
    case.expect_unwritten(worlds[0], case.a, MOVING)
    case.expect_unwritten(worlds[1], case.b, MOVING)


for _point in points():
    register(_point.name, kill_and_end(_point), "kill", seconds=25 if _point.mode == PLAIN else 50, limit=360)
