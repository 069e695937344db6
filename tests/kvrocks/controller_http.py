# SPDX-License-Identifier: Apache-2.0
"""controller_http.py: the HTTP interface of kvrocks-controller in front of its test double (controller.py)."""
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from controller import ranges_text
from kvrocks_node import Error

PATH = "/api/v1/namespaces/ns/clusters/main"
# Here it answers as one that is not the leader: with the leader's URL.
FOLLOWER = "/follower"


class ControllerHttp:
    """Serves one controller; `down` makes it close connections without an answer."""

    def __init__(self, controller):
        self.controller, self.requests, self.down = controller, [], False
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                outer.serve(self, None)

            def do_POST(self):
                outer.serve(self, self.rfile.read(int(self.headers["Content-Length"])))

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}{PATH}"
        self.follower_url = self.url.replace(PATH, FOLLOWER + PATH)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def cluster(self):
        shards = [{"nodes": [{"id": node.id, "addr": f"{node.address}:{node.port}",
                              "role": "master" if node is shard.master else "slave"} for node in shard.nodes],
                   "slot_ranges": ranges_text(shard.slots).split(), "target_shard_index": -1, "migrating_slot": None}
                  for shard in self.controller.shards]
        return {"cluster": {"name": "main", "version": self.controller.version, "shards": shards}}

    def serve(self, request, body):
        try:
            self.answer(request, body)
        except ConnectionError:  # a client that was killed
            request.close_connection = True

    def answer(self, request, body):
        if self.down:
            request.close_connection = True
            return
        if request.path.startswith(FOLLOWER):
            request.send_response(307)
            request.send_header("Location", self.url + ("" if body is None else "/migrate"))
            request.send_header("Content-Length", "0")
            request.end_headers()
            return
        code, document = 200, None
        if body is None and request.path == PATH:
            document = {"data": self.cluster()}
        elif body is not None and request.path == PATH + "/migrate":
            self.requests.append(json.loads(body))
            code, document = self.migrate(self.requests[-1])
        else:
            code, document = 404, {"error": {"message": "not found"}}
        text = json.dumps(document).encode()
        request.send_response(code)
        request.send_header("Content-Type", "application/json")
        request.send_header("Content-Length", str(len(text)))
        request.end_headers()
        request.wfile.write(text)

    def migrate(self, wanted):
        first, _, last = wanted["slot"].partition("-")
        slots = set(range(int(first), int(last or first) + 1))
        source = next((shard for shard in self.controller.shards if slots <= shard.slots), None)
        if source is None:
            return 400, {"error": {"message": "no shard has these slots"}}
        try:
            self.controller.migrate(source, self.controller.shards[wanted["target"]], int(first), int(last or first))
        except (Error, OSError) as error:
            return 500, {"error": {"message": str(error)}}
        return 200, {"data": self.cluster()}
