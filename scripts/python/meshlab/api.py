"""The part of Kubernetes' API that kubectl needs to list pods and nodes and to read logs. No cluster is behind it."""

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Callable, Iterator, NamedTuple
from urllib.parse import parse_qs, urlsplit

Log = Callable[[int], str]  # what a container has printed in the last seconds


class Pod(NamedTuple):
    name: str
    node: str
    address: str | None
    log: Log | None  # None: the kubelet of its node does not answer
    leaves: bool = False


class Cluster(NamedTuple):
    pods: list[Pod]
    nodes: dict[str, dict[str, str]] | None = None  # labels by name; None: who asks may not list them
    config: dict[str, str] | None = None  # the ConfigMap `mesh`


class Refusal(Exception):
    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status, self.reason = status, reason


def answer(cluster: Cluster, path: str, query: dict[str, list[str]]) -> Any:
    words = path.strip("/").split("/")
    if words == ["version"]:
        return {"major": "1", "minor": "32", "gitVersion": "v1.32.0"}
    if words == ["api"]:
        return {"kind": "APIVersions", "versions": ["v1"]}
    if words == ["apis"]:
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": []}
    if words == ["api", "v1"]:
        kinds = (("pods", "Pod", True), ("pods/log", "Pod", True), ("configmaps", "ConfigMap", True),
                 ("nodes", "Node", False))
        return {"kind": "APIResourceList", "groupVersion": "v1",
                "resources": [{"name": name, "singularName": "", "namespaced": inside, "kind": kind,
                               "verbs": ["get", "list"]}
                              for name, kind, inside in kinds]}
    if words == ["api", "v1", "nodes"]:
        if cluster.nodes is None:
            raise Refusal(403, "Forbidden", "nodes is forbidden: you cannot list them")
        return {"kind": "NodeList", "apiVersion": "v1",
                "items": [{"metadata": {"name": name, "labels": labels}} for name, labels in cluster.nodes.items()]}
    match words[3:]:
        case ["getthrough", "pods"]:
            return {"kind": "PodList", "apiVersion": "v1", "items": [pod_object(pod) for pod in cluster.pods]}
        case ["getthrough", "pods", name, *rest]:
            found = next((pod for pod in cluster.pods if pod.name == name), None)
            if found and rest == ["log"]:
                if found.log is None:
                    raise Refusal(500, "InternalError", f"Get {found.node}:10250/containerLogs: no route to host")
                return found.log(int(query["sinceSeconds"][0]))
            if found:
                return pod_object(found)
        case ["getthrough", "configmaps", "mesh"] if cluster.config is not None:
            return {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "mesh"}, "data": cluster.config}
        case [_, "pods"]:
            return {"kind": "PodList", "apiVersion": "v1", "items": []}
    raise Refusal(404, "NotFound", f"{path} not found")


def pod_object(pod: Pod) -> Any:
    metadata = {"name": pod.name, "namespace": "getthrough"} | (
        {"deletionTimestamp": "2026-01-01T00:00:00Z"} if pod.leaves else {})
    return {"kind": "Pod", "apiVersion": "v1", "metadata": metadata,
            "spec": {"nodeName": pod.node,
                     "containers": [{"name": name} for name in ("tcp-server", "udp-server", "mesh")]},
            "status": {"phase": "Running"} | ({"podIP": pod.address} if pod.address else {})}


@contextmanager
def serving(cluster: Cluster, scratch: Path) -> Iterator[dict[str, str]]:
    """Answers on loopback. Yields the environment in which kubectl asks here, and leaves nothing in anybody's home."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = urlsplit(self.path)
            try:
                status, body = 200, answer(cluster, asked.path, parse_qs(asked.query))
            except Refusal as refusal:
                status, body = refusal.status, {
                    "kind": "Status", "apiVersion": "v1", "status": "Failure", "message": str(refusal),
                    "reason": refusal.reason, "code": refusal.status}
            payload = (body if isinstance(body, str) else json.dumps(body)).encode()
            self.send_response(status)
            self.send_header("Content-Type", "text/plain" if isinstance(body, str) else "application/json")
            self.send_header("Content-Length", str(len(payload)))
            self.end_headers()
            self.wfile.write(payload)

        def log_message(self, format: str, *arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    config = scratch / "kubeconfig"
    config.write_text(json.dumps({
        "apiVersion": "v1", "kind": "Config", "current-context": "here",
        "clusters": [{"name": "here", "cluster": {"server": f"http://127.0.0.1:{server.server_address[1]}"}}],
        "users": [{"name": "me", "user": {}}],
        "contexts": [{"name": "here", "context": {"cluster": "here", "user": "me"}}]}))
    try:
        yield {"KUBECONFIG": str(config), "HOME": str(scratch)}
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
