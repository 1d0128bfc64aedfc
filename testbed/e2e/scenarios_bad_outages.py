"""The bad days on which something breaks that other scenarios need as well: a cluster, a node, a disk, or the way between the
clusters. Each runs alone. As in scenarios_bad_days.py, the ledger tells what came of it."""
from __future__ import annotations

import signal
import time
from typing import Callable

from case import Case, expect, expect_exit, expect_words, register, scenario
from ledger import DATABASE, Load, serving_pods
from program import Result, Running
from scenarios_bad_days import ENDS_SOON, add_bulk
from scenarios_outage import PATIENCE, broken
from world import World

OPTIONS = {"seconds": 120, "limit": 480, "exclusive": True}
BLINK_SECONDS = 5
OVERDUE_SECONDS = 25  # the deadline of ENDS_SOON has passed
RECONNECT_SECONDS = 240
NODE_SECONDS = 240


def stopped_at(load: Load, point: str, *args: str) -> Running:
    running = load.start(*args, fault=f"{point}=stop")
    running.wait_stopped(load.case.left(120))
    return running


def expect_ended(load: Load, before: tuple[World, World], result: Result) -> None:
    """Whichever of the two ends it took, it is one of them, and all of it."""
    if result.code == 3:
        expect_exit(load.case.repair("recover", result.id), 0)
    if result.code == 0:
        load.expect_moved(result)
    else:
        expect_exit(result, 1, 3)
        load.expect_undone(before, result, seconds=120)


# --- B ----------------------------------------------------------------------------------------------------------------

# How a cluster is away: its API server has ended, or it works on behind a cable that is cut.
GONE, CUT_OFF = ("apiserver", "stop", "start"), ("link", "down", "up")


def recover_when_back(case: Case, result: Result, away: tuple[str, str, str]) -> None:
    """The first packets after a cable was cut may still meet "no route to the host"."""
    if away == GONE:
        expect_exit(case.repair("recover", result.id, seconds=RECONNECT_SECONDS), 0)
        return
    case.wait("recover ends it", RECONNECT_SECONDS, lambda: case.repair("recover", result.id, seconds=RECONNECT_SECONDS).code == 0)


def target_lost(point: str, away: tuple[str, str, str] = GONE) -> Callable[[Case], None]:
    """A serves again (or still) while B is away; B is cleaned when it is back."""
    def run(case: Case) -> None:
        load = Load(case)
        before = load.deploy()
        running = stopped_at(load, point, *PATIENCE)
        with broken(away[0], "B", *away[1:]):
            running.signal(signal.SIGCONT)
            result = case.finish(running)
            expect_exit(result, 3)
            expect_words(result.out + result.err, [f"os2os recover {result.id}"], result, "the output")
            load.wait_acknowledged(30)
        recover_when_back(case, result, away)
        load.expect_undone(before, result)
    return run


register("move-target-lost-before-the-freeze", target_lost("copy.before"), "bad-day", "outage", **OPTIONS)
register("move-target-lost-in-the-freeze", target_lost("final.before"), "bad-day", "outage", **OPTIONS)
register("move-target-lost-before-its-start", target_lost("start.before"), "bad-day", "outage", **OPTIONS)
register("move-target-cut-off-in-the-freeze", target_lost("final.before", CUT_OFF), "bad-day", "outage", **OPTIONS)
register("move-target-cut-off-before-its-start", target_lost("start.before", CUT_OFF), "bad-day", "outage", **OPTIONS)


@scenario("bad-day", "outage", **OPTIONS)
def move_target_lost_after_the_decision(case: Case) -> None:
    """The one window in which nobody serves: A must not, and B can't be opened. Forward when B is back."""
    load = Load(case)
    load.deploy()
    running = stopped_at(load, "decide.after", *PATIENCE)
    with broken("apiserver", "B", "stop", "start"):
        running.signal(signal.SIGCONT)
        result = case.finish(running)
        expect_exit(result, 6)
        expect(serving_pods(case.a, case.ns) == [], "A was started again after the decision")
    expect_exit(case.repair("resume", result.id), 0)
    load.expect_moved(result)


# --- A ----------------------------------------------------------------------------------------------------------------

