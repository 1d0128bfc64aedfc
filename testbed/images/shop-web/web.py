#!/usr/bin/env python3
"""The shop's front: orders in PostgreSQL, a counter in Redis, a greeting from a ConfigMap; and a ledger for testbed/ledger.

    GET  /          what it knows, as JSON
    GET  /healthz   200 when the database answers
    GET  /orders    all orders: [[id, note], ...]
    POST /orders    the body becomes an order; 201 and its id once it is committed
    POST /ledger    {"client": text, "seq": number, "token": text} becomes a row, once; 200 and the row after its commit,
                    503 when it was not accepted, 504 when that is not known, 409 when the row is there with another token
    GET  /ledger    all these rows, a line of JSON each, and in the end {"rows": number}

Environment: PG* as libpq reads them, CACHE_HOST, GREETING_FILE.
"""
import hashlib
import json
import os
import secrets
import signal
import socket
import ssl
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import psycopg2

ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount/"
TABLE = """CREATE TABLE IF NOT EXISTS orders (
    id bigserial PRIMARY KEY, note text NOT NULL, at timestamptz NOT NULL DEFAULT now())"""
LEDGER = """CREATE TABLE IF NOT EXISTS ledger (
    client text, seq bigint, token text NOT NULL, written_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    by text NOT NULL, PRIMARY KEY (client, seq))"""
START = secrets.token_hex(4)


class Unsure(Exception):
    """The commit was sent and nothing came back."""


def cluster():
    """What tells clusters apart: their authority. Read each time, since a process may be moved while it runs."""
    try:
        with open(ACCOUNT + "ca.crt", "rb") as file:
            return hashlib.sha256(file.read()).hexdigest()[:12]
    except OSError:
        return ""


class Database:
    """One connection, made again when it was lost."""

    def __init__(self):
        self.lock, self.connection, self.name = threading.Lock(), None, ""

    @staticmethod
    def open():
        return psycopg2.connect("", connect_timeout=3, tcp_user_timeout=5000)

    def connect(self):
        fresh = self.open()
        with fresh, fresh.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(1)")  # two replicas may start together
            cursor.execute(TABLE)
            cursor.execute(LEDGER)
            cursor.execute("SELECT system_identifier, extract(epoch FROM pg_postmaster_start_time()) FROM pg_control_system()")
            self.name = "/".join(map(str, cursor.fetchone()))
        self.connection = fresh

    def run(self, statement, *values):
        with self.lock:
            if self.connection is None or self.connection.closed:
                self.connect()
            try:
                with self.connection, self.connection.cursor() as cursor:
                    cursor.execute(statement, values)
                    return cursor.fetchall()
            except psycopg2.OperationalError:
                self.connection.close()
                raise

    def accept(self, client, seq, token):
        """A row of the ledger, durable when this returns: its token, who accepted it first, who answers, and whether it is new."""
        if not self.lock.acquire(timeout=2):  # no longer than who asks waits for the answer
            raise psycopg2.OperationalError("the database is busy")
        try:
            return self.write(client, seq, token)
        finally:
            self.lock.release()

    def write(self, client, seq, token):
        if self.connection is None or self.connection.closed:
            self.connect()
        me = f"{cluster()}/{socket.gethostname()}/{START}/{self.name}"
        committing = False
        try:
            with self.connection.cursor() as cursor:
                cursor.execute("SET LOCAL synchronous_commit TO on")
                cursor.execute("INSERT INTO ledger (client, seq, token, by) VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING",
                               (client, seq, token, me))
                new = cursor.rowcount == 1
                cursor.execute("SELECT token, by FROM ledger WHERE client = %s AND seq = %s", (client, seq))
                stored, by = cursor.fetchone()
            committing = True
            self.connection.commit()
        except psycopg2.Error as error:
            self.connection.close()
            if committing:
                raise Unsure(str(error)) from error
            raise
        return {"client": client, "seq": seq, "token": stored, "by": by, "answered": me, "new": new}

    def dump(self):
        """All rows of the ledger as of one moment, in batches of lines; a connection of its own, so that writers need not wait."""
        connection = self.open()
        try:
            with connection, connection.cursor(name="dump") as cursor:
                cursor.execute("SELECT client, seq, token, extract(epoch FROM written_at)::text, by FROM ledger ORDER BY client, seq")
                count = 0
                while rows := cursor.fetchmany(2000):
                    count += len(rows)
                    yield "".join(json.dumps(dict(zip(("client", "seq", "token", "at", "by"), row))) + "\n" for row in rows)
                yield json.dumps({"rows": count}) + "\n"
        finally:
            connection.close()


