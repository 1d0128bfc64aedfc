"""Small applications that start fast, as Kubernetes objects."""
from __future__ import annotations

import base64
import os
from typing import Any

Object = dict[str, Any]

SECRET_MARK = "Pl41n-S3cr3t"
GATE = "e2e.example/open"
FIXED_NODE_PORT = 30011  # of one scenario; a cluster has each port once
TAKEN_NODE_PORT = 30012
STORAGE_CLASS = "local-path"


def image(name: str = "pause:1") -> str:
    return f"{os.environ['O2_REGISTRY']}/{name}"


def secret_words() -> list[str]:
    """What must appear in no output and in no record: the values of the Secrets made here, plain and encoded."""
    encoded = base64.b64encode(f"{SECRET_MARK}-word".encode()).decode()
    return [SECRET_MARK, encoded, encoded[:16]]


def make(kind: str, name: str, namespace: str = "", api: str = "v1", **rest: Any) -> Object:
    metadata: Object = {"name": name, "labels": {"app.kubernetes.io/part-of": "mini"}}
    if namespace:
        metadata["namespace"] = namespace
    return {"apiVersion": api, "kind": kind, "metadata": metadata, **rest}


# --- pods -------------------------------------------------------------------------------------------------------------

def pod_template(labels: dict[str, str], **spec: Any) -> Object:
    container = {"name": "main", "image": image(), "resources": {"requests": {"cpu": "1m", "memory": "4Mi"},
                                                                 "limits": {"memory": "32Mi"}}}
    container.update(spec.pop("container", {}))
    return {"metadata": {"labels": labels},
            "spec": {"terminationGracePeriodSeconds": 1, "automountServiceAccountToken": False,
                     "enableServiceLinks": False, "containers": [container], **spec}}


def workload(kind: str, ns: str, name: str, replicas: int, spec: Object | None = None, **pod: Any) -> Object:
    labels = {"app": name}
    return make(kind, name, ns, "apps/v1",
                spec={"replicas": replicas, "selector": {"matchLabels": labels},
                      "template": pod_template(labels, **pod), **(spec or {})})


def stateful_set(ns: str, name: str, spec: Object | None = None, **pod: Any) -> Object:
    return workload("StatefulSet", ns, name, 1, {"serviceName": name, **(spec or {})}, **pod)


def service(ns: str, name: str, app: str, **spec: Any) -> Object:
    return make("Service", name, ns,
                spec={"selector": {"app": app}, "ports": [{"name": "http", "port": 80, "targetPort": 8080}], **spec})


def config_map(ns: str, name: str, **data: str) -> Object:
    return make("ConfigMap", name, ns, data=data)


def secret(ns: str, name: str) -> Object:
    return make("Secret", name, ns, type="Opaque", stringData={"password": f"{SECRET_MARK}-word"})


