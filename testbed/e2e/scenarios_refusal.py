"""What is refused before anything is changed: wrong input, missing rights, a target that can't take the application."""
from __future__ import annotations

import os
import pty
import re
import select
import signal
import time

import credentials
import manifests
from case import Case, Failure, expect, expect_exit, expect_refusal, scenario
from program import BINARY, Result
from scenarios_copy import PLAN_LINE, deploy
from world import Object, World

READ_ALL = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list", "watch"]}]


def both_worlds(case: Case) -> tuple[World, World]:
    return case.world(case.a), case.world(case.b)


def expect_untouched(case: Case, before: tuple[World, World]) -> None:
    case.expect_same(before[0], case.a)
    case.expect_same(before[1], case.b)


def expect_blocked(case: Case, result: Result, *words: str) -> None:
    """A blocker: exit 4, the words in the message, and a remedy."""
    expect_refusal(result, 4, *words)
    expect(any(line.startswith("  remedy: ") for line in result.lines), f"no remedy is given\n{result.report()}")


# --- the command line -------------------------------------------------------------------------------------------------

WRONG_USAGE: list[tuple[list[str], list[str]]] = [
    (["migrate", "--form", "A"], ["--form", "did you mean.*--from"]),
    (["migrate", "--to", "B", "-n", "x", "--mode", "copy", "--yes"], ["--from"]),
    (["migrate", "--from", "A", "-n", "x", "--mode", "copy", "--yes"], ["--to"]),
    (["migrate", "--from", "A", "--to", "B", "-n", "x", "--mode", "teleport", "--yes"], ["mode"]),
    (["migrate", "--from", "A", "--to", "B", "-n", "x", "--mode", "copy", "--yes", "-o", "xml"], ["xml", "json"]),
    (["migrate", "--from", "A", "--to", "B", "-n", "x", "--mode", "copy", "--yes", "--volumes=full"], ["full", "empty"]),
    (["migrate", "--from", "A", "--to", "B", "-n", "x", "--mode", "copy", "--yes", "--start-timeout", "15"], ["start-timeout", "15"]),
    (["migrate", "--from", "A", "--to", "B", "-n", "x", "--mode", "copy", "--yes", "--namespace-map", "x"], ["namespace-map"]),
    (["migrate", "--from", "A", "--to", "B", "-n", "x,y", "--to-namespace", "z", "--mode", "copy", "--yes"], ["to-namespace"]),
    (["migrate", "--from", "A", "--to", "B", "-n", "x", "--mode", "copy", "--yes", "surplus"], ["surplus"]),
    (["migrate", "--from", "A", "--to", "B", "-n", "x", "--mode", "copy", "--dry-run=maybe"], ["maybe", "client"]),
    (["migrate", "--from", "A", "--to", "B", "-n", "x", "--mode", "copy"], ["--yes"]),
    (["migrte"], ["migrte", "did you mean.*migrate"]),
    (["recover"], ["--from", "--to"]),
    (["completion", "tcsh"], ["tcsh"]),
]


@scenario("refusal", seconds=5)
def wrong_usage(case: Case) -> None:
    """Exit 2 at once, without asking any server; the message says what was meant."""
    before = both_worlds(case)
    for args, words in WRONG_USAGE:
        expect_refusal(case.os2os(*args, env={"KUBECONFIG": "/dev/null"}, seconds=10), 2, *words)
    expect_untouched(case, before)


@scenario("refusal", seconds=5)
def unknown_context(case: Case) -> None:
    before = both_worlds(case)
    expect_refusal(case.migrate("--from", "nowhere"), 2, "nowhere", "source")
    expect_refusal(case.migrate("--to", "nowhere"), 2, "nowhere", "target")
    expect_untouched(case, before)


