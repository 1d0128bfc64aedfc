#!/usr/bin/env python3
"""How fast objects are created: os2os beside kubectl apply, in one run, on the same clusters.

    testbed/bench-objects [--maps N] [--deployments N] [--rounds N]

The application (ConfigMaps of 1 KiB, Deployments at 0 replicas) lives in A. Each round applies its manifests to one
namespace of B with `kubectl apply`, copies it to another with `os2os migrate`, and deletes both. Prints the figures
of every round on stderr and one line of JSON with the medians on stdout; ratios above 1 mean that os2os is faster.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
OS2OS = pathlib.Path("/tmp/os2os")


def run(*command, **options):
    return subprocess.run([str(HERE / "run"), *map(str, command)], check=True, timeout=600, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, **options)


def kubectl(context, *arguments, **options):
    return run("kubectl", "--context", context, *arguments, **options)


def manifests(maps, deployments):
    items = [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"map-{i:05}"},
              "data": {"text": "x" * 1024}} for i in range(maps)]
    for i in range(deployments):
        labels = {"app": f"web-{i:04}"}
        pod = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "web", "image": "none.invalid/web:1"}]}}
        items.append({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": f"web-{i:04}"},
                      "spec": {"replicas": 0, "selector": {"matchLabels": labels}, "template": pod}})
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items}).encode()


def remake_namespace(context, name):
    kubectl(context, "delete", "namespace", name, "--ignore-not-found")
    kubectl(context, "create", "namespace", name)


def timed(function):
    start = time.monotonic()
    result = function()
    return time.monotonic() - start, result


def peak_rss_mib(pid_file):
    return int(pid_file.read_text().split()[0]) / 1024


def migrate(source, target):
    """Seconds of the whole command, seconds of its create steps, MiB resident at the most."""
    rss = HERE.parent / "build" / "bench-rss"
    seconds, done = timed(lambda: run("/usr/bin/time", "--format", "%M", "--output", rss, OS2OS, "migrate", "--mode", "copy",
                                      "--from", "A", "--to", "B", "-n", source, "--to-namespace", target, "--yes", "-o", "json"))
    steps = json.loads(done.stdout)["plan"]["steps"]
    create = sum(step["actualMs"] for step in steps if step["name"] == "create") / 1000
    return seconds, create, peak_rss_mib(rss)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--maps", type=int, default=1000)
    parser.add_argument("--deployments", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    text = manifests(options.maps, options.deployments)
    remake_namespace("A", "bench")
    kubectl("A", "-n", "bench", "create", "-f", "-", input=text)
    rounds = []
    for number in range(options.rounds):
        remake_namespace("B", "bench-kubectl")
        kubectl("B", "delete", "namespace", "bench-os2os", "--ignore-not-found")
        applied, _ = timed(lambda: kubectl("B", "-n", "bench-kubectl", "apply", "-f", "-", input=text))
        total, create, rss = migrate("bench", "bench-os2os")
        print(f"round {number + 1}: kubectl apply {applied:.2f} s, os2os create {create:.2f} s, os2os in all {total:.2f} s, {rss:.1f} MiB",
              file=sys.stderr)
        rounds.append((applied / create, applied / total, rss))
    for context, name in (("A", "bench"), ("B", "bench-kubectl"), ("B", "bench-os2os")):
        kubectl(context, "delete", "namespace", name, "--wait=false")
    start, _ = timed(lambda: subprocess.run([OS2OS, "version"], check=True, stdout=subprocess.DEVNULL))
    print(json.dumps({"what": "bench-objects", "objects": options.maps + options.deployments, "rounds": options.rounds,
                      "create_vs_kubectl": round(statistics.median(r[0] for r in rounds), 2),
                      "total_vs_kubectl": round(statistics.median(r[1] for r in rounds), 2),
                      "rss_mib": round(max(r[2] for r in rounds), 1), "version_ms": round(start * 1000, 1)}))


if __name__ == "__main__":
    os.chdir(HERE.parent)
    main()
