"""Kubeconfigs for users who may do little, or nothing."""
from __future__ import annotations

import base64
import json
import subprocess
from pathlib import Path

import manifests
from case import Case, Cluster, Failure
from program import ROOT
from world import Object


def admin_config(case: Case, context: str) -> Object:
    """The testbed's kubeconfig of one cluster, with everything in it."""
    text = Cluster(context, case).kubectl("config", "view", "--raw", "--minify", "--flatten", "-o", "json")
    return json.loads(text)


def write_config(case: Case, name: str, config: Object) -> str:
    path = case.folder / name
    path.write_text(json.dumps(config), encoding="utf-8")
    return str(path)


def with_user(config: Object, user: Object) -> Object:
    config["users"] = [{"name": config["contexts"][0]["context"]["user"], "user": user}]
    return config


def account_config(case: Case, cluster: Cluster, ns: str, name: str) -> str:
    """A kubeconfig file for a ServiceAccount, with a token of an hour."""
    token = cluster.kubectl("create", "token", name, "-n", ns, "--duration=1h").strip()
    return write_config(case, f"{cluster.name}-{name}.kubeconfig", with_user(admin_config(case, cluster.name), {"token": token}))


def limited_account(cluster: Cluster, ns: str, name: str, cluster_rules: list[Object], rules: list[Object]) -> None:
    """A ServiceAccount with rules in cluster scope and in its own namespace."""
    group, api = "rbac.authorization.k8s.io", "rbac.authorization.k8s.io/v1"
    subjects = [{"kind": "ServiceAccount", "name": name, "namespace": ns}]
    wide = f"{ns}-{name}"
    cluster.apply([
        manifests.make("ServiceAccount", name, ns),
        manifests.make("Role", name, ns, api, rules=rules),
        manifests.make("RoleBinding", name, ns, api, subjects=subjects, roleRef={"apiGroup": group, "kind": "Role", "name": name}),
        manifests.make("ClusterRole", wide, api=api, rules=cluster_rules),
        manifests.make("ClusterRoleBinding", wide, api=api, subjects=subjects,
                       roleRef={"apiGroup": group, "kind": "ClusterRole", "name": wide}),
    ])


# --- certificates -----------------------------------------------------------------------------------------------------

CA_CONFIG = """
[ca]
default_ca = lab
[lab]
database = {folder}/index
new_certs_dir = {folder}
rand_serial = yes
default_md = sha256
policy = any
[any]
commonName = supplied
organizationName = optional
"""


def openssl(case: Case, *args: str) -> None:
    done = subprocess.run(["openssl", *args], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=case.left(30))
    if done.returncode != 0:
        raise Failure(f"openssl {' '.join(args)}: {done.stderr}")


def expired_certificate(case: Case, cluster: Cluster) -> Object:
    """A client certificate of an administrator, signed by the cluster's own CA, that was valid for an hour years ago."""
    folder, pki = case.folder / "ca", ROOT / ".testbed" / "pki" / cluster.name
    folder.mkdir()
    (folder / "index").touch()
    (folder / "config").write_text(CA_CONFIG.format(folder=folder), encoding="utf-8")
    key, request, certificate = folder / "key", folder / "request", folder / "certificate"
    openssl(case, "req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", str(key), "-out", str(request),
            "-subj", "/O=system:masters/CN=admin")
    openssl(case, "ca", "-batch", "-notext", "-config", str(folder / "config"), "-cert", str(pki / "ca.crt"),
            "-keyfile", str(pki / "ca.key"), "-in", str(request), "-out", str(certificate),
            "-startdate", "20200101000000Z", "-enddate", "20200101010000Z")
    return {"client-certificate-data": encoded(certificate), "client-key-data": encoded(key)}


def encoded(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()