@scenario("refusal", seconds=5)
def kubeconfig_that_can_not_be_used(case: Case) -> None:
    """Absent, a folder, not YAML, YAML that is something else, a certificate that is none: it is named, nothing is asked."""
    before = both_worlds(case)
    broken = {"garbage": "a: [1, 2\n", "other": "[1, 2, 3]\n", "binary": "\x00\x01\x02"}
    paths = [str(case.folder / "absent"), str(case.folder)]
    for name, text in broken.items():
        (case.folder / name).write_text(text, encoding="utf-8")
        paths.append(str(case.folder / name))
    for path in paths:
        expect_refusal(case.migrate("--kubeconfig", path, seconds=20), (1, 2), path)
    config = credentials.with_user(credentials.admin_config(case, "A"), {"client-certificate-data": "bm9wZQ==",
                                                                          "client-key-data": "bm9wZQ=="})
    path = credentials.write_config(case, "bad-certificate", config)
    expect_refusal(case.migrate("--from-kubeconfig", path, "--from", "A", seconds=20), (1, 2), "certificate")
    expect_untouched(case, before)


@scenario("refusal", seconds=10)
def expired_client_certificate(case: Case) -> None:
    """Signed by the right CA and past its date: the message says so, and which cluster."""
    before = both_worlds(case)
    user = credentials.expired_certificate(case, case.a)
    path = credentials.write_config(case, "expired", credentials.with_user(credentials.admin_config(case, "A"), user))
    expect_refusal(case.migrate("--from-kubeconfig", path, "--from", "A", seconds=20), 1, "expired", r"'?A'?")
    expect_untouched(case, before)


@scenario("refusal", seconds=10)
def server_that_does_not_answer(case: Case) -> None:
    """A closed port: known within seconds, with the address and what to look at."""
    before = both_worlds(case)
    for side in ("from", "to"):
        began = time.monotonic()
        expect_refusal(case.migrate(f"--{side}-server", "https://127.0.0.1:1", seconds=60), 1, r"127\.0\.0\.1:1", "refused|connect")
        expect(time.monotonic() - began < 30, "a closed port was tried for more than 30 s")
    expect_untouched(case, before)


@scenario("refusal", seconds=10)
def wrong_certificate_authority(case: Case) -> None:
    """A server whose certificate another CA signed is not talked to."""
    before = both_worlds(case)
    other = credentials.admin_config(case, "B")["clusters"][0]["cluster"]["certificate-authority-data"]
    config = credentials.admin_config(case, "A")
    config["clusters"][0]["cluster"]["certificate-authority-data"] = other
    path = credentials.write_config(case, "wrong-ca", config)
    expect_refusal(case.migrate("--from-kubeconfig", path, "--from", "A", seconds=30), 1, "certificate")
    expect_untouched(case, before)


# --- the application --------------------------------------------------------------------------------------------------

@scenario("refusal", seconds=10)
def nothing_to_migrate(case: Case) -> None:
    """A namespace that is absent, one that is empty, a selector that matches nothing, a namespace onto itself."""
    expect_refusal(case.migrate(ns=case.ns + "-absent"), 4, case.ns + "-absent")
    case.a.create_namespace(case.ns)
    before = both_worlds(case)
    expect_refusal(case.migrate(), 4, case.ns)
    case.a.apply([manifests.config_map(case.ns, "settings", a="1")])
    expect_refusal(case.migrate("-l", "app=none"), 4, "app=none")
    expect_refusal(case.migrate("--to", "A"), (2, 4, 1), "same", "--to-namespace")
    case.a.kubectl("-n", case.ns, "delete", "configmap", "settings")
    expect_untouched(case, before)


@scenario("refusal", seconds=15)
def objects_that_are_on_the_target_already(case: Case) -> None:
    deploy(case, manifests.small(case.ns))
    case.b.create_namespace(case.ns)
    case.b.apply([manifests.config_map(case.ns, "settings", theirs="1"), manifests.service(case.ns, "web", "else")])
    before = both_worlds(case)
    result = case.migrate()
    expect_blocked(case, result, f"ConfigMap {case.ns}/settings.*already", f"Service {case.ns}/web.*already", "--to-namespace|--exclude")
    expect_untouched(case, before)


@scenario("refusal", seconds=15)
def cluster_object_that_differs(case: Case) -> None:
    """A ClusterRole of the application is on B with other rules: neither is changed."""
    deploy(case, manifests.access(case.ns) + manifests.small(case.ns))
    other = manifests.access(case.ns)[3]
    other["rules"] = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]
    case.b.apply([other])
    before = both_worlds(case)
    expect_blocked(case, case.migrate(), f"ClusterRole {case.ns}-viewer", "differs")
    expect_untouched(case, before)