def ingress(ns: str, name: str, target: str) -> Object:
    backend = {"service": {"name": target, "port": {"name": "http"}}}
    return make("Ingress", name, ns, "networking.k8s.io/v1",
                spec={"rules": [{"host": f"{name}.example.com",
                                 "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}]})


def budget(ns: str, name: str, app: str) -> Object:
    return make("PodDisruptionBudget", name, ns, "policy/v1",
                spec={"maxUnavailable": 1, "selector": {"matchLabels": {"app": app}}})


# --- applications -----------------------------------------------------------------------------------------------------

def small(ns: str) -> list[Object]:
    """One pod, something of each: created inert, started, opened, created late."""
    return [
        config_map(ns, "settings", url=f"http://web.{ns}.svc.cluster.local:80/"),
        secret(ns, "login"),
        workload("Deployment", ns, "web", 1, container={"envFrom": [{"configMapRef": {"name": "settings"}}]}),
        service(ns, "web", "web", type="NodePort"),
        ingress(ns, "web", "web"),
        budget(ns, "web", "web"),
    ]


def gated(ns: str) -> list[Object]:
    """Its pod is ready only where somebody sets the condition GATE: on A, by the scenario."""
    return [
        config_map(ns, "settings", level="1"),
        secret(ns, "login"),
        workload("Deployment", ns, "web", 1, readinessGates=[{"conditionType": GATE}]),
        service(ns, "web", "web", type="NodePort"),
    ]


def unpullable(ns: str) -> list[Object]:
    """Runs on A with an image that is there; a pod made anew, as on B, wants one that is not. `spoil` makes it so."""
    return [stateful_set(ns, "web", {"updateStrategy": {"type": "OnDelete"}}), service(ns, "web", "web")]


def spoil(item: Object) -> Object:
    item["spec"]["template"]["spec"]["containers"][0]["image"] = image("no-such-image:1")
    return item


def access(ns: str) -> list[Object]:
    """Account, role and binding; and the same in cluster scope, named after the namespace."""
    group, api = "rbac.authorization.k8s.io", "rbac.authorization.k8s.io/v1"
    subject = {"kind": "ServiceAccount", "name": "app", "namespace": ns}
    rule = {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list"]}
    return [
        make("ServiceAccount", "app", ns, automountServiceAccountToken=False),
        make("Role", "reader", ns, api, rules=[rule]),
        make("RoleBinding", "reader", ns, api, subjects=[subject], roleRef={"apiGroup": group, "kind": "Role", "name": "reader"}),
        make("ClusterRole", f"{ns}-viewer", api=api, rules=[{"apiGroups": [""], "resources": ["nodes"], "verbs": ["get"]}]),
        make("ClusterRoleBinding", f"{ns}-viewer", api=api, subjects=[subject],
             roleRef={"apiGroup": group, "kind": "ClusterRole", "name": f"{ns}-viewer"}),
    ]


def policies(ns: str) -> list[Object]:
    here = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": ns}}}
    metric = {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}}
    return [
        make("NetworkPolicy", "inside", ns, "networking.k8s.io/v1",
             spec={"podSelector": {"matchLabels": {"app": "web"}}, "policyTypes": ["Ingress"], "ingress": [{"from": [here]}]}),
        budget(ns, "web", "web"),
        make("HorizontalPodAutoscaler", "web", ns, "autoscaling/v2",
             spec={"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}, "minReplicas": 2,
                   "maxReplicas": 4, "metrics": [metric]}),
        make("LimitRange", "defaults", ns, spec={"limits": [{"type": "Container", "defaultRequest": {"cpu": "2m"}}]}),
    ]


def configuration(ns: str) -> list[Object]:
    files = make("ConfigMap", "files", ns, data={"motd": "line 1\nline 2 {{ not a template }}\n\ttab \u00e4\u4e16\n"},
                 binaryData={"blob": base64.b64encode(bytes(range(256))).decode()})
    files["metadata"]["annotations"] = {"example.com/note": "kept: 'as' \"it\" is"}
    return [
        files,
        config_map(ns, "settings", url=f"http://web.{ns}.svc.cluster.local:80/", short=f"web.{ns}.svc", level="1"),
        make("ConfigMap", "frozen", ns, data={"a": "b"}, immutable=True),
        secret(ns, "login"),
    ]


def tick(ns: str) -> Object:
    job = {"spec": {"template": pod_template({"app": "tick"}, restartPolicy="Never")}}
    return make("CronJob", "tick", ns, "batch/v1", spec={"schedule": "0 0 1 1 *", "jobTemplate": job})


def claim_template(size: str = "16Mi", storage_class: str = STORAGE_CLASS) -> Object:
    return {"metadata": {"name": "data"},
            "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": storage_class,
                     "resources": {"requests": {"storage": size}}}}


def full(ns: str, fixed_port: bool, volume: bool = True) -> list[Object]:
    """Every kind that a plain application has, with references between them."""
    port: Object = {"name": "http", "port": 80, "targetPort": 8080}
    if fixed_port:
        port["nodePort"] = FIXED_NODE_PORT
    env = [{"name": "BACK_END", "value": f"http://web.{ns}.svc.cluster.local:80/api"},
           {"name": "PASSWORD", "valueFrom": {"secretKeyRef": {"name": "login", "key": "password"}}}]
    web = workload("Deployment", ns, "web", 2, serviceAccountName="app", container={"env": env},
                   volumes=[{"name": "files", "configMap": {"name": "files"}}])
    items = [*access(ns), *configuration(ns), *policies(ns), tick(ns), web, service(ns, "web", "web"),
             make("Service", "front", ns, spec={"type": "NodePort", "selector": {"app": "web"}, "ports": [port]}),
             make("Service", "db", ns, spec={"clusterIP": "None", "selector": {"app": "db"}, "ports": [{"port": 5432}]}),
             ingress(ns, "web", "web")]
    if volume:
        mounts = {"volumeMounts": [{"name": "data", "mountPath": "/data"}]}
        items.append(stateful_set(ns, "db", {"volumeClaimTemplates": [claim_template()]}, container=mounts))
    return items


# --- applications with data -------------------------------------------------------------------------------------------

MEMORY = {"resources": {"requests": {"cpu": "1m", "memory": "4Mi"}, "limits": {"memory": "32Mi"}}}
IDLE = "trap 'exit 0' TERM; while :; do sleep 1000 & wait $!; done"
# Each life of a pod writes lines of its own, so that it shows who wrote what, and that nothing is missing.
WRITE = "trap 'exit 0' TERM; n=0; while :; do n=$((n+1)); echo \"$POD $n\" >>/data/log; sleep 0.5 & wait $!; done"


def shell(script: str, mount: bool = True) -> Object:
    """A container of busybox that ends at once when it is told to."""
    pod = {"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.uid"}}}
    container: Object = {"image": image("busybox:1"), "command": ["sh", "-c", script], "env": [pod], **MEMORY}
    if mount:
        container["volumeMounts"] = [{"name": "data", "mountPath": "/data"}]
    return container


def claim(ns: str, name: str) -> Object:
    return make("PersistentVolumeClaim", name, ns, spec=claim_template()["spec"])


def on_claim(name: str) -> list[Object]:
    return [{"name": "data", "persistentVolumeClaim": {"claimName": name}}]


def stateful(ns: str, script: str = IDLE, **pod: Any) -> list[Object]:
    """A store with a claim, what depends on it, and something of each that a freeze has to do with."""
    template = claim_template()
    template["metadata"]["labels"] = {"app.kubernetes.io/part-of": "mini"}
    env = [{"name": "STORE", "value": f"db.{ns}.svc.cluster.local:5432"},
           {"name": "PASSWORD", "valueFrom": {"secretKeyRef": {"name": "login", "key": "password"}}}]
    metric = {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}}
    return [
        config_map(ns, "settings", url=f"http://web.{ns}.svc.cluster.local:80/"),
        secret(ns, "login"),
        stateful_set(ns, "db", {"volumeClaimTemplates": [template]}, container=shell(script), **pod),
        make("Service", "db", ns, spec={"clusterIP": "None", "selector": {"app": "db"}, "ports": [{"port": 5432}]}),
        workload("Deployment", ns, "web", 1, container={"env": env, "envFrom": [{"configMapRef": {"name": "settings"}}]}),
        service(ns, "web", "web", type="NodePort"),
        ingress(ns, "web", "web"),
        tick(ns),
        make("HorizontalPodAutoscaler", "web", ns, "autoscaling/v2",
             spec={"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}, "minReplicas": 1,
                   "maxReplicas": 2, "metrics": [metric]}),
    ]


