"""deploy/kubernetes as it is: its objects, who of them may reach whom, and what the restricted profile forbids."""

import subprocess
from typing import Any, Iterator, Mapping, NamedTuple

from lab import kubernetes
from lab.command import ROOT
from lab.kubernetes import Labels, Object, fits

DIRECTORY = ROOT / "deploy" / "kubernetes"
KUSTOMIZATIONS = ("base", "network-policy")
KUBECTL = {"kubectl": "kubernetes-client"}
# Kinds of volumes, and the one capability, that the restricted profile of the Pod Security Standards admits.
VOLUMES = {"name", "configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected",
           "secret"}
MAY_ADD = {"NET_BIND_SERVICE"}
SAFE_SYSCTLS = {"kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.ip_unprivileged_port_start",
                "net.ipv4.tcp_syncookies", "net.ipv4.ping_group_range", "net.ipv4.ip_local_reserved_ports"}


def render(kustomization: str) -> str:
    command = ["kubectl", "kustomize", str(DIRECTORY / kustomization)]
    done = subprocess.run(command, text=True, capture_output=True)
    if done.returncode != 0:
        raise RuntimeError(f"kubectl kustomize {kustomization}: {done.stderr.strip()}")
    return done.stdout


def objects() -> list[Object]:
    """All of them, put together."""
    return [each for kustomization in KUSTOMIZATIONS
            for each in kubernetes.parse(render(kustomization), kubernetes.install())]


def lacks() -> str | None:
    """What is missing, if kubectl is there."""
    try:
        kubernetes.install()
    except kubernetes.Uninstallable as error:
        return str(error)
    return None


def containers(template: Object) -> list[Object]:
    spec = template["spec"]
    return [*spec.get("initContainers", ()), *spec["containers"], *spec.get("ephemeralContainers", ())]


def handlers(container: Object) -> Iterator[Object]:
    """What the kubelet does to a container: probes, and what it does around its life."""
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        if probe in container:
            yield container[probe]
    yield from container.get("lifecycle", {}).values()


def forbidden(template: Object) -> Iterator[str]:
    """What the restricted profile forbids in a pod, control by control."""
    spec = template["spec"]
    pod: Mapping[str, Any] = spec.get("securityContext", {})
    for host in ("hostNetwork", "hostPID", "hostIPC"):
        if spec.get(host):
            yield host
    for volume in spec.get("volumes", ()):
        if kinds := set(volume) - VOLUMES:
            yield f"a volume: {kinds}"
    for sysctl in pod.get("sysctls", ()):
        if sysctl["name"] not in SAFE_SYSCTLS:
            yield f"sysctl {sysctl['name']}"
    for container in containers(template):
        # What a container does not say, the pod says for it.
        own: Mapping[str, Any] = {**pod, **container.get("securityContext", {})}
        for what in forbidden_to(container, own):
            yield f"{container['name']}: {what}"


def forbidden_to(container: Object, own: Mapping[str, Any]) -> Iterator[str]:
    capabilities = own.get("capabilities", {})
    if own.get("privileged"):
        yield "privileged"
    if own.get("allowPrivilegeEscalation") is not False:
        yield "allowPrivilegeEscalation"
    if "ALL" not in capabilities.get("drop", ()):
        yield "capabilities are not dropped"
    if set(capabilities.get("add", ())) - MAY_ADD:
        yield f"capabilities: {capabilities['add']}"
    if own.get("runAsNonRoot") is not True:
        yield "runAsNonRoot"
    if own.get("runAsUser") == 0:
        yield "runAsUser"
    if own.get("seccompProfile", {}).get("type") not in ("RuntimeDefault", "Localhost"):
        yield "seccompProfile"
    if own.get("procMount", "Default") != "Default":
        yield "procMount"
    if own.get("appArmorProfile", {}).get("type") == "Unconfined":
        yield "appArmorProfile"
    if own.get("windowsOptions", {}).get("hostProcess"):
        yield "hostProcess"
    selinux = own.get("seLinuxOptions", {})
    if selinux.get("user") or selinux.get("role") or not selinux.get("type", "container_t").startswith("container_"):
        yield "seLinuxOptions"
    for port in container.get("ports", ()):
        if port.get("hostPort"):
            yield "hostPort"
    for handler in handlers(container):
        if any(isinstance(way, dict) and way.get("host") for way in handler.values()):
            yield "a probe of another host"


class Place(NamedTuple):
    """Where a pod is, as far as policies ask."""

    namespace: str
    namespace_labels: Labels
    labels: Labels


def lets_in(all_objects: list[Object], source: Place, target: Place, protocol: str, port: int) -> bool:
    """Whether the policies let the one pod reach the other."""
    policies = [each["spec"] for each in all_objects
                if each["kind"] == "NetworkPolicy" and each["metadata"]["namespace"] == target.namespace
                and fits(each["spec"]["podSelector"], target.labels) and "Ingress" in each["spec"]["policyTypes"]]
    return not policies or any(
        (not rule.get("from") or any(is_meant(peer, source, target) for peer in rule["from"]))
        and (not rule.get("ports") or any((each.get("protocol", "TCP"), each["port"]) == (protocol, port)
                                          for each in rule["ports"]))
        for policy in policies for rule in policy.get("ingress", ()))


def is_meant(peer: Object, source: Place, target: Place) -> bool:
    if unknown := set(peer) - {"podSelector", "namespaceSelector"}:
        raise NotImplementedError(f"a policy says {unknown}")
    pods: Mapping[str, Labels] = peer.get("podSelector", {})
    if "namespaceSelector" in peer:
        return fits(peer["namespaceSelector"], source.namespace_labels) and fits(pods, source.labels)
    return source.namespace == target.namespace and fits(pods, source.labels)
