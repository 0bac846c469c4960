"""The manifests and the chart, rendered by kubectl and helm and held against Kubernetes' own schemas."""

import os
import re

import kubernetes_validate
import pytest
import yaml

from conftest import DEPLOY, binary, run

KUBERNETES = "1.33"
# Of operators and the Gateway API: their schemas are not Kubernetes' own.
FOREIGN = {"ServiceMonitor", "HTTPRoute"}
CHART = str(DEPLOY / "helm/frontroom")
ALL_ON = [
    "autoscaling.enabled=true",
    "ingress.enabled=true",
    "ingress.tlsSecret=tls",
    "httpRoute.enabled=true",
    "httpRoute.parentRefs[0].name=gateway",
    "httpRoute.hostnames[0]=app.example.com",
    "serviceMonitor.enabled=true",
    "adminToken.existingSecret=mine",
    "env[0].name=JWT_SECRET",
    "env[0].value=x",
    "podLabels.team=chat",
    "podAnnotations.note=x",
    "nodeSelector.disk=ssd",
    "priorityClassName=high",
    "service.annotations.note=x",
    "networkPolicy.adminFrom[0].podSelector.matchLabels.app=prometheus",
]


def render(text):
    """The documents of a rendering, each checked, by kind."""
    documents = [document for document in yaml.safe_load_all(text) if document]
    for document in documents:
        if document["kind"] not in FOREIGN:
            kubernetes_validate.validate(document, KUBERNETES, strict=True)
    assert documents
    return {(document["kind"], document["metadata"]["name"]): document for document in documents}


def kinds(documents):
    return sorted(kind for kind, _ in documents)


def pod(documents):
    (deployment,) = [document for (kind, _), document in documents.items() if kind == "Deployment"]
    return deployment["spec"]["template"]["spec"]


def config_of(documents):
    (text,) = [document["data"]["config.yaml"] for (kind, _), document in documents.items() if kind == "ConfigMap"]
    return text


def seconds(text):
    return int(re.fullmatch(r"(\d+)s", text).group(1))


def check_pod(spec, config, tmp_path):
    """What must hold wherever frontroom runs: Pod Security `restricted`, time to end, a config that compiles."""
    assert spec["securityContext"]["runAsNonRoot"] and spec["automountServiceAccountToken"] is False
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    containers = spec.get("initContainers", []) + spec["containers"]
    for container in containers:
        security = container["securityContext"]
        assert security["allowPrivilegeEscalation"] is False and security["readOnlyRootFilesystem"] is True
        assert security["capabilities"] == {"drop": ["ALL"]}
    (ours,) = [container for container in containers if container["name"] == "frontroom"]
    assert all("subPath" not in mount for mount in ours["volumeMounts"]), "a subPath never sees a new ConfigMap"
    ending = yaml.safe_load(config)["shutdown"]
    assert seconds(ending["delay"]) + seconds(ending["grace"]) < spec["terminationGracePeriodSeconds"]
    for probe, path in (("startupProbe", "/healthz"), ("livenessProbe", "/healthz"), ("readinessProbe", "/readyz")):
        assert ours[probe]["httpGet"] == {"path": path, "port": "admin"}
    file = tmp_path / "config.yaml"
    file.write_text(config)
    run(binary(), "check", "--config", str(file), env={**os.environ, "ADMIN_TOKEN": "x", "POD_IP": "10.0.0.1", "CLUSTER_SECRET": "x"})
    return ours


def test_the_edge_is_what_it_says(kustomize, tmp_path):
    documents = render(kustomize(str(DEPLOY / "kubernetes/base")))
    assert kinds(documents) == [
        "ConfigMap", "Deployment", "HorizontalPodAutoscaler", "NetworkPolicy", "PodDisruptionBudget", "Service", "Service",
    ]
    check_pod(pod(documents), config_of(documents), tmp_path)


def test_the_sidecar_starts_first_and_drains_first(kustomize, tmp_path):
    documents = render(kustomize(str(DEPLOY / "kubernetes/sidecar")))
    spec = pod(documents)
    ours = check_pod(spec, config_of(documents), tmp_path)
    assert ours in spec["initContainers"] and ours["restartPolicy"] == "Always"
    assert ours["lifecycle"]["preStop"]["exec"]["command"] == ["/frontroom", "drain"]
    assert spec["containers"][0]["lifecycle"]["preStop"]["exec"]["command"] == ["sleep", "10"]
    assert yaml.safe_load(config_of(documents))["upstream"] == "http://127.0.0.1:3000"


def with_component(kustomize, name):
    """The base with one of its components, as an overlay has it."""
    overlay = DEPLOY / "kubernetes" / f"{name}-test"
    overlay.mkdir()
    try:
        (overlay / "kustomization.yaml").write_text(f"resources: [../base]\ncomponents: [../components/{name}]\n")
        return render(kustomize(str(overlay)))
    finally:
        (overlay / "kustomization.yaml").unlink()
        overlay.rmdir()


