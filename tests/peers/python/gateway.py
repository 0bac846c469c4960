"""Starts and stops a frontroom binary with a config of its own and free ports."""

import os
import re
import subprocess
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).parents[3]
CHAT = (ROOT / "tests/peers/chat.yaml").read_text()
DEADLINE_S = 15


def binary():
    """`FRONTROOM_BIN`, else what cargo built."""
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    built = [target / "debug/frontroom", target / "release/frontroom"]
    found = os.environ.get("FRONTROOM_BIN") or next((str(path) for path in built if path.exists()), None)
    assert found, "no frontroom binary: run cargo build, or set FRONTROOM_BIN"
    return found


class Gateway:
    """A running `frontroom run`; what it printed is kept to explain failures."""

    def __init__(self, config, **env):
        self.output = ""
        self.url = None
        self.listening = threading.Event()
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "config.yaml"
            file.write_text(config)
            self.process = subprocess.Popen(
                [binary(), "run", "--config", str(file)],
                env={**os.environ, **env},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            threading.Thread(target=self._read, daemon=True).start()
            listening = self.listening.wait(DEADLINE_S)
        if not (listening and self.url):
            self.process.kill()
            raise AssertionError(f"frontroom does not listen:\n{self.output}")

    def _read(self):
        for line in self.process.stdout:
            self.output += line
            found = re.search(r'listening on (https?://[^\s"\x1b]+)', line)
            if found and not self.url and "admin" not in line.lower():
                self.url = found.group(1)
                self.listening.set()
        self.listening.set()

    def printed(self, pattern):
        """The first group of the pattern in what it printed, now or soon."""
        deadline = time.monotonic() + DEADLINE_S
        while not (found := re.search(pattern, self.output)):
            assert time.monotonic() < deadline, f"never printed {pattern}:\n{self.output}"
            time.sleep(0.01)
        return found.group(1)

    def stop(self):
        """SIGTERM; it must exit with 0 in time."""
        self.process.terminate()
        try:
            code = self.process.wait(DEADLINE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        assert code == 0, f"exit code {code} after SIGTERM:\n{self.output}"
