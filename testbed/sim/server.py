"""A simulated pair of clusters over sockets: build/sim-server, started and ended."""
from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from types import TracebackType

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("BUILD", ROOT / "build"))

SECONDS = 120
CONFIG = """apiVersion: v1
kind: Config
clusters:
- {{name: a, cluster: {{server: "{a}"}}}}
- {{name: b, cluster: {{server: "{b}"}}}}
users:
- {{name: nobody, user: {{}}}}
contexts:
- {{name: a, context: {{cluster: a, user: nobody}}}}
- {{name: b, context: {{cluster: b, user: nobody}}}}
"""


def run_os2os(a: str, b: str, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Migrate the namespace "shop" between two addresses; `folder` is home, and holds the kubeconfig."""
    config = folder / "config"
    config.write_text(CONFIG.format(a=a, b=b), encoding="utf-8")
    command = [str(BUILD / "os2os"), "migrate", "--kubeconfig", str(config), "--from", "a", "--to", "b", "-n", "shop", *options, "--yes"]
    env = {"HOME": str(folder), "XDG_STATE_HOME": str(folder), "XDG_CONFIG_HOME": str(folder), "NO_COLOR": "1",
           "PATH": "/usr/bin:/bin", "NO_PROXY": "*"}
    return subprocess.run(command, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SECONDS, check=False)


class Server:
    """Serves from `with` to its end. ports: of the clusters "a" and "b"."""

    def __init__(self, *options: str) -> None:
        self.process = subprocess.Popen([BUILD / "sim-server", "--a", "0", "--b", "0", *options], cwd=ROOT,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"sim-server ended with {self.process.wait()}")
        self.ports: dict[str, int] = json.loads(line)

    def url(self, cluster: str) -> str:
        return f"http://127.0.0.1:{self.ports[cluster]}"

    def __enter__(self) -> Server:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.process.communicate()  # the end of its stdin ends it
        if self.process.returncode != 0 and kind is None:
            raise RuntimeError(f"sim-server ended with {self.process.returncode}")