def source_lost(point: str, away: tuple[str, str, str] = GONE) -> Callable[[Case], None]:
    """Longer than the patience: exit 3, and nothing is done without A; with A back `recover` undoes it."""
    def run(case: Case) -> None:
        load = Load(case)
        before = load.deploy()
        running = stopped_at(load, point, *PATIENCE)
        with broken(away[0], "A", *away[1:]):
            running.signal(signal.SIGCONT)
            result = case.finish(running)
            expect_exit(result, 3)
        # A's controllers watch again only when their back-off allows it, up to a minute later.
        recover_when_back(case, result, away)
        load.expect_undone(before, result, seconds=120)
    return run


register("move-source-lost-before-the-freeze", source_lost("copy.before"), "bad-day", "outage", **OPTIONS)
register("move-source-lost-in-the-freeze", source_lost("final.before"), "bad-day", "outage", **OPTIONS)
register("move-source-cut-off-in-the-freeze", source_lost("final.before", CUT_OFF), "bad-day", "outage", **OPTIONS)
register("move-source-cut-off-before-the-decision", source_lost("decide.before", CUT_OFF), "bad-day", "outage", **OPTIONS)


@scenario("bad-day", "outage", **OPTIONS)
def move_source_lost_for_a_moment_in_the_freeze(case: Case) -> None:
    """It waits for A and goes on."""
    load = Load(case)
    load.deploy()
    running = stopped_at(load, "start.before")
    with broken("apiserver", "A", "pause", "continue"):
        running.signal(signal.SIGCONT)
        time.sleep(BLINK_SECONDS)
        expect(running.process.poll() is None, f"it gave up at once\n{running.stderr()}")
    result = case.finish(running, 150)
    expect_exit(result, 0)
    load.expect_moved(result)


@scenario("bad-day", "outage", **OPTIONS)
def source_cut_off_for_longer_than_the_watchdog_waits(case: Case) -> None:
    """os2os waits for A behind a cut cable; there the watchdog gives A back to itself, and os2os must see that when it returns."""
    load = Load(case)
    before = load.deploy()
    running = stopped_at(load, "start.before", *ENDS_SOON)
    with broken("link", "A", "down", "up"):
        running.signal(signal.SIGCONT)
        time.sleep(OVERDUE_SECONDS)
    load.wait_acknowledged(120)
    result = case.finish(running, NODE_SECONDS)
    expect_exit(result, 1, 3)
    if result.code == 3:
        recover_when_back(case, result, CUT_OFF)
    load.expect_undone(before, result, seconds=120)


# --- both -------------------------------------------------------------------------------------------------------------

def restarted(what: str, cluster: str, point: str) -> Callable[[Case], None]:
    """Back within the patience of os2os: it goes on, or undoes."""
    def run(case: Case) -> None:
        load = Load(case)
        before = load.deploy()
        running = stopped_at(load, point)
        with broken(what, cluster, "stop", "start"):
            running.signal(signal.SIGCONT)
            time.sleep(BLINK_SECONDS)
            expect(running.process.poll() is None, f"it gave up at once\n{running.stderr()}")
        expect_ended(load, before, case.finish(running, RECONNECT_SECONDS))
    return run


for _what in ("apiserver", "etcd"):
    for _cluster, _point in (("A", "freeze.before"), ("A", "final.before"), ("B", "final.before"), ("B", "start.before")):
        register(f"{_what}-of-{_cluster.lower()}-restarted-at-{_point.replace('.', '-')}", restarted(_what, _cluster, _point), "bad-day",
                 "outage", **OPTIONS)


@scenario("bad-day", "outage", **OPTIONS)
def watchdog_without_its_server(case: Case) -> None:
    """os2os died in the freeze and A's API server is away at the deadline: A is given back as soon as that is there again."""
    load = Load(case)
    before = load.deploy()
    killed = load.move(*ENDS_SOON, fault="final.before=kill")
    expect(killed.code == -9, f"it was not killed\n{killed.report()}")
    with broken("apiserver", "A", "stop", "start"):
        time.sleep(OVERDUE_SECONDS)
        expect(not load.serves(), "A serves although nobody could give it back")
    load.wait_acknowledged(120)
    expect_exit(case.repair("recover", killed.id), 0)
    load.expect_undone(before, killed)