@scenario("refusal", seconds=15)
def claim_of_a_class_that_the_target_lacks(case: Case) -> None:
    """It must be mapped, whether the data travel or not; a claim that was never bound has none, and needs no mover."""
    source_class = f"{case.ns}-class"
    case.a.create_namespace(case.ns)
    case.a.apply([manifests.make("StorageClass", source_class, api="storage.k8s.io/v1", provisioner="rancher.io/local-path",
                                 volumeBindingMode="WaitForFirstConsumer")])
    claim = manifests.claim_template(storage_class=source_class)["spec"]
    case.a.apply([manifests.make("PersistentVolumeClaim", "data", case.ns, spec=claim)])
    before = both_worlds(case)
    expect_blocked(case, case.migrate(), source_class, "--storage-class-map")
    expect_blocked(case, case.migrate("--volumes=empty"), source_class, "--storage-class-map")
    result = case.migrate("--storage-class-map", f"{source_class}:{manifests.STORAGE_CLASS}", "--dry-run")
    expect_exit(result, 0)
    expect(" mover " not in result.out, f"a mover for a claim without a volume\n{result.report()}")
    expect_untouched(case, before)


# --- the target -------------------------------------------------------------------------------------------------------

@scenario("refusal", seconds=20)
def quota_that_is_too_small(case: Case) -> None:
    """The sum is computed, which no dry run of the server does: every object alone would be accepted."""
    deploy(case, manifests.full(case.ns, fixed_port=False, volume=False))
    case.b.create_namespace(case.ns)
    case.b.apply([manifests.quota(case.ns, pods="1")])
    case.wait("the quota is counted", 20, lambda: (case.b.get("resourcequota", "tight", case.ns) or {}).get("status", {}).get("used"))
    before = both_worlds(case)
    expect_blocked(case, case.migrate(), "ResourceQuota", "pods", "1")
    case.b.apply([manifests.quota(case.ns, pods="10", count__deployments_apps="0")])
    case.wait("the quota is counted", 20, lambda: "count/deployments.apps" in
              (case.b.get("resourcequota", "tight", case.ns) or {}).get("status", {}).get("used", {}))
    before = both_worlds(case)
    expect_blocked(case, case.migrate(), "deployments.apps")
    expect_untouched(case, before)


@scenario("refusal", seconds=15)
def rights_that_are_missing_on_the_target(case: Case) -> None:
    """A user who may read everything and create ConfigMaps: each verb that is missing is named, before anything is begun."""
    deploy(case, manifests.small(case.ns))
    case.b.create_namespace(case.ns)
    rules: list[Object] = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["*"]}]
    credentials.limited_account(case.b, case.ns, "reader", READ_ALL, rules)
    path = credentials.account_config(case, case.b, case.ns, "reader")
    before = both_worlds(case)
    result = case.migrate("--to-kubeconfig", path, "--to", "B")
    expect_blocked(case, result, "create deployments.apps", "create services", "not allowed")
    expect(not any("configmaps" in line for line in result.errors), f"what is allowed is named\n{result.report()}")
    expect_untouched(case, before)


@scenario("refusal", seconds=15)
def rights_that_are_missing_on_the_source(case: Case) -> None:
    """A user who may not list Secrets: half an application must not be taken for a whole one."""
    deploy(case, manifests.small(case.ns))
    rules: list[Object] = [{"apiGroups": ["", "apps", "batch", "networking.k8s.io", "policy"],
                            "resources": ["configmaps", "services", "pods", "deployments", "replicasets", "ingresses",
                                          "poddisruptionbudgets", "serviceaccounts"], "verbs": ["*"]}]
    namespaces: list[Object] = [{"apiGroups": [""], "resources": ["namespaces"], "verbs": ["get"]}]
    credentials.limited_account(case.a, case.ns, "half", namespaces, rules)
    path = credentials.account_config(case, case.a, case.ns, "half")
    before = both_worlds(case)
    result = case.migrate("--from-kubeconfig", path, "--from", "A")
    expect_refusal(result, 4, "secrets?", "not (be|allowed)|forbidden|may not")
    expect_untouched(case, before)


