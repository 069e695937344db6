# SPDX-License-Identifier: Apache-2.0
"""stranger.py — a client of `haul recv` that keeps to docs/PROTOCOL.md, and to nothing else.

    stranger.py ADDR:PORT STEP...

It is written from the document, with its own encoding and checksums. Each STEP is one of

    connect           TCP connect, and the preamble of a control connection
    hello [NAME]      Hello of a job whose id is made of NAME (default: random); waits for Welcome
    plan [overwrite]  Plan over [a, b), or everything; waits for PlanAccepted
    link              a data link, described by both sides
    abort             Abort
    keep SECONDS      keep-alives, every 200 ms, until then or until the other side ends
    working SECONDS   the same with Working messages that claim to have done more each time
    hold SECONDS      nothing at all
    close             close the control connection
    half NUMBER       so many connections with half a preamble each, all kept open
    tokens NUMBER     so many data links with wrong tokens, one after the other

What comes back is printed, a line each: `Welcome`, `Refused 13 text`, `closed` ... Exit code 0, or 1
when an answer that a step waits for does not come.
"""
import os
import select
import socket
import struct
import sys
import time

TYPES = ["keep-alive", "Hello", "Welcome", "Plan", "PlanAccepted", "Link", "Progress", "Prepare",
         "Prepared", "Commit", "Committed", "Abort", "Aborted", "Refused", "Stop", "Working"]
HELLO, WELCOME, PLAN, ACCEPTED, LINK, ABORT, REFUSED, STOP, WORKING = 1, 2, 3, 4, 5, 11, 13, 14, 15