@scenario("bad-day", "outage", **OPTIONS)
def move_source_lost_after_the_decision(case: Case) -> None:
    """COMMITTED in B is final: B is opened without A, and the clients are led there."""
    load = Load(case)
    load.deploy()
    killed = load.move(fault="open.before=kill")
    expect(killed.code == -9, f"it was not killed\n{killed.report()}")
    with broken("link", "A", "down", "up"):
        result = case.os2os("recover", "--from", "A", "--to", "B", killed.id, *PATIENCE, home="elsewhere")
        expect_exit(result, 6)
        load.wait_acknowledged(60)
    # The first packets after an outage may still meet "no route to the host".
    case.wait("recover closes A's record", 60, lambda: case.repair("recover", killed.id).code == 0)
    load.expect_moved(killed)


# --- nodes, disks, cables ---------------------------------------------------------------------------------------------

@scenario("bad-day", "outage", **{**OPTIONS, "limit": 700})
def node_of_b_lost_during_the_copy(case: Case) -> None:
    """A serves all the time: it was not frozen yet."""
    load = Load(case)
    before = load.deploy()
    add_bulk(case)
    running = load.start("--start-timeout", "30s")
    running.wait_for("straight from|through this machine", case.left(120))
    with broken("node", "b-1", "stop", "start"):
        running.wait_for("^undoing|opening the session again", case.left(NODE_SECONDS))
        load.expect_never_stopped()
    expect_ended(load, before, case.finish(running, NODE_SECONDS))


@scenario("bad-day", "outage", **{**OPTIONS, "limit": 700})
def node_of_a_lost_during_the_copy(case: Case) -> None:
    """The node of A's mover is the database's: nobody serves until it is back, and what it had acknowledged is still there."""
    load = Load(case)
    before = load.deploy()
    add_bulk(case)
    database = case.a.get("pod", f"{DATABASE}-0", case.ns)
    expect(database is not None, "the database has no pod")
    assert database is not None
    running = load.start("--start-timeout", "30s")
    running.wait_for("straight from|through this machine", case.left(120))
    with broken("node", database["spec"]["nodeName"], "stop", "start"):
        running.wait_for("^undoing|opening the session again", case.left(NODE_SECONDS))
    expect_ended(load, before, case.finish(running, NODE_SECONDS))


@scenario("bad-day", "outage", **{**OPTIONS, "limit": 700})
def node_of_b_lost_before_the_start(case: Case) -> None:
    """B's pods never start, and can't be seen to end either. A serves again without waiting for that node."""
    load = Load(case)
    before = load.deploy()
    running = stopped_at(load, "start.before", "--start-timeout", "15s")
    with broken("node", "b-1", "stop", "start"):
        running.signal(signal.SIGCONT)
        load.wait_acknowledged(100)
        expect(running.process.poll() is None, f"it ended although B has still pods of it\n{running.stderr()}")
    result = case.finish(running, NODE_SECONDS)
    expect_exit(result, 1)
    load.expect_undone(before, result, seconds=120)


def way_cut(point: str) -> Callable[[Case], None]:
    """Nothing passes any more between the pods of A and those of B: it goes through os2os' machine, or is undone."""
    def run(case: Case) -> None:
        load = Load(case)
        before = load.deploy()
        add_bulk(case)
        if point:
            running = stopped_at(load, point)
        else:
            running = load.start()
            running.wait_for("straight from", case.left(120))
        with broken("way", "lab", "cut", "mended"):
            running.signal(signal.SIGCONT)
            result = case.finish(running, 300)
        expect_ended(load, before, result)
    return run


register("way-between-the-movers-cut-in-the-copy", way_cut(""), "bad-day", "outage", **{**OPTIONS, "limit": 600})
register("way-between-the-movers-cut-before-the-final-round", way_cut("final.before"), "bad-day", "outage", **{**OPTIONS, "limit": 600})


@scenario("bad-day", "outage", **OPTIONS)
def disk_of_b_full_half_way(case: Case) -> None:
    load = Load(case)
    before = load.deploy()
    add_bulk(case, 64)
    with broken("disk", "b-1", "small", "normal"):
        result = load.move()
        expect_exit(result, 1)
        expect_words(result.err, ["space|full"], result, "stderr")
    load.expect_never_stopped()
    load.expect_undone(before, result)
