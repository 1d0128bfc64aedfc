"""HTTP/1.1 and WebSocket as bytes: where a message ends, without what it means. For the proxy."""
from __future__ import annotations

import re
import select
import ssl
from dataclasses import dataclass
from typing import Iterator

PIECE_BYTES = 65536
HEAD_BYTES = 65536
DATA_OPCODES = (0, 1, 2)  # continued, text, binary; the others close, ping and answer pings


class Gone(Exception):
    """The other end has closed, or what came is no HTTP."""


class Link:
    """One side of a connection: a TLS socket, and what was read ahead of its use. For one thread."""

    def __init__(self, sock: ssl.SSLSocket) -> None:
        self.sock = sock
        self.ahead = b""
        self.beside: Link | None = None  # whoever waits for what is read here: if that one goes, reading ends

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def close(self) -> None:
        self.sock.close()

    def line(self) -> bytes:
        """With its end."""
        while b"\n" not in self.ahead:
            if len(self.ahead) > HEAD_BYTES:
                raise Gone("a line without an end")
            self._fill()
        line, end, self.ahead = self.ahead.partition(b"\n")
        return line + end

    def some(self, most: int = PIECE_BYTES) -> bytes:
        """What there is, at least a byte."""
        if not self.ahead:
            self._fill()
        piece, self.ahead = self.ahead[:most], self.ahead[most:]
        return piece

    def at_once(self) -> bytes | None:
        """What is there without waiting; None if it is nothing, b"" at the end."""
        if self.ahead:
            return self.some()
        seconds = self.sock.gettimeout()
        self.sock.settimeout(0)
        try:
            return self.sock.recv(PIECE_BYTES)
        except (ssl.SSLWantReadError, BlockingIOError):
            return None
        except OSError:
            return b""
        finally:
            self.sock.settimeout(seconds)

    def _fill(self) -> None:
        if self.beside and not self.sock.pending():
            found = readable([self, self.beside], self.sock.gettimeout())
            if self not in found:
                raise Gone("nobody waits for it any more")
        piece = self.sock.recv(PIECE_BYTES)
        if not piece:
            raise Gone("closed")
        self.ahead += piece


def readable(links: list[Link], seconds: float | None) -> list[Link]:
    """Those of which something can be read, or which have ended; none after that time."""
    found = [link for link in links if link.ahead or link.sock.pending()]
    if found:
        return found
    ready = select.select([link.sock for link in links], [], [], seconds)[0]
    return [link for link in links if link.sock in ready]


# --- heads and bodies -------------------------------------------------------------------------------------------------

@dataclass
class Head:
    """The first line and the fields of a request or of an answer."""
    lines: list[bytes]

    @property
    def words(self) -> list[str]:
        return self.lines[0].decode("latin-1").split(None, 2)

    @property
    def status(self) -> int:
        return int(self.words[1])

    def field(self, name: str) -> str:
        """In small letters; empty if there is none."""
        for line in self.lines[1:]:
            found, _, value = line.decode("latin-1").partition(":")
            if found.strip().lower() == name:
                return value.strip().lower()
        return ""

    def without(self, *names: str) -> "Head":
        kept = [line for line in self.lines[1:] if line.partition(b":")[0].strip().lower().decode("latin-1") not in names]
        return Head([self.lines[0], *kept])

    def bytes(self) -> bytes:
        return b"".join(self.lines) + b"\r\n"


def read_head(link: Link) -> Head:
    lines: list[bytes] = []
    while True:
        line = link.line()
        if not line.strip():
            break
        lines.append(line)
        if sum(map(len, lines)) > HEAD_BYTES:
            raise Gone("a head without an end")
    if not lines or len(lines[0].split()) < 2:
        raise Gone("no head")
    return Head(lines)


def body_of_request(link: Link, head: Head) -> Iterator[bytes]:
    """In pieces as they came, with the sizes of their chunks."""
    if head.field("transfer-encoding") == "chunked":
        yield from chunks(link)
    else:
        yield from counted(link, int(head.field("content-length") or 0))


def body_of_answer(link: Link, head: Head, method: str) -> Iterator[bytes]:
    if method == "HEAD" or head.status in (204, 304):
        return
    if head.field("transfer-encoding") == "chunked" or head.field("content-length"):
        yield from body_of_request(link, head)
        return
    while True:
        try:
            yield link.some()
        except Gone:
            return


def counted(link: Link, left: int) -> Iterator[bytes]:
    while left > 0:
        piece = link.some(left)
        left -= len(piece)
        yield piece


def chunks(link: Link) -> Iterator[bytes]:
    while True:
        line = link.line()
        yield line
        size = re.match(rb"[0-9A-Fa-f]+", line)
        if size is None:
            raise Gone("no chunk")
        if int(size.group(), 16) == 0:
            break
        yield from counted(link, int(size.group(), 16))
        yield link.line()
    while line.strip():
        line = link.line()
        yield line


# --- WebSocket --------------------------------------------------------------------------------------------------------

class Frames:
    """Cuts what passes in one direction where frames begin."""

    def __init__(self) -> None:
        self.head = b""
        self.left = 0

    def cut(self, data: bytes) -> Iterator[tuple[bytes, bool]]:
        """Pieces; is one the beginning of a frame with data? The beginning of a head waits for its end."""
        while data:
            if self.left:
                piece, data = data[:self.left], data[self.left:]
                self.left -= len(piece)
                yield piece, False
                continue
            self.head, data = self.head + data[:1], data[1:]
            if len(self.head) >= 2 and len(self.head) == head_size(self.head):
                head, self.head = self.head, b""
                self.left = payload_size(head)
                yield head, head[0] & 0x0f in DATA_OPCODES and self.left > 0


def head_size(head: bytes) -> int:
    return 2 + {126: 2, 127: 8}.get(head[1] & 0x7f, 0) + (4 if head[1] & 0x80 else 0)


def payload_size(head: bytes) -> int:
    size = head[1] & 0x7f
    wide = {126: 2, 127: 8}.get(size, 0)
    return int.from_bytes(head[2:2 + wide], "big") if wide else size