CRC_TABLE = []
for n in range(256):
    for _ in range(8):
        n = (n >> 1) ^ 0x82F63B78 if n & 1 else n >> 1
    CRC_TABLE.append(n)


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = CRC_TABLE[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


assert crc32c(b"123456789") == 0xE3069283


# --- protocol buffers -------------------------------------------------------------------------------

def varint(number):
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def number_field(field, number):
    return varint(field << 3) + varint(number) if number else b""


def bytes_field(field, data):
    return varint(field << 3 | 2) + varint(len(data)) + data


def fields_of(data):
    """Field number to value, the last one of each."""
    found, at = {}, 0

    def take():
        nonlocal at
        number = shift = 0
        while True:
            byte = data[at]
            at += 1
            number |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return number

    while at < len(data):
        tag = take()
        if tag & 7 == 0:
            found[tag >> 3] = take()
        else:
            size = take()
            found[tag >> 3] = data[at:at + size]
            at += size
    return found


# --- connections ------------------------------------------------------------------------------------

def preamble(purpose, index=0, session=bytes(16), token=bytes(16)):
    head = b"HAULPRE1" + struct.pack("<HHHHI", 1, 1, purpose, 0, index) + session + token + bytes(8)
    return head + struct.pack("<I", crc32c(head))


def receive(connection, size):
    data = b""
    while len(data) < size:
        part = connection.recv(size - len(data))
        if not part:
            raise EOFError
        data += part
    return data


def frame(kind, body=b""):
    head = b"HCTL" + struct.pack("<HHI", kind, 0, len(body))
    return head + struct.pack("<I", crc32c(head + bytes(4) + body)) + body


class Stranger:
    def __init__(self, address):
        host, port = address.rsplit(":", 1)
        self.address = (host.strip("[]"), int(port))
        self.control = None
        self.others = []
        self.job = os.urandom(16)
        self.welcome = {}
        self.done = 0

    def open(self, first):
        connection = socket.create_connection(self.address, timeout=20)
        connection.sendall(first)
        return connection

    def next_message(self, seconds):
        """(kind, fields), (None, None) at the deadline."""
        if not select.select([self.control], [], [], seconds)[0]:
            return None, None
        head = receive(self.control, 16)
        kind, _, size, _ = struct.unpack("<HHII", head[4:])
        return kind, fields_of(receive(self.control, size))

    def show(self, kind, fields):
        if kind in (ABORT, REFUSED):
            print(TYPES[kind], fields.get(1, 0), fields.get(2, b"").decode(), flush=True)
        elif kind == STOP:
            print("Stop", fields.get(1, b"").decode(), flush=True)
        else:
            print(TYPES[kind], flush=True)

    def expect(self, wanted):
        until = time.monotonic() + 20
        while time.monotonic() < until:
            kind, fields = self.next_message(1)
            if kind:
                self.show(kind, fields)
            if kind == wanted:
                return fields
            if kind in (ABORT, REFUSED):
                sys.exit(1)
        sys.exit(f"no {TYPES[wanted]}")

    def send(self, kind, body=b""):
        self.control.sendall(frame(kind, body))

    # --- steps

    def connect(self):
        self.control = self.open(preamble(1))
        answer = receive(self.control, 64)
        print("answered", struct.unpack("<I", answer[12:16])[0], flush=True)

    def hello(self, name=None):
        if name:
            self.job = name.encode().ljust(16, b".")[:16]
        body = (number_field(1, 1) + number_field(2, 1) + bytes_field(3, b"stranger")
                + bytes_field(4, self.job) + number_field(5, 1) + bytes_field(8, b"stranger")
                + number_field(9, 1) + number_field(10, 4 << 20) + number_field(14, 5000))
        self.send(HELLO, body)
        self.welcome = self.expect(WELCOME)

    def plan(self, overwrite=False):
        start, end = (b"", b"") if overwrite else (b"a", b"b")
        version = self.welcome.get(4, 0)
        both = bytes_field(1, start) + bytes_field(2, end)
        body = (bytes_field(1, bytes_field(1, b"default")
                            + bytes_field(2, b"leveldb.BytewiseComparator"))
                + bytes_field(2, both)
                + bytes_field(3, bytes_field(3, start) + bytes_field(4, end))
                + number_field(4, version) + number_field(5, version + 1)
                + number_field(6, int(overwrite)) + number_field(7, 2 if overwrite else 0))
        self.send(PLAN, body)
        if not overwrite:
            self.expect(ACCEPTED)

    def link(self):
        data = self.open(preamble(2, 0, self.welcome[13], self.welcome[7]))
        print("answered", struct.unpack("<I", receive(data, 64)[12:16])[0], flush=True)
        self.others.append(data)
        about = b"TCLK" + struct.pack("<HHII", 1, 0, 16, 4 << 20)
        self.send(LINK, number_field(2, 2) + bytes_field(3, about))
        self.expect(LINK)

    def abort(self):
        self.send(ABORT, number_field(1, 4))
        while True:
            self.show(*self.next_message(20))

    def keep(self, seconds, works=False):
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.done += 1
            self.send(WORKING if works else 0, number_field(1, self.done) if works else b"")
            kind, fields = self.next_message(0.2)
            if kind:
                self.show(kind, fields)

    def half(self, count):
        for _ in range(count):
            self.others.append(self.open(preamble(1)[:10]))
        print("open", count, flush=True)

    def tokens(self, count):
        for _ in range(count):
            with self.open(preamble(2, 0, os.urandom(16), os.urandom(16))) as data:
                receive(data, 64)
        print("refused", count, flush=True)

    def play(self, steps):
        steps = list(steps)
        while steps:
            step = steps.pop(0)
            if step in ("keep", "working"):
                self.keep(float(steps.pop(0)), step == "working")
            elif step == "hold":
                time.sleep(float(steps.pop(0)))
            elif step in ("half", "tokens"):
                getattr(self, step)(int(steps.pop(0)))
            elif step == "hello" and steps and steps[0].startswith("job-"):
                self.hello(steps.pop(0))
            elif step == "plan" and steps and steps[0] == "overwrite":
                steps.pop(0)
                self.plan(overwrite=True)
            elif step == "close":
                self.control.close()
            else:
                getattr(self, step)()


if __name__ == "__main__":
    try:
        Stranger(sys.argv[1]).play(sys.argv[2:])
    except (EOFError, ConnectionError):
        print("closed", flush=True)
