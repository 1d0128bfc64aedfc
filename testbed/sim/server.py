"""A simulated pair of clusters over sockets: build/sim-server, started and ended."""
from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from types import TracebackType

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("BUILD", ROOT / "build"))


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