@scenario("refusal", seconds=10)
def nobody_to_ask(case: Case) -> None:
    """Without a terminal and without --yes nothing is even planned."""
    case.a.create_namespace(case.ns)
    case.a.apply([manifests.config_map(case.ns, "settings", a="1")])
    before = both_worlds(case)
    args = [word for word in case.migration() if word != "--yes"]
    expect_refusal(case.os2os(*args), 2, "--yes", "terminal")
    expect_untouched(case, before)


@scenario("refusal", seconds=15)
def asked_on_a_terminal(case: Case) -> None:
    """The plan is shown and a question asked; anything but "yes" changes nothing, and so does Ctrl-C."""
    case.a.create_namespace(case.ns)
    case.a.apply([manifests.config_map(case.ns, "settings", a="1")])
    before = both_worlds(case)
    args = [word for word in case.migration() if word != "--yes"]
    for answer, code in (("no\n", 1), ("y\n", 1), ("\x03", 130)):
        talk = terminal_talk(case, args, answer)
        expect(talk.code == code, f"answered {answer!r} it exits with {talk.code}, not {code}\n{talk.report()}")
        expect(re.search(PLAN_LINE, talk.err.replace("\r", ""), re.MULTILINE) is not None, f"no plan is shown\n{talk.report()}")
        expect("nothing was changed" in talk.err and talk.out == "", f"it does not say that nothing was changed\n{talk.report()}")
    expect_untouched(case, before)
    talk = terminal_talk(case, args, "yes\n")
    expect(talk.code == 0, f"answered 'yes' it exits with {talk.code}\n{talk.report()}")
    expect(case.b.get("configmap", "settings", case.ns) is not None, "nothing was migrated")


def terminal_talk(case: Case, args: list[str], answer: str) -> Result:
    """Run the program on a terminal of its own, and type the answer when it asks."""
    pid, terminal = pty.fork()
    if pid == 0:
        out = os.open(case.folder / "terminal.out", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(out, 1)
        os.execve(BINARY, [str(BINARY), *args], case.environment("home", "", {}))
    began = time.monotonic()
    try:
        seen = talk_until_end(case, terminal, answer)
    except BaseException:
        os.kill(pid, signal.SIGKILL)
        raise
    finally:
        os.close(terminal)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    out_text = (case.folder / "terminal.out").read_text(encoding="utf-8", errors="replace")
    return Result(f"os2os {' '.join(args)}  (on a terminal)", code, out_text, seen, time.monotonic() - began)


def talk_until_end(case: Case, terminal: int, answer: str) -> str:
    """What appears on the terminal; the answer is typed as soon as a question stands there."""
    seen, typed = "", False
    while True:
        if not select.select([terminal], [], [], case.left(60))[0]:
            raise Failure(f"nothing happens on the terminal any more; the last was: {seen[-500:]}")
        read = read_terminal(terminal)
        if not read:
            return seen
        seen += read
        if not typed and re.search(r"yes.*: $", seen):
            os.write(terminal, answer.encode())
            typed = True


def read_terminal(terminal: int) -> str:
    """Empty at the end: a terminal whose last program has ended gives an error."""
    try:
        return os.read(terminal, 65536).decode("utf-8", "replace")
    except OSError:
        return ""


@scenario("refusal", seconds=20)
def second_migration_of_the_same_application(case: Case) -> None:
    """The lock: exit 4, the other transaction is named, and the first goes on undisturbed."""
    deploy(case, manifests.small(case.ns))
    first = case.start(*case.migration(), fault="start.before=stop")
    first.wait_stopped(case.left(40))
    found = case.state()
    expect(found is not None, "status does not list the first migration")
    second = case.migrate("--to-namespace", case.ns + "-other", home="elsewhere")
    expect_refusal(second, 4, str(found and found["id"]), "os2os recover")
    expect(not case.b.has_namespace(case.ns + "-other"), "the second made its namespace")
    first.signal(signal.SIGCONT)
    expect_exit(case.finish(first), 0)
