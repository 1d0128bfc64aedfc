"""A cluster is lost in the middle and comes back. These break a whole cluster, so each runs alone."""
from __future__ import annotations

import signal
import subprocess
import time
from contextlib import contextmanager
from typing import Iterator

import copies
import manifests
from case import Case, Failure, expect, expect_exit, expect_message, expect_words, scenario
from program import ROOT, Result
from scenarios_failure import deploy_gated
from world import Object, World

FAULT_SECONDS = 120
PATIENCE_SECONDS = 6
SLACK_SECONDS = 12
PATIENCE = ("--lost-timeout", f"{PATIENCE_SECONDS}s")
MOMENT_SECONDS = 4


def fault(*words: str) -> None:
    """testbed/fault. Not limited by the scenario's time: what was broken is mended in any case."""
    command = [str(ROOT / "testbed" / "fault"), *words]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=FAULT_SECONDS)
    if done.returncode != 0:
        raise Failure(f"{' '.join(command)}: exit {done.returncode}: {done.stderr}")


def expect_patience(result: Result, waited: float) -> None:
    """--lost-timeout says how long a cluster that does not answer is waited for."""
    limit = PATIENCE_SECONDS + SLACK_SECONDS
    expect(waited < limit, f"a lost cluster was waited for {waited:.0f} s, with {' '.join(PATIENCE)}\n{result.report()}")


@contextmanager
def broken(what: str, cluster: str, how: str, mended: str) -> Iterator[None]:
    """Mended at the end, whatever happens between."""
    fault(what, cluster, how)
    try:
        yield
    finally:
        fault(what, cluster, mended)


def deploy_when_healed(case: Case, items: list[Object]) -> None:
    """Controllers need a while to notice that their API server is back: an earlier scenario may have stopped it."""
    case.a.create_namespace(case.ns, seconds=90)
    case.a.apply(items)
    case.a.wait_ready(case.ns)


def wait_serving(case: Case, before: World) -> None:
    """Pods of A count as unready while their kubelet could not report: that is the outage's doing, and passes."""
    case.wait("the pods of A are ready again", 90, lambda: case.a.ready(case.ns) == before["ready"])


@scenario("outage", seconds=45, limit=300, exclusive=True)
def target_lost_while_it_starts(case: Case) -> None:
    """B's API server ends while its pods are awaited: aborted in A at once; B is cleaned when it is back."""
    case.a.create_namespace(case.ns, seconds=90)
    before = deploy_gated(case)
    running = case.start(*case.migration(*PATIENCE))
    running.wait_phase("start", case.left(40))
    case.wait("B starts", 30, lambda: case.b.items("pods", case.ns))
    with broken("apiserver", "B", "stop", "start"):
        result = case.finish(running)
        expect_exit(result, 3)
        expect_message(result, r"'?B'?")
        expect_words(result.out + result.err, [f"os2os recover {result.id}"], result, "the output")
        again = case.repair("recover", *PATIENCE)
        expect_exit(again, 3)
        expect_words(again.out + again.err, ["aborted|B does not answer"], again, "the output")
    expect_exit(case.repair("recover"), 0)
    copies.expect_undone(case, *before)


@scenario("outage", seconds=20, limit=300, exclusive=True)
def target_lost_for_a_moment(case: Case) -> None:
    """The cable to B is cut for less than the patience: the migration goes through as if nothing had been."""
    deploy_when_healed(case, manifests.small(case.ns))
    before = case.world(case.a)
    running = case.start(*case.migration("--lost-timeout", "60s"), fault="create.before=stop")
    running.wait_stopped(case.left(40))
    with broken("link", "B", "down", "up"):
        running.signal(signal.SIGCONT)
        time.sleep(MOMENT_SECONDS)
        expect(running.process.poll() is None, f"it gave up at once\n{running.stderr()}")
    expect_exit(case.finish(running), 0)
    copies.expect_whole(case)
    case.expect_same(before, case.a)


@scenario("outage", seconds=45, limit=300, exclusive=True)
def source_lost_before_the_decision(case: Case) -> None:
    """Whether it was decided is unknown to the process: it changes nothing more (exit 3), soon; with A back, recover undoes it."""
    deploy_when_healed(case, manifests.small(case.ns))
    before = case.world(case.a), case.world(case.b)
    running = case.start(*case.migration(*PATIENCE), fault="decide.before=stop")
    running.wait_stopped(case.left(60))
    with broken("apiserver", "A", "stop", "start"):
        running.signal(signal.SIGCONT)
        began = time.monotonic()
        result = case.finish(running)
        expect_exit(result, 3)
        expect_patience(result, time.monotonic() - began)
        expect_words(result.out + result.err, [f"os2os recover {result.id}", "A"], result, "the output")
        in_doubt = case.repair("recover", *PATIENCE)
        expect_exit(in_doubt, 3)
        expect_words(in_doubt.out + in_doubt.err, ["A does not answer"], in_doubt, "the output")
    expect_exit(case.repair("recover"), 0)
    wait_serving(case, before[0])
    copies.expect_undone(case, *before)


@scenario("outage", seconds=45, limit=300, exclusive=True)
def target_lost_after_the_decision(case: Case) -> None:
    """Decided, and B takes requests without answering them: exit 6, soon; when B answers again, resume finishes."""
    deploy_when_healed(case, manifests.small(case.ns))
    before = case.world(case.a)
    running = case.start(*case.migration(*PATIENCE), fault="decide.after=stop")
    running.wait_stopped(case.left(60))
    with broken("apiserver", "B", "pause", "continue"):
        running.signal(signal.SIGCONT)
        began = time.monotonic()
        result = case.finish(running)
        expect_exit(result, 6)
        expect_patience(result, time.monotonic() - began)
        expect_words(result.out + result.err, [f"os2os resume {result.id}"], result, "the output")
    expect_exit(case.repair("resume"), 0)
    copies.expect_whole(case)
    case.expect_same(before, case.a)


@scenario("outage", seconds=45, limit=300, exclusive=True)
def source_lost_after_the_decision(case: Case) -> None:
    """COMMITTED in B is final: B is opened without A; A's record is closed when A is back."""
    deploy_when_healed(case, manifests.small(case.ns))
    before = case.world(case.a)
    killed = case.migrate(fault="open.before=kill")
    expect(killed.code == -9, "it was not killed")
    with broken("link", "A", "down", "up"):
        result = case.os2os("recover", "--from", "A", "--to", "B", killed.id, *PATIENCE, home="elsewhere")
        expect_exit(result, 6)
        expect(case.b.get("ingress", "web", case.ns) is not None, "B was not opened")
    expect_exit(case.repair("recover", killed.id), 0)
    copies.expect_whole(case)
    case.expect_same(before, case.a)
