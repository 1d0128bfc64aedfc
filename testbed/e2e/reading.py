"""Reads a cluster over a connection that stays open: where worlds are read by the hundred, a kubectl each is most of the work."""
from __future__ import annotations

import http.client
import json
from typing import Any, Iterable

from proxy import address_of, context_of

Object = dict[str, Any]

SECONDS = 60.0
DISCOVERY = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


class ReadError(Exception):
    """The server did not answer, or answered with an error."""


class Reader:
    """For one cluster; config: its kubeconfig with everything in it. For one thread."""

    def __init__(self, config: Object) -> None:
        self._context = context_of(config)
        self._address = address_of(config)
        self._connection: http.client.HTTPSConnection | None = None
        self._kinds = self._discover()

    def read(self, kinds: Iterable[str], namespace: str | None) -> list[Object]:
        """As `kubectl get KIND,KIND -o json` lists them. A kind that is gone has none."""
        return [item for kind in kinds for item in self._list(kind, namespace)]

    def get(self, kind: str, name: str, namespace: str | None) -> Object | None:
        return self._ask(f"{self._path(kind, namespace)}/{name}")

    def _list(self, kind: str, namespace: str | None) -> list[Object]:
        found = self._ask(self._path(kind, namespace))
        if found is None:
            return []
        head = {"apiVersion": found["apiVersion"], "kind": found["kind"].removesuffix("List")}
        return [{**head, **item} for item in found["items"]]

    def _path(self, kind: str, namespace: str | None) -> str:
        base, plural = self._kinds.get(kind, ("/apis/none", kind))
        return f"{base}/namespaces/{namespace}/{plural}" if namespace else f"{base}/{plural}"

    def _discover(self) -> dict[str, tuple[str, str]]:
        """Where a kind is, by `deployments.apps`, `deployments` and `deployment`; what comes first has the short name."""
        found: dict[str, tuple[str, str]] = {}
        for root in ("/api", "/apis"):
            for group in (self._ask(root, DISCOVERY) or {"items": []})["items"]:
                name = group["metadata"].get("name", "")
                version = group["versions"][0]
                for resource in version["resources"]:
                    base = f"{root}/{name}/{version['version']}" if name else f"{root}/{version['version']}"
                    place = base, resource["resource"]
                    found[f"{place[1]}.{name}" if name else place[1]] = place
                    for short in (place[1], resource.get("singularResource", "")):
                        found.setdefault(short, place)
        return found

    def _ask(self, path: str, accept: str = "application/json") -> Object | None:
        """None where there is no such thing. What was kept open may have been closed meanwhile."""
        for connection in (self._connection, None):
            if connection is None:
                connection = http.client.HTTPSConnection(*self._address, context=self._context, timeout=SECONDS)
            try:
                connection.request("GET", path, headers={"Accept": accept})
                answer = connection.getresponse()
                text = answer.read()
            except (OSError, http.client.HTTPException) as error:
                failure = error
                connection.close()
                continue
            self._connection = connection
            if answer.status == 404:
                return None
            if answer.status != 200:
                raise ReadError(f"GET {path}: {answer.status}: {text[:200]!r}")
            return json.loads(text)
        raise ReadError(f"GET {path}: {failure}")
