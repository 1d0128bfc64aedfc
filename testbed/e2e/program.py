"""Running os2os: one command with its exit code and output, or one that runs while a scenario does other things."""
from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Mapping

ROOT = Path(__file__).resolve().parents[2]
BINARY = Path(os.environ.get("O2_BINARY", ROOT / "build" / "os2os"))
SEED = "O2_E2E_SEED"  # in the environment of every scenario of a run: what chooses samples
POLL_SECONDS = 0.05
TAIL_LINES = 30


class TooSlow(Exception):
    """Something that was waited for did not come in time."""


@dataclass
class Result:
    """What a command came to. code: its exit code; negative: the signal that ended it."""
    command: str
    code: int
    out: str
    err: str
    seconds: float
    killed: bool = False  # by the scenario
    lines: list[str] = field(init=False)

    def __post_init__(self) -> None:
        self.lines = [line for line in self.err.splitlines() if line.strip()]

    @property
    def errors(self) -> list[str]:
        return [line for line in self.lines if line.startswith("error: ")]

    @property
    def id(self) -> str:
        """The transaction that it began; empty if it began none."""
        found = re.search(r"^transaction (\w+)$", self.err, re.MULTILINE)
        return found.group(1) if found else ""

    def report(self) -> str:
        return (f"$ {self.command}\n  exit {self.code} after {self.seconds:.1f} s\n"
                f"{tail('stdout', self.out)}{tail('stderr', self.err)}")


def tail(name: str, text: str) -> str:
    lines = text.rstrip().splitlines()
    skipped = f"  {name}: ... {len(lines) - TAIL_LINES} lines before ...\n" if len(lines) > TAIL_LINES else ""
    return skipped + "".join(f"  {name}| {line}\n" for line in lines[-TAIL_LINES:])


class Running:
    """A command that runs. Its output goes to files, so that it never waits for a reader."""

    def __init__(self, command: list[str], env: Mapping[str, str], folder: Path, number: int) -> None:
        shown = [f"{name}={env[name]}" for name in ("OS2OS_FAULT",) if name in env]
        self.command = " ".join([*shown, "os2os", *command[1:]])
        self.out_path = folder / f"{number:02d}.stdout"
        self.err_path = folder / f"{number:02d}.stderr"
        self.began = time.monotonic()
        self.killed = False
        with open(self.out_path, "wb") as out, open(self.err_path, "wb") as err:
            self.process = subprocess.Popen(command, env=dict(env), stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                                            cwd=folder)

    def stderr(self) -> str:
        return self.err_path.read_text(encoding="utf-8", errors="replace")

    def signal(self, number: signal.Signals) -> None:
        if self.process.poll() is None:
            self.process.send_signal(number)

    def state(self) -> str:
        """`R`, `S`, `T` (stopped) ...; empty when it has ended."""
        try:
            stat = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="ascii", errors="replace")
        except OSError:
            return ""
        return stat.rpartition(")")[2].split()[0] if self.process.poll() is None else ""

    def wait_stopped(self, seconds: float) -> None:
        """Until it stands at the fault point at which it stops itself."""
        self._wait("stopped at its fault point", seconds, lambda: self.state() == "T")

    def wait_for(self, pattern: str, seconds: float) -> None:
        """Until a line of stderr matches."""
        self._wait(f"printed /{pattern}/", seconds, lambda: re.search(pattern, self.stderr(), re.MULTILINE) is not None)

    def wait_phase(self, phase: str, seconds: float) -> None:
        self.wait_for(rf"^\s*\d+:\d\d\s+{phase}$", seconds)

    def _wait(self, what: str, seconds: float, reached) -> None:
        end = time.monotonic() + seconds
        while not reached():
            if self.process.poll() is not None and not reached():
                raise TooSlow(f"it ended before it {what}\n{self.finish(1).report()}")
            if time.monotonic() > end:
                self.kill()
                raise TooSlow(f"it has not {what} within {seconds:.0f} s\n{self.finish(5).report()}")
            time.sleep(POLL_SECONDS)

    def kill(self) -> None:
        self.killed = True
        self.signal(signal.SIGKILL)

    def finish(self, seconds: float) -> Result:
        """Wait for its end."""
        try:
            code = self.process.wait(max(seconds, 0.1))
        except subprocess.TimeoutExpired:
            self.kill()
            self.process.wait(10)
            result = self._result(-signal.SIGKILL)
            raise TooSlow(f"it has not ended within {seconds:.0f} s\n{result.report()}") from None
        return self._result(code)

    def _result(self, code: int) -> Result:
        out = self.out_path.read_text(encoding="utf-8", errors="replace")
        return Result(self.command, code, out, self.stderr(), time.monotonic() - self.began, self.killed)
