"""The process is killed at every request of a migration, before it reaches the server and after it took effect but before its answer.

A migration in which nothing strikes is recorded through the proxy, once a run. Its points are dealt to a number of scenarios, its
shares, which so are of one sort each: some points of the planning, some before the decision, some after it. A point is named by the
sort of its request and its number among those of this sort, since several are in flight at once, and some are repeated until something
has happened. Where these were fewer than in the recording the migration ends whole, is judged so, and the next one is killed at the last
of the sort instead, or if there was none at what came before it in the recording. A point that is not reached then either is a failure.

What is undone is exactly as before (I5), so that the next point strikes the same application. What was killed before it wrote anything
is judged together with the others of its share: no object has another version.
"""
from __future__ import annotations

import json
import os
import random
import shutil
from dataclasses import asdict, dataclass, field
from typing import Callable

import copies
import volumes
from case import MOVE_SECONDS, Case, Failure, expect, expect_exit, expect_words, is_settled, namespace_object, parse_json, register, scenario
from program import SEED, Result, TooSlow
from proxied import DATA, PLAIN, Attempt, Recording, Standing, Variant, child, recorded, standing, watched
from proxy import AFTER, BEFORE, Point
from reading import ReadError
from scenarios_dry_run import MOVING
from world import KubectlError, Object, World

SHARES = 47
SHARES_WITH_DATA, POINTS_WITH_DATA = 4, 6
MOST_FAILURES = 3  # of a share; then the rest of it is left
TRIES = 3          # until a point is reached
RECORDING = 999    # number of the case that makes the recording
PROVED_AGAIN = 8   # of so many points one is recovered twice
SUMMARY = "request-kill: "  # what the run's report collects
# What ends it. What was undone is used again, so that most are.
OPEN_ENDS = ("recover", "rollback", "recover", "rollback", "recover", "resume")
DECIDED_ENDS = ("recover", "resume", "rollback")


@dataclass
class Tally:
    """What came of a share."""
    variant: str
    requests: int     # of the recording
    writes: int       # of these
    messages: int
    of: int           # points of the recording
    points: int       # of this share
    killed: int = 0
    instead: int = 0  # of those: at the nearest point, since this one was not reached
    failed: list[str] = field(default_factory=list)


# --- applications -----------------------------------------------------------------------------------------------------

@dataclass
class Place:
    """An application on A, and how all was before."""
    case: Case
    before: tuple[World, World]
    source: copies.Source


class Ground:
    """Applications that are deployed together, so that nobody waits for each of them."""

    def __init__(self, case: Case, variant: Variant, count: int) -> None:
        self.parent, self.variant = case, variant
        self.made = 0
        self.cases: list[Case] = []
        self.place: Place | None = None
        self._deploy(count)

    def current(self) -> Place:
        """The one that was used before, if it was undone; else another."""
        self.place = self.place or self._take()
        return self.place

    def leave(self, judged: bool = True) -> None:
        """It is no longer as it was. What was judged is not kept."""
        if self.place and judged:
            case = self.place.case
            for cluster in (case.a, case.b):
                cluster.kubectl("delete", "namespace", case.ns, "--wait=false", "--ignore-not-found")
            shutil.rmtree(case.folder, ignore_errors=True)
        self.place = None

    def _take(self) -> Place:
        if not self.cases:
            self._deploy(1)
        case = self.cases.pop(0)
        case.wait("the application is ready", 90, lambda: all(map(is_settled, case.a.items("deployments", case.ns))))
        if self.variant is DATA:
            for folder in case.volumes(case.a).values():
                volumes.plant(folder)
        return Place(case, (case.world(case.a), case.world(case.b)), copies.take(case))

    def _deploy(self, count: int) -> None:
        cases = [child(self.parent, self.made + number) for number in range(count)]
        self.made += count
        self.cases += cases
        self.parent.a.apply(namespace_object(case.ns) for case in cases)
        for case in cases:
            case.a.apply(self.variant.items(case.ns))


# --- one kill ---------------------------------------------------------------------------------------------------------

