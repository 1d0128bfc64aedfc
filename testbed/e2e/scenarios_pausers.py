"""Who would undo a freeze is paused for as long as it lasts, and is as before afterwards: Flux, Argo CD, KEDA."""
from __future__ import annotations

import copies
import manifests
from case import Case, expect, expect_exit, expect_words, scenario
from world import Object

KINDS = {
    "kustomizations": ("kustomize.toolkit.fluxcd.io", "v1", "Kustomization"),
    "applications": ("argoproj.io", "v1alpha1", "Application"),
    "scaledobjects": ("keda.sh", "v1alpha1", "ScaledObject"),
}
WATCHED = {  # resource: what says that it is paused
    "kustomizations": "{.spec.suspend}",
    "applications": "{.spec.syncPolicy}",
    "scaledobjects": r"{.metadata.annotations.autoscaling\.keda\.sh/paused}",
}


def definition(plural: str, group: str, version: str, kind: str) -> Object:
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    return {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": f"{plural}.{group}"},
            "spec": {"group": group, "scope": "Namespaced", "names": {"plural": plural, "kind": kind, "singular": kind.lower()},
                     "versions": [{"name": version, "served": True, "storage": True, "schema": schema}]}}


def controllers(ns: str, home: str) -> list[Object]:
    """As their controllers know them; none of those runs here, so that nothing but os2os changes them."""
    return [
        manifests.make("Kustomization", "shop", home, "kustomize.toolkit.fluxcd.io/v1", spec={"interval": "1m", "prune": True}),
        manifests.make("Kustomization", "other", home, "kustomize.toolkit.fluxcd.io/v1", spec={"interval": "1m"}),
        manifests.make("Application", "shop", home, "argoproj.io/v1alpha1",
                       spec={"syncPolicy": {"automated": {"selfHeal": True}, "retry": {"limit": 2}}}),
        manifests.make("ScaledObject", "web", ns, "keda.sh/v1alpha1", spec={"scaleTargetRef": {"name": "web"}}),
        manifests.make("ScaledObject", "elsewhere", ns, "keda.sh/v1alpha1", spec={"scaleTargetRef": {"name": "nobody"}}),
    ]


def application(ns: str, home: str) -> list[Object]:
    web = manifests.workload("Deployment", ns, "web", 1)
    web["metadata"]["labels"].update({"kustomize.toolkit.fluxcd.io/name": "shop", "kustomize.toolkit.fluxcd.io/namespace": home})
    api = manifests.workload("Deployment", ns, "api", 1)
    api["metadata"]["annotations"] = {"argocd.argoproj.io/tracking-id": f"shop:apps/Deployment:{ns}/api"}
    return [web, api]


@scenario("move", seconds=60, limit=240)
def who_would_undo_the_freeze_is_paused(case: Case) -> None:
    home = case.ns + "-gitops"
    case.a.apply(definition(plural, *names) for plural, names in KINDS.items())
    for plural, (group, _, _) in KINDS.items():
        case.a.kubectl("wait", "--for=condition=Established", f"crd/{plural}.{group}", "--timeout=30s")
    case.a.create_namespace(case.ns)
    case.a.create_namespace(home)
    case.wait("the new kinds can be used", 30, lambda: try_apply(case, controllers(case.ns, home)))
    case.a.apply(application(case.ns, home))
    case.a.wait_ready(case.ns)
    before = case.world(case.a, case.ns, home), case.world(case.b)
    seen = case.folder / "seen"
    looks = [f"kubectl --context A get {plural} -A -o 'jsonpath={{range .items[*]}}{plural} {{.metadata.namespace}}/{{.metadata.name}} "
             f"{path}{{\"\\n\"}}{{end}}'" for plural, path in WATCHED.items()]
    dry = case.os2os(*case.moving("--exclude", "ScaledObject.keda.sh", "--dry-run"))
    expect_words(dry.out, [rf"Kustomization {home}/shop.*paused|pause .*3 times"], dry, "the plan")
    result = case.move("--exclude", "ScaledObject.keda.sh", "--check", f"({'; '.join(looks)}) >'{seen}'; exit 1")
    expect_exit(result, 1)
    text = seen.read_text(encoding="utf-8")
    for line in (f"kustomizations {home}/shop true", f"kustomizations {home}/other ", f'applications {home}/shop {{"retry":{{"limit":2}}}}',
                 f"scaledobjects {case.ns}/web true", f"scaledobjects {case.ns}/elsewhere "):
        expect(line in text.splitlines(), f"in the freeze '{line}' was not seen:\n{text}")
    case.expect_same(before[0], case.a, "A")
    case.expect_same(before[1], case.b, "B")
    copies.expect_tombstone(case.a, case.ns, "source", "ABORTED")


def try_apply(case: Case, items: list[Object]) -> bool:
    """A kind that was just defined is not known everywhere at once."""
    try:
        case.a.apply(items)
    except Exception:  # pylint: disable=broad-except
        return False
    return True
