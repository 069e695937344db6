# SPDX-License-Identifier: Apache-2.0
"""haul_proxy.py: stands between a source and one destination, and does something at a named message.

It has a Redis port of its own, and replaces the port in the answer to HAUL ENDPOINT by its own, so that
control channel and data links pass through it as well. docs/PROTOCOL.md has the messages. Those of the control
channel are under TLS; one of the nodes writes its secrets to `keylog`.
"""
import socket
import struct
import threading

from tls_reader import CLIENT_HELLO_FIRST_BYTE, HEAD_BYTES, TlsSession

# The names of messages, in the order of a migration.
SOURCE_MESSAGES = {1: "hello", 3: "plan", 7: "prepare", 9: "commit", 11: "abort"}
TARGET_MESSAGES = {2: "welcome", 4: "plan-accepted", 8: "prepared", 10: "committed", 12: "aborted"}
BLOCK_LANES = {1: "snapshot", 2: "delta"}
STAGES = ["endpoint", "hello", "plan", "plan-accepted", "snapshot", "delta", "prepare", "prepared", "commit",
          "committed"]
PREAMBLE_BYTES, FRAME_BYTES, SLOT_BYTES = 64, 16, 64


class HaulProxy:
    def __init__(self, node_port, keylog):
        self.node_port, self.keylog = node_port, keylog
        self.haul_port = 0
        self.lock = threading.Lock()
        self.sockets = set()
        self.refusing = False
        self.open = threading.Event()
        self.open.set()
        self.hooks = {}
        self.reached = {}
        self.redis = self.listen(self.serve_redis)
        self.haul = self.listen(self.serve_haul)
        self.port = self.redis.getsockname()[1]

    def listen(self, serve):
        listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self.accept, args=(listener, serve), daemon=True).start()
        return listener

    def accept(self, listener, serve):
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self.connect, args=(near, serve), daemon=True).start()

    def connect(self, near, serve):
        far_port = self.node_port if serve == self.serve_redis else self.haul_port
        try:
            if self.refusing:
                raise ConnectionError("cut")
            far = socket.create_connection(("127.0.0.1", far_port))
        except OSError:
            near.close()
            return
        for end in (near, far):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self.lock:
            self.sockets |= {near, far}
        serve(near, far)

    # --- what a test does with it ---------------------------------------------------------------------

    def at(self, stage, action):
        """Call action() once, when the message is about to be forwarded; if it returns "drop", the message is lost."""
        self.reached[stage] = threading.Event()
        self.hooks[stage] = action
        return self.reached[stage]

    def cut(self):
        """End every connection and refuse new ones, until heal()."""
        self.refusing = True
        with self.lock:
            ends, self.sockets = self.sockets, set()
        for end in ends:
            self.end(end)

    def stall(self):
        """Forward nothing, silently, until heal()."""
        self.open.clear()

    def heal(self):
        self.refusing = False
        self.open.set()

    def close(self):
        self.hooks = {}
        self.cut()
        self.heal()
        for listener in (self.redis, self.haul):
            self.end(listener)

    # --- passing on -----------------------------------------------------------------------------------

    @staticmethod
    def end(end):
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        end.close()

    def message(self, stage):
        """False: the message is lost, and its connection with it."""
        hook = self.hooks.pop(stage, None)
        if hook is None:
            return True
        verdict = hook()
        self.reached[stage].set()
        return verdict != "drop"

    def pump(self, source, sink, move):
        try:
            while move(source, sink):
                pass
        except OSError:
            pass
        self.end(source)
        self.end(sink)

    def both(self, near, far, forth, back):
        threading.Thread(target=self.pump, args=(near, far, forth), daemon=True).start()
        self.pump(far, near, back)

    def send(self, sink, data):
        self.open.wait()
        sink.sendall(data)
        return True

    @staticmethod
    def read(source, size):
        data = bytearray()
        while len(data) < size:
            piece = source.recv(min(size - len(data), 1 << 20))
            if not piece:
                raise ConnectionError("the end")
            data += piece
        return bytes(data)

    def bytes(self, source, sink):
        data = source.recv(1 << 16)
        return bool(data) and self.send(sink, data)

    def serve_redis(self, near, far):
        self.both(near, far, self.bytes, self.answer)

    def answer(self, source, sink):
        """Forward an answer of a Redis connection, with the proxy's haul port in place of the real one."""
        data = source.recv(1 << 16)
        words = data.split()
        if data.startswith(b"+haul ") and words[1].isdigit():
            self.haul_port = int(words[1])
            if not self.message("endpoint"):
                return False
            data = b"+haul %d 127.0.0.1\r\n" % self.haul.getsockname()[1]
        return bool(data) and self.send(sink, data)

    def serve_haul(self, near, far):
        try:
            if near.recv(1, socket.MSG_PEEK) == CLIENT_HELLO_FIRST_BYTE:
                session = TlsSession(self.keylog)
                self.both(near, far, ControlWay(self, session.client, SOURCE_MESSAGES).move,
                          ControlWay(self, session.server, TARGET_MESSAGES).move)
                return
            self.send(far, self.read(near, PREAMBLE_BYTES))
            self.send(near, self.read(far, PREAMBLE_BYTES))
        except OSError:
            self.end(near)
            self.end(far)
            return
        self.both(near, far, self.block, self.bytes)

    def block(self, source, sink):
        head = self.read(source, SLOT_BYTES)
        lane, (size,) = head[7], struct.unpack_from("<I", head, 40)
        payload = self.read(source, size)
        return self.message(BLOCK_LANES.get(lane) if head[6] == 1 else None) and self.send(sink, head + payload)


class ControlWay:
    """One direction of the control connection: a preamble or its answer, then messages."""

    def __init__(self, proxy, tls, names):
        self.proxy, self.tls, self.names = proxy, tls, names
        self.unread, self.begun = b"", False

    def move(self, source, sink):
        """Forward one TLS record, unless a message that ends in it is to be lost."""
        head = self.proxy.read(source, HEAD_BYTES)
        record = head + self.proxy.read(source, struct.unpack_from(">H", head, 3)[0])
        self.unread += self.tls.open(record)
        return all(self.proxy.message(self.names.get(kind)) for kind in self.messages()) and self.proxy.send(sink, record)

    def messages(self):
        """The types of the messages that are complete by now."""
        if not self.begun and len(self.unread) >= PREAMBLE_BYTES:
            self.unread, self.begun = self.unread[PREAMBLE_BYTES:], True
        while self.begun and len(self.unread) >= FRAME_BYTES:
            kind, _, size = struct.unpack_from("<HHI", self.unread, 4)
            if len(self.unread) < FRAME_BYTES + size:
                return
            self.unread = self.unread[FRAME_BYTES + size:]
            yield kind