def state_of(case: Case, identity: str) -> Object | None:
    """What `status` says of one transaction: those that were undone before it have left their tombstones."""
    result = case.os2os("status", "--from", "A", "--to", "B", "-n", case.ns, "-o", "json", home="elsewhere")
    expect_exit(result, 0)
    found = [item for item in parse_json(result)["items"] if item["id"] == identity]
    return found[0] if found else None


def expect_status(case: Case, where: Standing, killed: Result) -> None:
    """It tells state and next command from the records alone."""
    found = state_of(case, killed.id)
    if not where.state or where.clean:
        expect(found is None or not where.state or found["clean"], f"status says of a finished migration {found}")
        return
    expect(found is not None, f"status does not list {killed.id}")
    assert found is not None
    expect(found["state"] == where.state and not found["clean"], f"status says {found}, not {where.state}")
    verb = "resume" if where.decided else "recover"
    expect(f"os2os {verb} {killed.id}" in found.get("next", ""), f"the next command is '{found.get('next')}'")


def is_resumed(index: int) -> bool:
    return OPEN_ENDS[index % len(OPEN_ENDS)] == "resume"


def bring_to_an_end(case: Case, index: int, where: Standing, killed: Result) -> bool:
    """Forward? By another process, not through the proxy."""
    if not where.state:
        expect_exit(case.repair("recover"), 0, 4)
        return False
    ends = DECIDED_ENDS if where.decided else OPEN_ENDS
    verb = ends[index % len(ends)]
    named = [killed.id] if index % 2 else []
    if where.clean:
        expect_exit(case.repair(verb, killed.id), 0, 4)
        return True
    if where.decided and verb == "rollback":
        refused = case.repair("rollback", killed.id)
        expect_exit(refused, 4, 6)
        expect_words(refused.err, ["can't be undone"], refused, "stderr")
        verb = "recover"
    forward = where.decided or verb == "resume"
    result = case.repair(verb, *named, seconds=MOVE_SECONDS)
    expect_exit(result, 0)
    expect_words(result.out, ["Done" if forward else "Undone"], result, "the result")
    return forward


def expect_nothing_to_do(case: Case) -> None:
    """The end is the end: a second recover changes nothing."""
    worlds = case.world(case.a), case.world(case.b)
    expect_exit(case.repair("recover"), 0, 4)
    case.expect_unwritten(worlds[0], case.a, MOVING)
    case.expect_unwritten(worlds[1], case.b, MOVING)


# --- a share ----------------------------------------------------------------------------------------------------------

class Share:
    """Some points of a recording, one after the other."""

    def __init__(self, case: Case, ground: Ground, recording: Recording, indexes: list[int]) -> None:
        self.case, self.ground, self.recording, self.indexes = case, ground, recording, indexes
        self.tally = Tally(ground.variant.name, recording.requests, recording.writes, recording.messages,
                           len(recording.points), len(indexes))
        self.unjudged = False

    def run(self) -> None:
        for index in self.indexes:
            try:
                self.strike(index)
            except (Failure, TooSlow, KubectlError, ReadError) as reason:
                self.tally.failed.append(f"{self.recording.points[index]}: {reason}")
                self.ground.leave(judged=False)
            if len(self.tally.failed) >= MOST_FAILURES:
                break
        self.judge_unwritten()
        self.case.note(SUMMARY + json.dumps(asdict(self.tally)))
        expect(not self.tally.failed, "\n".join(self.tally.failed))

    def strike(self, index: int) -> None:
        point = self.recording.points[index]
        if index >= self.recording.first_write:
            self.judge_unwritten()
        for attempt_number in range(TRIES):
            place = self.ground.current()
            self.case.note(f"killing {point}")
            attempt = Attempt(place.case)
            killed = attempt.move(point)
            if attempt.proxy.struck:
                self.judge(index, place, attempt, killed)
                self.tally.killed += 1
                self.tally.instead += point != self.recording.points[index]
                return
            expect_exit(killed, 0)
            copies.expect_moved(place.case, place.source)
            self.ground.leave()
            point = attempt.nearest(point) or self.recording.points[index - attempt_number - 1]
        raise Failure(f"not reached in {TRIES} migrations, all of which went through")

    def judge(self, index: int, place: Place, attempt: Attempt, killed: Result) -> None:
        case = place.case
        expect(killed.code == -9, f"it was not killed\n{killed.report()}")
        where = standing(attempt.proxy.requests)
        if not where.wrote:
            expect_exit(case.repair("recover"), 0, 4)
            self.unjudged = True
            return
        if where.state:
            expect_status(case, where, killed)
        forward = bring_to_an_end(case, index, where, killed)
        if forward:
            copies.expect_moved(case, place.source)
        else:
            copies.expect_undone(case, *place.before)
        if index % PROVED_AGAIN == 0:
            expect_nothing_to_do(case)
        if forward:
            self.ground.leave()

    def judge_unwritten(self) -> None:
        """Of all that were killed before they wrote anything."""
        if self.unjudged and self.ground.place:
            place = self.ground.place
            place.case.expect_unwritten(place.before[0], place.case.a, MOVING)
            place.case.expect_unwritten(place.before[1], place.case.b, MOVING)
        self.unjudged = False