def count_visit():
    """The cached counter, or what is wrong with the cache: the shop works without it."""
    try:
        with socket.create_connection((os.environ.get("CACHE_HOST", "cache"), 6379), timeout=2) as cache:
            cache.sendall(b"INCR visits\r\n")
            return int(cache.recv(64).lstrip(b":"))
    except (OSError, ValueError) as error:
        return str(error)


def greeting():
    try:
        with open(os.environ.get("GREETING_FILE", "/etc/shop/greeting"), encoding="utf-8") as file:
            return file.read().strip()
    except OSError as error:
        return str(error)


def ask_api():
    """Read the shop's own ConfigMap with the pod's service account."""
    try:
        with open(ACCOUNT + "token", encoding="utf-8") as file:
            token = file.read()
        with open(ACCOUNT + "namespace", encoding="utf-8") as file:
            namespace = file.read()
        request = urllib.request.Request(
            f"https://{os.environ['KUBERNETES_SERVICE_HOST']}/api/v1/namespaces/{namespace}/configmaps/greeting",
            headers={"Authorization": "Bearer " + token})
        context = ssl.create_default_context(cafile=ACCOUNT + "ca.crt")
        with urllib.request.urlopen(request, timeout=2, context=context) as answer:
            return json.load(answer)["kind"]
    except (OSError, ValueError, KeyError) as error:
        return str(error)


class Remembered:
    """An answer that is asked for anew at most every ten seconds."""

    def __init__(self, ask):
        self.ask, self.answer, self.until = ask, None, 0.0

    def get(self):
        if time.monotonic() >= self.until:
            self.answer, self.until = self.ask(), time.monotonic() + 10
        return self.answer


database = Database()
api = Remembered(ask_api)


def front():
    return {
        "rows": database.run("SELECT count(*) FROM orders")[0][0],
        "visits": count_visit(),
        "greeting": greeting(),
        "currency": os.environ.get("CURRENCY"),
        "api": api.get(),
        "host": socket.gethostname(),
    }


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def reply(self, status, value):
        body = json.dumps(value).encode() + b"\n"
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def answer(self, status, function):
        try:
            self.reply(status, function())
        except psycopg2.Error as error:
            self.reply(503, {"error": str(error).strip()})

    def stream(self, parts):
        """Parts as they come. When one fails the answer stays without its end, which the reader sees."""
        try:
            part = next(parts)
        except psycopg2.Error as error:
            self.reply(503, {"error": str(error).strip()})
            return
        self.send_response(200)
        self.send_header("Content-Type", "application/jsonl")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.close_connection = True
        try:
            while part:
                body = part.encode()
                self.wfile.write(b"%x\r\n%s\r\n" % (len(body), body))
                part = next(parts, "")
            self.wfile.write(b"0\r\n\r\n")
        except psycopg2.Error:
            pass

    def accept(self, body):
        try:
            row = json.loads(body)
            client, seq, token = str(row["client"]), int(row["seq"]), str(row["token"])
        except (ValueError, KeyError, TypeError) as error:
            self.reply(400, {"error": f"not a row: {error}"})
            return
        try:
            answer = database.accept(client, seq, token)
            self.reply(200 if answer["token"] == token else 409, answer)
        except Unsure as error:
            self.reply(504, {"error": str(error).strip()})
        except psycopg2.Error as error:
            self.reply(503, {"error": str(error).strip()})

    def do_GET(self):
        if self.path == "/":
            self.answer(200, front)
        elif self.path == "/healthz":
            self.answer(200, lambda: database.run("SELECT 1"))
        elif self.path == "/orders":
            self.answer(200, lambda: database.run("SELECT id, note FROM orders ORDER BY id"))
        elif self.path == "/ledger":
            self.stream(database.dump())
        else:
            self.reply(404, {"error": "no such page"})

    def do_POST(self):
        length = int(self.headers.get("Content-Length") or 0)
        if self.path not in ("/orders", "/ledger") or length > 65536:
            self.close_connection = True
            self.reply(404 if length <= 65536 else 413, {"error": "not accepted"})
            return
        note = self.rfile.read(length).decode("utf-8", "replace").replace("\0", "")
        if self.path == "/ledger":
            self.accept(note)
            return
        self.answer(201, lambda: database.run("INSERT INTO orders (note) VALUES (%s) RETURNING id", note)[0][0])

    def log_message(self, format, *args):
        pass


def main():
    server = ThreadingHTTPServer(("", 8080), Handler)
    # As process 1 it would not end by itself. Running requests are answered first.
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    server.daemon_threads = False
    server.serve_forever()


if __name__ == "__main__":
    main()
