"""The files of claims: planted, read and compared on the nodes' own disks, so that nothing in the clusters is disturbed."""
from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path
from typing import Any, Iterable

Object = dict[str, Any]
Tree = dict[str, dict[str, Any]]

NODES = Path(__file__).resolve().parents[2] / ".testbed" / "nodes"
MAX_LINES = 12
ROOT_ENTRY = "."
SECOND = 1_000_000_000


def folder_of(volume: Object) -> Path | None:
    """Where a PersistentVolume of local-path lies on this machine; None if it is of another kind."""
    spec = volume["spec"]
    path = (spec.get("hostPath") or spec.get("local") or {}).get("path")
    terms = spec.get("nodeAffinity", {}).get("required", {}).get("nodeSelectorTerms", [])
    names = [name for term in terms for rule in term.get("matchExpressions", []) for name in rule["values"]]
    return NODES / names[0] / "volumes" / Path(path).name if path and names else None


def read_tree(folder: Path) -> Tree:
    """Every entry with all that a copy must keep. A hard link says which name of the file comes first."""
    tree: Tree = {}
    first: dict[int, str] = {}
    for path in [folder, *sorted(folder.rglob("*"), key=os.fsencode)]:
        name = printable(path.relative_to(folder))
        status = path.lstat()
        entry = tree[name] = describe(path, status)
        if stat.S_ISREG(status.st_mode) and status.st_nlink > 1:
            entry["same as"] = first.setdefault(status.st_ino, name)
    return tree


def printable(path: Path) -> str:
    """Names are bytes, and need not be UTF-8."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def describe(path: Path, status: os.stat_result) -> dict[str, Any]:
    entry: dict[str, Any] = {"mode": oct(status.st_mode), "owner": f"{status.st_uid}:{status.st_gid}", "mtime": status.st_mtime_ns}
    attributes = {name: os.getxattr(path, name, follow_symlinks=False).hex()
                  for name in sorted(os.listxattr(path, follow_symlinks=False))}
    if attributes:
        entry["attributes"] = attributes
    if stat.S_ISLNK(status.st_mode):
        entry["target"] = printable(Path(os.readlink(path)))
    elif stat.S_ISREG(status.st_mode):
        entry["size"] = status.st_size
        entry["content"] = hashlib.sha256(path.read_bytes()).hexdigest()
    return entry


def differences(then: Tree, now: Tree, root: bool = True) -> list[str]:
    """One line a difference. root: compare the volume's own folder too, which on a new volume is the provisioner's."""
    lines = []
    for name in sorted(then.keys() | now.keys()):
        if name == ROOT_ENTRY and not root:
            continue
        old, new = then.get(name), now.get(name)
        if old is None or new is None:
            lines.append(f"{name!r}: {'appeared' if old is None else 'is gone'}")
        elif old != new:
            parts = [f"{part} {old.get(part)} -> {new.get(part)}" for part in sorted(old.keys() | new.keys())
                     if old.get(part) != new.get(part)]
            lines.append(f"{name!r}: {', '.join(parts)}")
    return lines[:MAX_LINES] + ([f"... {len(lines)} differences in all"] if len(lines) > MAX_LINES else [])


# --- in a cluster -----------------------------------------------------------------------------------------------------

def folders(volumes: Iterable[Object], namespace: str) -> dict[str, Path]:
    """Claim -> folder, of the bound claims of a namespace."""
    found = {}
    for volume in volumes:
        claim = volume["spec"].get("claimRef") or {}
        folder = folder_of(volume)
        if claim.get("namespace") == namespace and folder is not None and volume.get("status", {}).get("phase") == "Bound":
            found[claim["name"]] = folder
    return found


# --- planting ---------------------------------------------------------------------------------------------------------

def plant(folder: Path, owner: int = 0, size: int = 300_000) -> None:
    """Files of every sort that an application may have made. owner: of those that are not another's on purpose."""
    os.chmod(folder, 0o2775)
    write(folder / "text", b"line 1\nline 2\n")
    write(folder / "empty", b"")
    write(folder / "binary", hashlib.shake_256(b"os2os").digest(size), 0o600)
    write(folder / "script", b"#!/bin/sh\nexit 0\n", 0o4755)
    write(folder / "unreadable", b"nobody may\n", 0o000)
    with open(folder / "sparse", "wb") as file:
        file.seek(3 << 20)
        file.write(b"end")
    deep = folder / "a" / "b" / "c"
    deep.mkdir(parents=True)
    write(deep / "leaf", b"deep\n")
    (folder / "shut").mkdir(mode=0o700)
    write(folder / "shut" / "inside", b"1")
    (folder / "nothing").mkdir(mode=0o1777)
    for name in ("with space", "-rf", "*", "new\nline", "tab\t", "quo'te\"", "\u00e4\u4e16", "back\\slash", ".hidden", "n" * 255):
        write(folder / name, name.encode())
    write(folder / os.fsdecode(b"not-utf8-\xff\xfe"), b"\xff")
    os.link(folder / "text", folder / "a" / "text again")
    os.link(folder / "text", folder / "zz")
    os.symlink("text", folder / "link")
    os.symlink("/no/such/place", folder / "dangling")
    os.symlink("..", deep / "up")
    os.mkfifo(folder / "pipe", 0o640)
    os.setxattr(folder / "text", "user.note", b"kept\x00too")
    settle(folder, owner)


def write(path: Path, content: bytes, mode: int = 0o644) -> None:
    path.write_bytes(content)
    path.chmod(mode)


def settle(folder: Path, owner: int) -> None:
    """Owners, and times long ago with nanoseconds; one before 1970."""
    for index, path in enumerate(sorted(folder.rglob("*"), key=os.fsencode, reverse=True)):
        mode = path.lstat().st_mode
        os.chown(path, owner, owner, follow_symlinks=False)
        if not stat.S_ISLNK(mode):
            path.chmod(stat.S_IMODE(mode))  # a change of owner takes set-id bits away
        moment = (index - 3) * 86_400 * SECOND + 123_456_789
        os.utime(path, ns=(moment, moment), follow_symlinks=False)


def is_sparse(path: Path) -> bool:
    status = path.lstat()
    return status.st_blocks * 512 < status.st_size // 2

