"""The unit, the tarball with its installer, and the names in dashboards and alerts."""

import json
import re
import shutil

import yaml

from conftest import DEPLOY, ROOT, binary, run

METRIC = re.compile(r"\bfrontroom_[a-z_]+")


def metrics():
    names = set(re.findall(r'"(frontroom_[a-z_]+)"', (ROOT / "src/telemetry/metrics.rs").read_text()))
    assert len(names) > 10
    return names


def test_dashboards_and_alerts_name_only_metrics_that_exist():
    known = metrics()
    dashboard = json.loads((DEPLOY / "grafana/dashboard.json").read_text())
    expressions = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    alerts = yaml.safe_load((DEPLOY / "prometheus/alerts.yaml").read_text())
    rules = [rule for group in alerts["groups"] for rule in group["rules"]]
    expressions += [rule["expr"] for rule in rules]
    assert len(expressions) > 20 and all(rule["annotations"]["description"] for rule in rules)
    for expression in expressions:
        names = METRIC.findall(expression)
        for name in names:
            assert re.sub(r"_bucket$", "", name) in known, expression


def test_the_unit_is_hardened():
    unit = str(DEPLOY / "systemd/frontroom.service")
    # The scale of `--threshold` is ten times that of what is printed: 2.0.
    run("systemd-analyze", "security", "--offline=true", "--threshold=20", "--no-pager", unit)


def test_a_release_is_packed_checked_and_installed(tmp_path):
    tarball = run(str(DEPLOY / "tarball.sh"), binary(), str(tmp_path)).strip()
    run("tar", "-C", str(tmp_path), "--strip-components=1", "-xzf", tarball)
    root = tmp_path / "root"
    install = [str(tmp_path / "install.sh"), tarball]
    said = run("env", f"DESTDIR={root}", "PREFIX=/opt/frontroom", *install)
    assert "installed frontroom" in said
    run(str(root / "opt/frontroom/bin/frontroom"), "check", "--config", str(root / "etc/frontroom/config.yaml"))
    unit = (root / "etc/systemd/system/frontroom.service").read_text()
    assert "ExecStart=/opt/frontroom/bin/frontroom run" in unit and "/usr/local" not in unit

    config = root / "etc/frontroom/config.yaml"
    config.write_text("upstream: http://127.0.0.1:1\n")
    run("env", f"DESTDIR={root}", *install)
    assert config.read_text() == "upstream: http://127.0.0.1:1\n", "an upgrade keeps the config"

    with open(tarball, "ab") as file:
        file.write(b"x")
    assert "not what its checksum says" in run(*install, ok=False)
    shutil.move(f"{tarball}.sha256", tmp_path / "away")
    assert "is missing" in run(*install, ok=False)
