# SPDX-License-Identifier: Apache-2.0
"""idle_target.py — a target that is alive and does nothing: it proceeds to a stage of docs/PROTOCOL.md, and from
there on only sends keep-alives.

    idle_target.py STAGE

STAGE is the first thing that it does not send: answer (to the preamble), welcome, accepted, links, credits,
prepared. Prints its address as `listening on ADDR:PORT`, then a line for each message that arrives.
"""
import os
import socket
import struct
import sys
import threading
import time

from stranger import (ACCEPTED, HELLO, LINK, PLAN, TYPES, WELCOME, bytes_field, crc32c, frame, number_field,
                      receive)

STAGES = ["answer", "welcome", "accepted", "links", "credits", "prepared"]
PROGRESS = 6
SLOT_BYTES = 4 << 20


def with_checksum(head):
    return head + struct.pack("<I", crc32c(head))


class Target:
    def __init__(self, stage):
        self.last = STAGES.index(stage)
        self.control = None
        self.lock = threading.Lock()
        self.listener = socket.socket()
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(16)
        print("listening on 127.0.0.1:%d" % self.listener.getsockname()[1], flush=True)

    def comes(self, stage):
        return STAGES.index(stage) < self.last

    def say(self, kind, body=b""):
        with self.lock:
            self.control.sendall(frame(kind, body))

    def keep_alive(self, control):
        while self.control is control:
            try:
                self.say(0)
            except OSError:
                return
            time.sleep(0.02)

    def on_control(self, control):
        while True:
            head = receive(control, 16)
            kind, _, size, _ = struct.unpack("<HHII", head[4:])
            receive(control, size)
            if kind:
                print(TYPES[kind], flush=True)
            if kind == HELLO and self.comes("welcome"):
                self.say(WELCOME, number_field(1, 1) + number_field(2, 1) + bytes_field(6, b"idle")
                         + bytes_field(7, os.urandom(16)) + number_field(10, 16) + number_field(11, SLOT_BYTES)
                         + bytes_field(13, os.urandom(16)) + number_field(14, 5000)
                         + bytes_field(20, number_field(1, 2)))
            elif kind == PLAN and self.comes("accepted"):
                self.say(ACCEPTED, bytes_field(1, bytes([0])) + number_field(5, 2))

    def on_data(self, data, index):
        self.say(LINK, number_field(1, index) + number_field(2, 2)
                 + bytes_field(3, b"TCLK" + struct.pack("<HHII", 1, 0, 16, SLOT_BYTES)))
        done = 0
        while True:
            head = receive(data, 64)
            receive(data, struct.unpack("<I", head[40:44])[0])
            done += 1
            if self.comes("credits"):
                epoch = struct.unpack("<Q", head[8:16])[0]
                data.sendall(with_checksum(struct.pack("<QQQ", epoch, done, done) + b"CRDT"))
                self.say(PROGRESS, number_field(3, 1) + number_field(6, 1))

    def serve(self, connection):
        try:
            purpose, _, index = struct.unpack("<HHI", receive(connection, 64)[12:20])
            if not self.comes("answer") or (purpose == 2 and not self.comes("links")):
                time.sleep(3600)
            connection.sendall(with_checksum(b"HAULANS1" + struct.pack("<HHI", 1, 1, 0) + bytes(44)))
            if purpose == 2:
                self.on_data(connection, index)
            else:
                self.control = connection
                threading.Thread(target=self.keep_alive, args=(connection,), daemon=True).start()
                self.on_control(connection)
        except (EOFError, OSError):
            pass

    def run(self):
        while True:
            connection, _ = self.listener.accept()
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()


Target(sys.argv[1]).run()
