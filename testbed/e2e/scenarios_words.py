"""status, history and show: the right words at each state, and the next command, which works as it stands there."""
from __future__ import annotations

import shlex
import signal

import copies
import manifests
from case import Case, expect, expect_exit, expect_words, parse_json, scenario
from program import Result
from scenarios_copy import deploy
from world import Object

BOTH = ("--from", "A", "--to", "B")


def ask(case: Case, verb: str, *args: str, home: str = "elsewhere") -> Result:
    result = case.os2os(verb, *args, home=home)
    expect_exit(result, 0)
    return result


def show(case: Case, id: str) -> Object:
    return parse_json(ask(case, "show", id, *BOTH, "-o", "json"))


@scenario("words", seconds=30)
def words_of_a_migration_that_goes_well(case: Case) -> None:
    deploy(case, manifests.small(case.ns))
    empty = ask(case, "status", *BOTH, "-n", case.ns)
    expect(empty.out.strip() == "", f"status lists something before anything was begun\n{empty.report()}")
    running = case.start(*case.migration(), fault="start.before=stop")
    running.wait_stopped(case.left(40))
    under_way = ask(case, "status", *BOTH, "-n", case.ns)
    expect_words(under_way.out, ["OPEN", "start|vote", f"{case.ns}"], under_way, "status")
    running.signal(signal.SIGCONT)
    result = case.finish(running)
    expect_exit(result, 0)
    done = show(case, result.id)
    expect(done["state"] == "DONE" and done["clean"] is True and done.get("next", "") == "", f"show says {done}")
    steps = {step["name"]: step["state"] for step in done["report"]["steps"]}
    expect(steps["decide"] == "done" and steps["open"] == "done", f"the report says {steps}")
    text = ask(case, "show", result.id, *BOTH)
    expect_words(text.out, ["DONE", "decide", "predicted", "actual"], text, "show")
    remembered = ask(case, "history", home="home")
    expect_words(remembered.out, [result.id, "Done"], remembered, "history")
    alone = ask(case, "show", result.id, home="home")
    expect_words(alone.out, [result.id, "Done"], alone, "show without clusters")


@scenario("words", seconds=25)
def words_of_a_migration_that_failed(case: Case) -> None:
    deploy(case, manifests.small(case.ns))
    result = case.migrate("--check", "exit 9")
    expect_exit(result, 1)
    found = show(case, result.id)
    expect(found["state"] == "ABORTED" and found["clean"] is True, f"show says {found}")
    expect("status 9" in found["reason"], f"the reason is {found.get('reason')}")
    remembered = parse_json(ask(case, "history", "-o", "json", home="home"))["items"]
    expect(len(remembered) == 1 and remembered[0]["id"] == result.id, f"history says {remembered}")
    both = ask(case, "history", *BOTH, "-n", case.ns)
    expect_words(both.out, [result.id], both, "history of another machine")


@scenario("words", seconds=30)
def next_command_before_the_decision_works(case: Case) -> None:
    deploy(case, manifests.small(case.ns))
    before = case.world(case.a), case.world(case.b)
    killed = case.migrate(fault="decide.before=kill")
    expect(killed.code == -9, "it was not killed")
    follow_next(case, "recover", killed.id)
    copies.expect_undone(case, *before)


@scenario("words", seconds=30)
def next_command_after_the_decision_works(case: Case) -> None:
    deploy(case, manifests.small(case.ns))
    killed = case.migrate(fault="decide.after=kill")
    expect(killed.code == -9, "it was not killed")
    follow_next(case, "resume", killed.id)
    copies.expect_whole(case)


def follow_next(case: Case, verb: str, id: str) -> None:
    """Run what status names, word by word."""
    found = case.state()
    words = shlex.split(found["next"]) if found else []
    expect(words[:3] == ["os2os", verb, id], f"the next command is {words}")
    text = ask(case, "status", *BOTH, "-n", case.ns)
    expect_words(text.out, [f"os2os {verb} {id}"], text, "status")
    expect_exit(case.os2os(*words[1:], home="elsewhere"), 0)
    after = case.state()
    expect(after is None or (after["clean"] and after.get("next", "") == ""), f"afterwards status says {after}")
