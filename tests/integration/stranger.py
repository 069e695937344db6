# SPDX-License-Identifier: Apache-2.0
"""stranger.py — a client of `haul recv` that is written from docs/PROTOCOL.md alone.

    stranger.py ADDR:PORT STEP...

It has its own encoding and checksums. Each STEP is one of these, with the settings KEY=VALUE that
follow it:

    connect           TCP connect, and the preamble of a control connection
    hello             Hello; waits for Welcome. job=NAME: the id is made of NAME (default: random);
                      as=IDENTITY of its database; resume=1; peer-timeout=MS
    plan              Plan over [a, b), or everything with overwrite=1; waits for PlanAccepted.
                      range=A:B; family=NAME (\\0 is a NUL byte); families=NUMBER of new ones; comparator=NAME of
                      the last; version=NUMBER to be; ends=JOB that it supersedes; streams=NUMBER;
                      proof=WORD, ends-proof=WORD: the proofs of its own job and of that one are made of WORD
    link              a data link, described by both sides
    stale             a data link with the token of the first Welcome
    last              the last block of stream 0, empty; waits until the snapshot is complete
    pieces            on each stream the first bytes of a batch of total=MIB
    prepare           Prepare of nothing; waits for Prepared
    commit            Commit; waits for Committed. version=NUMBER; proof=WORD
    abort             Abort. job=NAME: of that one; proof=WORD
    keep SECONDS      keep-alives, every 200 ms, until then or until the other side ends
    working SECONDS   the same with Working messages that claim to have done more each time
    hold SECONDS      send nothing at all
    close             close the control connection
    half NUMBER       that many connections with half a preamble each, all kept open
    tokens NUMBER     that many data links with wrong tokens, one after the other

Prints each answer on a line: `Welcome`, `Refused 13 text`, `closed` ... Exit code 0, or 1 if an answer
that a step waits for does not come.
"""
import os
import select
import socket
import struct
import sys
import time

from crc32c import crc32c

TYPES = ["keep-alive", "Hello", "Welcome", "Plan", "PlanAccepted", "Link", "Progress", "Prepare",
         "Prepared", "Commit", "Committed", "Abort", "Aborted", "Refused", "Stop", "Working"]
HELLO, WELCOME, PLAN, ACCEPTED, LINK, PROGRESS, PREPARE, PREPARED = range(1, 9)
COMMIT, COMMITTED, ABORT, ABORTED, REFUSED, STOP, WORKING = range(9, 16)


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
    """Maps field numbers to values, the last one of each."""
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


def slot(sequence, stream, payload, flags):
    head = b"HAUL" + struct.pack("<HBBQQQIIIIIII", 1, 1, 1, 1, sequence, 0, stream, flags, len(payload),
                                 0, len(payload), 0, crc32c(payload))
    return head + struct.pack("<I", crc32c(head)) + payload


def job_of(name):
    return name.encode().ljust(16, b".")[:16]


