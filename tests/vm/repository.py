#!/usr/bin/env python3
"""A repository of restic that is reached over the network: the part of its REST protocol (version 2) that restic uses.

  repository.py FOLDER PORT ADDRESS   serves it on this address and on 127.0.0.1
  repository.py --pipe PORT           standard input and output become a connection to that port: what a guest's connection is given
"""
import http.server
import json
import os
import re
import selectors
import socket
import sys
import threading

TYPES = ("data", "index", "keys", "locks", "snapshots")


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _path(self):
        """The file or folder that is asked for; none for what is no name of a repository."""
        path = self.path.partition("?")[0].strip("/")
        parts = path.split("/")
        if not all(re.fullmatch(r"[0-9a-z-]{1,64}", part) for part in parts if part):
            return None
        return os.path.join(self.server.folder, *parts)

    def _answer(self, status, content=b"", kind="application/octet-stream", length=None):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content) if length is None else length))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def do_HEAD(self):
        path = self._path()
        if path and os.path.isfile(path):
            return self._answer(200, length=os.path.getsize(path))
        return self._answer(404)

    def do_GET(self):
        path = self._path()
        if path and os.path.isdir(path):
            listed = [{"name": name, "size": os.path.getsize(os.path.join(path, name))} for name in sorted(os.listdir(path))]
            return self._answer(200, json.dumps(listed).encode(), "application/vnd.x.restic.rest.v2")
        if not path or not os.path.isfile(path):
            return self._answer(404)
        with open(path, "rb") as handle:
            content = handle.read()
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if asked:
            end = int(asked[2]) + 1 if asked[2] else len(content)
            return self._answer(206, content[int(asked[1]):end])
        return self._answer(200, content)

    def do_POST(self):
        path, content = self._path(), self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if path is None:
            return self._answer(400)
        if "create=true" in self.path:
            for name in TYPES:
                os.makedirs(os.path.join(path, name), exist_ok=True)
            return self._answer(200)
        with open(f"{path}.new", "wb") as handle:
            handle.write(content)
        os.rename(f"{path}.new", path)
        return self._answer(200)

    def do_DELETE(self):
        path = self._path()
        if not path or not os.path.isfile(path):
            return self._answer(404)
        os.unlink(path)
        return self._answer(200)

    def log_message(self, *_):
        pass


def pipe(port):
    with socket.create_connection(("127.0.0.1", port)) as link, selectors.DefaultSelector() as waiting:
        waiting.register(link, selectors.EVENT_READ)
        waiting.register(0, selectors.EVENT_READ)
        while True:
            for key, _ in waiting.select():
                if key.fd == 0:
                    data = os.read(0, 65536)
                    if not data:
                        return
                    link.sendall(data)
                else:
                    data = link.recv(65536)
                    if not data:
                        return
                    while data:
                        data = data[os.write(1, data):]


def serve(folder, port, address):
    servers = [http.server.ThreadingHTTPServer((place, port), Handler) for place in ("127.0.0.1", address)]
    for server in servers:
        server.folder = folder
    threading.Thread(target=servers[0].serve_forever, daemon=True).start()
    servers[1].serve_forever()


if __name__ == "__main__":
    if sys.argv[1] == "--pipe":
        pipe(int(sys.argv[2]))
    else:
        serve(sys.argv[1], int(sys.argv[2]), sys.argv[3])
