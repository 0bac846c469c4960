"""The admin API against its own description, by a tester that is driven by it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from gateway import Gateway

CONFIG = """
listen: 127.0.0.1:0
upstream: http://127.0.0.1:1
admin: {listen: "127.0.0.1:0", token: secret}
shutdown: {grace: 1s}
"""

EXAMPLES = 40


@pytest.fixture
def admin():
    gateway = Gateway(CONFIG)
    yield gateway.printed(r"admin on (http://\S+)\n")
    gateway.stop()


def test_the_api_is_what_its_description_says(admin, tmp_path):
    tester = Path(sys.executable).parent / "schemathesis"
    # A drain has no way back: readiness would be off for the rest. Its answers are looked at below.
    run = subprocess.run(
        [tester, "run", f"{admin}/openapi.json", "-H", "Authorization: Bearer secret", "-c", "all",
         "--exclude-operation-id", "drain", "-n", str(EXAMPLES), "--seed", "1", "--continue-on-failure", "--warnings", "off"],
        cwd=tmp_path, env={**os.environ, "NO_COLOR": "1"}, capture_output=True, text=True, timeout=240,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    tested = re.search(r"Tested: (\d+)", run.stdout)
    assert tested and int(tested.group(1)) == 17, run.stdout


def test_a_drain_answers_as_described(admin):
    headers = {"authorization": "Bearer secret"}
    answer = requests.post(f"{admin}/v1/drain", headers=headers, timeout=10)
    assert answer.status_code == 200
    assert answer.json() == {"status": "draining", "connections": 0, "sessions": 0}
    assert requests.get(f"{admin}/readyz", timeout=10).status_code == 503