def shared(ns: str) -> list[Object]:
    """Two pods that mount one claim, which so are on one node, and a claim that nothing mounts any more."""
    return [
        claim(ns, "files"), claim(ns, "old"),
        workload("Deployment", ns, "web", 2, volumes=on_claim("files"), container=shell(IDLE)),
        workload("Deployment", ns, "former", 1, volumes=on_claim("old"), container=shell(IDLE)),
    ]


def neighbour(ns: str) -> list[Object]:
    """Somebody else in the same namespace, who writes all the time."""
    items = [claim(ns, "theirs"), config_map(ns, "theirs", a="1"),
             workload("Deployment", ns, "theirs", 1, volumes=on_claim("theirs"), container=shell(WRITE))]
    for item in items:
        item["metadata"]["labels"] = {"app.kubernetes.io/part-of": "other"}
    return items


# --- rules of a cluster -----------------------------------------------------------------------------------------------

def refusal(name: str, namespace: str, resource: str, group: str, condition: str = "false") -> list[Object]:
    """A ValidatingAdmissionPolicy that refuses creating a resource in one namespace unless `condition` holds."""
    api = "admissionregistration.k8s.io/v1"
    rule = {"apiGroups": [group], "apiVersions": ["*"], "operations": ["CREATE"], "resources": [resource]}
    only_here = {"name": "here", "expression": f"request.namespace == '{namespace}'"}
    return [
        make("ValidatingAdmissionPolicy", name, api=api,
             spec={"failurePolicy": "Fail", "matchConstraints": {"resourceRules": [rule]}, "matchConditions": [only_here],
                   "validations": [{"expression": condition, "message": "e2e policy: not wanted here"}]}),
        make("ValidatingAdmissionPolicyBinding", name, api=api, spec={"policyName": name, "validationActions": ["Deny"]}),
    ]


def quota(ns: str, **hard: str) -> Object:
    return make("ResourceQuota", "tight", ns, spec={"hard": {name.replace("__", "/").replace("_", "."): value
                                                             for name, value in hard.items()}})