def proof_field(field, word):
    return bytes_field(field, word.encode().ljust(32, b".")) if word else b""


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
        self.first = None
        self.version = 0
        self.streams = 1
        self.sequence = 0
        self.complete = False
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
        self.complete = self.complete or (kind == PROGRESS and 3 in fields)
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
            if kind in (ABORT, REFUSED, STOP):
                sys.exit(1)
        sys.exit(f"no {TYPES[wanted]}")

    def send(self, kind, body=b""):
        self.control.sendall(frame(kind, body))

    # --- steps

    def connect(self):
        self.control = self.open(preamble(1))
        answer = receive(self.control, 64)
        print("answered", struct.unpack("<I", answer[12:16])[0], flush=True)

    def hello(self, job=None, **settings):
        self.job = job_of(job) if job else self.job
        body = (number_field(1, 1) + number_field(2, 2) + bytes_field(3, b"stranger")
                + bytes_field(4, self.job) + number_field(5, int(settings.get("epoch", 1)))
                + bytes_field(8, settings.get("as", "stranger").encode())
                + number_field(9, 1) + number_field(10, 4 << 20)
                + number_field(12, int(settings.get("resume", 0)))
                + number_field(14, int(settings.get("peer-timeout", 5000))))
        self.send(HELLO, body)
        self.welcome = self.expect(WELCOME)
        self.first = self.first or (self.welcome[13], self.welcome[7])
        self.version = self.welcome.get(4, 0) + 1

    def plan(self, overwrite=0, family="default", families=0, **settings):
        start, end = settings.get("range", ":" if overwrite else "a:b").encode().split(b":")
        names = [family.encode().replace(b"\\0", b"\0")] + [b"new-%03d" % n for n in range(int(families))]
        self.version = int(settings.get("version", self.version))
        self.streams = int(settings.get("streams", 1))
        body, stream = bytes_field(2, bytes_field(1, start) + bytes_field(2, end)), 0
        for at, name in enumerate(names):
            last = settings.get("comparator") if at == len(names) - 1 else None
            body += bytes_field(1, bytes_field(1, name) + bytes_field(
                2, (last or "leveldb.BytewiseComparator").encode()))
            cuts = [start] + [start + b"%02d" % n for n in range(1, self.streams)] + [end]
            parts = list(zip(cuts, cuts[1:]))
            if "without" in settings:  # the stream of this number
                del parts[int(settings["without"])]
            for low, high in parts:
                body += bytes_field(3, number_field(1, stream) + number_field(2, at)
                                    + bytes_field(3, low) + bytes_field(4, high))
                stream += 1
        ends = settings.get("ends")
        body += (number_field(4, max(0, self.version - 1)) + number_field(5, self.version)
                 + number_field(6, int(overwrite)) + number_field(7, 2 if overwrite else 0)
                 + (bytes_field(8, job_of(ends)) if ends else b"")
                 + proof_field(24, settings.get("proof")) + proof_field(25, settings.get("ends-proof")))
        self.send(PLAN, body)
        if not overwrite:
            self.expect(ACCEPTED)

    def open_link(self, session, token):
        data = self.open(preamble(2, 0, session, token))
        print("link answered", struct.unpack("<I", receive(data, 64)[12:16])[0], flush=True)
        self.others.append(data)

    def link(self):
        self.open_link(self.welcome[13], self.welcome[7])
        about = b"TCLK" + struct.pack("<HHII", 1, 0, 16, 4 << 20)
        self.send(LINK, number_field(2, 2) + bytes_field(3, about))
        self.expect(LINK)

    def stale(self):
        self.open_link(*self.first)

    def block(self, stream, payload, flags):
        self.others[-1].sendall(slot(self.sequence, stream, payload, flags))
        self.sequence += 1

    def last(self):
        self.block(0, b"", 1)
        while not self.complete:
            self.expect(PROGRESS)

    def pieces(self, total):
        for stream in range(self.streams):
            self.block(stream, struct.pack("<QQ", int(total) << 20, 0) + bytes(100), 2)
        self.expect(ABORT)

    def prepare(self):
        self.send(PREPARE, number_field(3, self.version - 1) + number_field(4, self.version)
                  + number_field(5, 1) + bytes_field(6, b"") + number_field(7, 1))
        self.expect(PREPARED)

    def commit(self, version=0, proof=None):
        self.send(COMMIT, number_field(1, int(version) or self.version) + number_field(2, 1)
                  + proof_field(7, proof))
        self.expect(COMMITTED)

    def abort(self, job=None, proof=None):
        self.send(ABORT, number_field(1, 4) + (bytes_field(4, job_of(job)) if job else b"")
                  + proof_field(6 if job else 5, proof))
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
            elif step == "close":
                self.control.close()
            else:
                settings = {}
                while steps and "=" in steps[0]:
                    key, value = steps.pop(0).split("=", 1)
                    settings[key] = value
                getattr(self, step)(**settings)


if __name__ == "__main__":
    try:
        Stranger(sys.argv[1]).play(sys.argv[2:])
    except (EOFError, ConnectionError):
        print("closed", flush=True)
