#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""crowd_writer.py: thousands of writes a second to a cluster, as of many clients at once, and a ledger of their
answers.

A process of its own, so that it keeps its pace whatever the test does. The first line of stdin is its task, as JSON:
nodes [[host, port], ...], rate, keys, seed, file. Then "count" prints how many writes are acknowledged, and "end" ends
it, with the ledger in the file and a document of figures on stdout.

The n-th write sets its key to a value that begins with n. A key has one write at a time, which is repeated until it is
acknowledged. A write whose answer is lost may have been executed, or be executed still: it is the last one of its key,
and another key takes its place.
"""
import array
import binascii
import collections
import json
import os
import random
import selectors
import socket
import sys
import time

TICK_S = 0.004
# A node that answers nothing for so long has lost what it was sent.
ANSWER_S = 5
OPEN_MAX = 2000
# After a refused write; after a refused connection, to which a restart may take seconds.
AGAIN_S = 0.01
CONNECT_AGAIN_S = 0.25
PADDING = ":" + "x" * 80
ELSEWHERE = (b"CLUSTERDOWN", b"LOADING", b"MASTERDOWN", b"READONLY")


def key_name(index):
    return f"crowd:{index}"


class Connection:
    """Commands in, answers out in the same order."""

    def __init__(self, host, port):
        self.port, self.connected = port, False
        self.to_send, self.received = bytearray(), bytearray()
        self.waiting = collections.deque()
        self.heard_at = time.monotonic()
        self.socket = socket.socket()
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.connect_ex((host, port))

    def put(self, number, command):
        if not self.waiting:
            self.heard_at = time.monotonic()
        self.waiting.append(number)
        self.to_send += command

    def flush(self):
        if self.to_send and self.connected:
            try:
                del self.to_send[: self.socket.send(self.to_send)]
            except BlockingIOError:
                pass

    def read(self):
        """Whole lines that have come; OSError: the connection is over."""
        try:
            data = self.socket.recv(1 << 18)
        except BlockingIOError:
            return []
        if not data:
            raise ConnectionError("closed")
        self.heard_at = time.monotonic()
        self.received += data
        *lines, rest = self.received.split(b"\r\n")
        self.received = bytearray(rest)
        return lines


class Crowd:
    def __init__(self, task):
        self.hosts = {port: host for host, port in task["nodes"]}
        self.ports = list(self.hosts)
        self.rate, self.path = task["rate"], task["file"]
        self.chance = random.Random(task["seed"])
        # Of each key that is written to; of each write: key, time of its acknowledgement (0: none), node.
        self.active, self.keys_made = list(range(task["keys"])), task["keys"]
        self.key, self.acknowledged_at, self.port = array.array("I"), array.array("d"), array.array("H")
        self.busy = {}  # key: its place in `active`
        self.owners, self.connections = {}, {}
        self.again = collections.deque()  # (when, write)
        self.began_at = {}
        self.selector = selectors.DefaultSelector()
        self.acknowledged, self.unknown, self.refused, self.longest_s = 0, 0, 0, 0.0
        self.problem = None

    # --- writes ----------------------------------------------------------------------------------------------

    def begin(self):
        place = self.chance.randrange(len(self.active))
        if self.active[place] in self.busy:
            return
        key = self.active[place]
        self.busy[key] = place
        number = len(self.key)
        self.key.append(key)
        self.acknowledged_at.append(0.0)
        self.port.append(0)
        self.began_at[number] = time.monotonic()
        self.send(number)

    def slot(self, number):
        return binascii.crc_hqx(key_name(self.key[number]).encode(), 0) % 16384

    def send(self, number):
        port = self.owners.setdefault(self.slot(number), self.ports[0])
        connection = self.connections.get(port)
        if connection is None:
            connection = self.connections[port] = Connection(self.hosts[port], port)
            self.selector.register(connection.socket, selectors.EVENT_READ | selectors.EVENT_WRITE, connection)
        key, value = key_name(self.key[number]), f"{number}{PADDING}"
        connection.put(number, f"*3\r\n$3\r\nSET\r\n${len(key)}\r\n{key}\r\n${len(value)}\r\n{value}\r\n".encode())

    def take_answer(self, connection, line):
        number = connection.waiting.popleft()
        if line == b"+OK":
            now = time.monotonic()
            self.acknowledged_at[number], self.port[number] = now, connection.port
            self.acknowledged += 1
            self.longest_s = max(self.longest_s, now - self.began_at.pop(number))
            del self.busy[self.key[number]]
            return
        self.refused += 1
        delay = AGAIN_S
        if line.startswith(b"-MOVED"):
            self.owners[self.slot(number)] = int(line.rsplit(b":", 1)[1])
            delay = 0
        elif line[1:].startswith(ELSEWHERE):
            self.owners[self.slot(number)] = self.chance.choice(self.ports)
        elif not line.startswith(b"-TRYAGAIN"):
            self.problem = self.problem or f"an unexpected reply: {line.decode(errors='replace')}"
        self.again.append((time.monotonic() + delay, number))

    def lose(self, connection):
        """What was on its way may have been executed, unless there never was a connection."""
        self.selector.unregister(connection.socket)
        connection.socket.close()
        del self.connections[connection.port]
        for number in connection.waiting:
            if connection.connected:
                self.retire(number)
            else:
                self.owners[self.slot(number)] = self.chance.choice(self.ports)
                self.again.append((time.monotonic() + CONNECT_AGAIN_S, number))

    def retire(self, number):
        self.unknown += 1
        self.began_at.pop(number)
        self.active[self.busy.pop(self.key[number])] = self.keys_made
        self.keys_made += 1

    # --- the loop --------------------------------------------------------------------------------------------

    def serve(self, connection, events):
        try:
            if events & selectors.EVENT_WRITE and not connection.connected:
                if connection.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) != 0:
                    raise ConnectionError("refused")
                connection.connected, connection.heard_at = True, time.monotonic()
                self.selector.modify(connection.socket, selectors.EVENT_READ, connection)
            if events & selectors.EVENT_READ:
                for line in connection.read():
                    self.take_answer(connection, line)
        except OSError:
            self.lose(connection)

    def flush(self):
        now = time.monotonic()
        for connection in list(self.connections.values()):
            try:
                connection.flush()
                if connection.waiting and now - connection.heard_at > ANSWER_S:
                    self.lose(connection)
            except OSError:
                self.lose(connection)

    def turn(self, due):
        for _ in range(min(due, OPEN_MAX - len(self.busy))):
            self.begin()
        now = time.monotonic()
        for _ in range(len(self.again)):
            when, number = self.again.popleft()
            if when <= now:
                self.send(number)
            else:
                self.again.append((when, number))
        self.flush()
        for ready, events in self.selector.select(TICK_S):
            if ready.data is not None:
                self.serve(ready.data, events)
            elif self.obey():
                return False
        return True

    def obey(self):
        """True: the end."""
        word = os.read(0, 4096)
        if b"count" in word:
            print(self.acknowledged, flush=True)
        return b"end" in word or not word

    def run(self):
        self.selector.register(0, selectors.EVENT_READ, None)
        began, written, late = time.monotonic(), 0, 0
        while True:
            due = int((time.monotonic() - began) * self.rate)
            if not self.turn(max(0, due - written - late)):
                break
            # What could not be written in its time is not made up for later.
            written = len(self.key)
            late = due - written if due - written > self.rate // 10 else late
        seconds = time.monotonic() - began
        self.rate = 0
        deadline = time.monotonic() + ANSWER_S
        while self.busy and time.monotonic() < deadline:
            self.turn(0)
        self.write(seconds)

    def write(self, seconds):
        with open(self.path, "wb") as file:
            for column in (self.key, self.acknowledged_at, self.port):
                column.tofile(file)
        print(json.dumps({"writes": len(self.key), "keys": self.keys_made, "acknowledged": self.acknowledged,
                          "unknown": self.unknown, "refused": self.refused, "longest_s": self.longest_s,
                          "seconds": seconds, "problem": self.problem}), flush=True)


if __name__ == "__main__":
    Crowd(json.loads(sys.stdin.buffer.raw.readline())).run()