def check_nodes(documents, tmp_path):
    """That pods of the same app reach the nodes' port, and nobody else."""
    spec = pod(documents)
    ours = check_pod(spec, config_of(documents), tmp_path)
    config = yaml.safe_load(config_of(documents))
    port = int(config["cluster"]["node"]["listen"].rpartition(":")[2])
    assert {"name": "nodes", "containerPort": port} in ours["ports"]
    assert config["cluster"]["node"]["advertise"] == f"http://${{POD_IP}}:{port}"
    (secret,) = [variable for variable in ours["env"] if variable["name"] == "CLUSTER_SECRET"]
    assert secret["valueFrom"]["secretKeyRef"]["key"] == "CLUSTER_SECRET"
    (deployment,) = [document for (kind, _), document in documents.items() if kind == "Deployment"]
    labels = deployment["spec"]["selector"]["matchLabels"]
    policies = [document["spec"] for (kind, _), document in documents.items() if kind == "NetworkPolicy"]
    assert all(policy["podSelector"]["matchLabels"] == labels for policy in policies)
    rules = [rule for policy in policies for rule in policy["ingress"] if {"port": "nodes"} in rule.get("ports", [])]
    assert rules == [{"ports": [{"port": "nodes"}], "from": [{"podSelector": {"matchLabels": labels}}]}]
    # A rule that names no port would open this one as well.
    assert all(rule.get("ports") for policy in policies for rule in policy["ingress"])
    services = {name: document["spec"] for (kind, name), document in documents.items() if kind == "Service"}
    exposing = [name for name, spec in services.items() if "nodes" in [port["targetPort"] for port in spec["ports"]]]
    assert len(exposing) == 1 and exposing[0].endswith("-nodes"), exposing
    service = services[exposing[0]]
    assert service["clusterIP"] == "None" and service["publishNotReadyAddresses"] is True
    assert service["selector"] == labels and service["ports"][0]["port"] == port
    return secret["valueFrom"]["secretKeyRef"]["name"]


def test_several_nodes_are_an_option(kustomize, tmp_path):
    documents = with_component(kustomize, "cluster")
    assert check_nodes(documents, tmp_path) == "frontroom"
    assert documents["Service", "frontroom"]["spec"]["sessionAffinity"] == "None"
    # The component's config is the base's, and the section that makes several nodes one.
    alone, several = config_of(render(kustomize(str(DEPLOY / "kubernetes/base")))), config_of(documents)
    assert several.startswith(alone) and several.removeprefix(alone).startswith("cluster:\n")


def test_the_service_monitor_is_an_option(kustomize):
    documents = with_component(kustomize, "servicemonitor")
    monitor = documents["ServiceMonitor", "frontroom"]
    labels = documents["Service", "frontroom-admin"]["metadata"]["labels"]
    assert monitor["spec"]["selector"]["matchLabels"].items() <= labels.items()


@pytest.mark.parametrize("settings", [[], ALL_ON], ids=["default", "all on"])
def test_the_chart_renders(helm, settings, tmp_path):
    helm("lint", "--strict", CHART, *[f"--set={setting}" for setting in settings])
    text = helm("template", "shop", CHART, "--kube-version", KUBERNETES, *[f"--set={setting}" for setting in settings])
    documents = render(text)
    ours = check_pod(pod(documents), config_of(documents), tmp_path)
    assert ours["image"] == "ghcr.io/frontroom/frontroom:0.1.0"
    extra = {"HorizontalPodAutoscaler", "Ingress", "HTTPRoute", "ServiceMonitor"}
    assert extra <= set(kinds(documents)) if settings else not extra & set(kinds(documents))
    assert ("Secret" in kinds(documents)) is not bool(settings)


@pytest.mark.parametrize("secret", ["", "mine"])
def test_the_chart_opens_the_nodes_port_where_the_config_has_several(helm, secret, tmp_path):
    values = yaml.safe_load((DEPLOY / "helm/frontroom/values.yaml").read_text())
    assert "nodes" not in helm("template", "shop", CHART), "one node alone has no port for others"
    node = {"listen": "0.0.0.0:5002", "advertise": "http://${POD_IP}:5002", "secret": "${CLUSTER_SECRET}"}
    cluster = {"cluster": {"redis": {"url": "redis://redis:6379"}, "node": node}}
    values = {"config": values["config"] + yaml.safe_dump(cluster), "cluster": {"existingSecret": secret}}
    file = tmp_path / "values.yaml"
    file.write_text(yaml.safe_dump(values))
    text = helm("template", "shop", CHART, "--kube-version", KUBERNETES, "--values", str(file))
    documents = render(text)
    name = check_nodes(documents, tmp_path)
    assert name == (secret or "shop-frontroom")
    made = documents["Secret", "shop-frontroom"]["data"]
    assert set(made) == ({"ADMIN_TOKEN"} if secret else {"ADMIN_TOKEN", "CLUSTER_SECRET"})
    # What nodes are among needs a restart when it changes.
    file.write_text(yaml.safe_dump({**values, "config": values["config"].replace("redis:6379", "other:6379")}))
    again = render(helm("template", "shop", CHART, "--kube-version", KUBERNETES, "--values", str(file)))
    sums = [
        documents["Deployment", "shop-frontroom"]["spec"]["template"]["metadata"]["annotations"]["checksum/listeners"]
        for documents in (documents, again)
    ]
    assert sums[0] != sums[1]


@pytest.mark.parametrize("wrong", ["replicaCount=two", "imagge.tag=x", "service.port=0", "config=", "cluster.port=1"])
def test_wrong_values_are_refused(helm, wrong):
    said = helm("template", "shop", CHART, f"--set={wrong}", ok=False)
    assert "schema" in said, said
