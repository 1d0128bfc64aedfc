#!/usr/bin/env python3
"""The shop's front: orders in PostgreSQL, a counter in Redis, a greeting from a ConfigMap.

    GET  /          what it knows, as JSON
    GET  /healthz   200 when the database answers
    GET  /orders    all orders: [[id, note], ...]
    POST /orders    the body becomes an order; 201 and its id once it is committed

Environment: PG* as libpq reads them, CACHE_HOST, GREETING_FILE.
"""
import json
import os
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


class Database:
    """One connection, made again when it was lost."""

    def __init__(self):
        self.lock, self.connection = threading.Lock(), None

    def connect(self):
        self.connection = psycopg2.connect("", connect_timeout=3, tcp_user_timeout=5000)
        with self.connection, self.connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(1)")  # two replicas may start together
            cursor.execute(TABLE)

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

    def do_GET(self):
        if self.path == "/":
            self.answer(200, front)
        elif self.path == "/healthz":
            self.answer(200, lambda: database.run("SELECT 1"))
        elif self.path == "/orders":
            self.answer(200, lambda: database.run("SELECT id, note FROM orders ORDER BY id"))
        else:
            self.reply(404, {"error": "no such page"})

    def do_POST(self):
        length = int(self.headers.get("Content-Length") or 0)
        if self.path != "/orders" or length > 65536:
            self.close_connection = True
            self.reply(404 if length <= 65536 else 413, {"error": "not accepted"})
            return
        note = self.rfile.read(length).decode("utf-8", "replace").replace("\0", "")
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