def record(case: Case, variant: Variant) -> Recording:
    """One share of a run moves an application to its good end."""
    def move() -> Attempt:
        ground = Ground(child(case, RECORDING), variant, 1)
        place = ground.current()
        attempt = watched(place.case, place.source)
        ground.leave()
        return attempt
    return recorded(case, variant, move)


def run_share(case: Case, variant: Variant, indexes_of: Callable[[Recording], list[int]]) -> None:
    recording = record(case, variant)
    indexes = indexes_of(recording)
    spent = sum(recording.is_decided(index) or index >= recording.first_write and is_resumed(index) for index in indexes)
    Share(case, Ground(case, variant, min(spent + 1, len(indexes))), recording, indexes).run()


def plain_share(number: int) -> Callable[[Case], None]:
    """Every so manieth point."""
    def run(case: Case) -> None:
        run_share(case, PLAIN, lambda recording: list(range(number, len(recording.points), SHARES)))
    return run


def share_with_data(number: int) -> Callable[[Case], None]:
    """Of the points from the first write on a sample, another one every day."""
    def indexes(recording: Recording) -> list[int]:
        chosen = random.Random(os.environ.get(SEED, "")).sample(range(recording.first_write, len(recording.points)),
                                                                SHARES_WITH_DATA * POINTS_WITH_DATA)
        return sorted(chosen)[number::SHARES_WITH_DATA]

    def run(case: Case) -> None:
        run_share(case, DATA, indexes)
    return run


@scenario("proxy", seconds=30)
def proxy_kills_where_it_says(case: Case) -> None:
    """Before the first write nothing is there, after it one thing is; and where there is no such request nothing is killed."""
    case = child(case, RECORDING)
    place = Ground(case, PLAIN, 1).current()
    key = "A POST /api/v1/namespaces/*/configmaps?fieldManager=os2os"
    for point, least, most in ((Point(key, 1, BEFORE), 0, 0), (Point(key, 1, AFTER), 1, 4)):  # four are on their way at once
        attempt = Attempt(place.case)
        killed = attempt.move(point)
        expect(killed.code == -9 and attempt.proxy.struck is not None, f"it was not killed {point}\n{killed.report()}")
        found = copies.records(place.case.a, place.case.ns)
        expect(least <= len(found) <= most, f"killed {point}, A has {sorted(found)}")
        expect_exit(place.case.repair("recover"), 0, 4)
        copies.expect_undone(place.case, *place.before)
    attempt = Attempt(place.case)
    expect_exit(attempt.move(Point("A GET /nowhere", 1, BEFORE)), 0)
    expect(attempt.proxy.struck is None, "something was killed that was not asked for")
    copies.expect_moved(place.case, place.source)


for _number in range(SHARES):
    register(f"request-kill-share-{_number + 1:02d}-of-{SHARES}", plain_share(_number), "request-kill", seconds=120, limit=600)
for _number in range(SHARES_WITH_DATA):
    register(f"request-kill-with-data-share-{_number + 1}-of-{SHARES_WITH_DATA}", share_with_data(_number), "request-kill",
             seconds=150, limit=600)
