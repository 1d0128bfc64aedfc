"""Removes what scenarios made in the clusters, and what an earlier run that was killed left there."""
from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from world import SCENARIO_PREFIX

CLUSTERS = ("A", "B")
KUBECTL_SECONDS = 30
GONE_SECONDS = 90
OLD_SECONDS = 3600
KINDS = ("clusterroles", "clusterrolebindings", "storageclasses", "validatingadmissionpolicies",
         "validatingadmissionpolicybindings")


def kubectl(context: str, *args: str) -> str:
    """Best effort: what fails now is tried again by the next sweep."""
    command = ["kubectl", "--context", context, "--request-timeout=20s", *args]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=KUBECTL_SECONDS)
    except subprocess.TimeoutExpired:
        return ""
    return done.stdout if done.returncode == 0 else ""


def names(context: str, kind: str, prefix: str) -> list[str]:
    found = kubectl(context, "get", kind, "-o", "name").split()
    return [name for name in found if name.partition("/")[2].startswith(prefix)]


def namespaces(context: str, prefix: str) -> list[dict[str, Any]]:
    text = kubectl(context, "get", "namespaces", "-o", "json")
    items = json.loads(text)["items"] if text else []
    return [item for item in items if item["metadata"]["name"].startswith(prefix)]


def free_records(context: str, ns: str) -> None:
    """A record that was never closed has a finalizer, which would keep its namespace for ever."""
    text = kubectl(context, "get", "configmaps", "-n", ns, "-o", "json")
    for item in json.loads(text)["items"] if text else []:
        if item["metadata"].get("finalizers"):
            kubectl(context, "patch", "configmap", item["metadata"]["name"], "-n", ns, "--type=merge",
                    "-p", '{"metadata": {"finalizers": null}}')


def remove(prefix: str) -> None:
    """Order the removal of everything whose name begins so; not waited for."""
    for context in CLUSTERS:
        for item in namespaces(context, prefix):
            free_records(context, item["metadata"]["name"])
            kubectl(context, "delete", "namespace", item["metadata"]["name"], "--wait=false")
        found = names(context, ",".join(KINDS), prefix)
        if found:
            kubectl(context, "delete", "--wait=false", *found)


def sweep(prefix: str) -> None:
    """Remove, and wait until it is gone."""
    end = time.monotonic() + GONE_SECONDS
    while True:
        left = [item["metadata"]["name"] for context in CLUSTERS for item in namespaces(context, prefix)]
        if not left:
            return
        if time.monotonic() > end:
            print(f"e2e: these namespaces are still being deleted: {' '.join(left)}", file=sys.stderr)
            return
        remove(prefix)
        time.sleep(2)


def remove_old() -> None:
    """What a run that was killed left, more than an hour ago."""
    limit = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - OLD_SECONDS))
    for context in CLUSTERS:
        for item in namespaces(context, SCENARIO_PREFIX):
            if item["metadata"]["creationTimestamp"] < limit:
                remove(item["metadata"]["name"])


def empty_folder(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
