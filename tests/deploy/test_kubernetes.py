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
    run(binary(), "check", "--config", str(file), env={**os.environ, "ADMIN_TOKEN": "x", "POD_IP": "10.0.0.1"})
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


def test_the_service_monitor_is_an_option(kustomize, tmp_path):
    for name in ("base", "components"):
        (tmp_path / name).symlink_to(DEPLOY / "kubernetes" / name)
    overlay = DEPLOY / "kubernetes" / "servicemonitor-test"
    overlay.mkdir()
    try:
        (overlay / "kustomization.yaml").write_text("resources: [../base]\ncomponents: [../components/servicemonitor]\n")
        documents = render(kustomize(str(overlay)))
    finally:
        (overlay / "kustomization.yaml").unlink()
        overlay.rmdir()
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


@pytest.mark.parametrize("wrong", ["replicaCount=two", "imagge.tag=x", "service.port=0", "config="])
def test_wrong_values_are_refused(helm, wrong):
    said = helm("template", "shop", CHART, f"--set={wrong}", ok=False)
    assert "schema" in said, said
