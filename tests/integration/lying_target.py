# SPDX-License-Identifier: Apache-2.0
"""lying_target.py — a target of a comparison (`haul verify --to`) that breaks the rules of docs/PROTOCOL.md. It is
written from that document alone.

    lying_target.py LIE COMMAND...

The command runs with `{}` replaced by the target's address. The last line on stdout, after the command's
output, is `exit CODE seconds SECONDS mib MIB`: its exit code, time, and largest memory.
`lying_target.py --list` prints all lies, each with the exit code of a correct comparison.
"""
import os
import resource
import socket
import struct
import subprocess
import sys
import threading
import time

from stranger import (ABORT, ACCEPTED, HELLO, PROGRESS, REFUSED, STOP, WELCOME, WORKING, bytes_field, crc32c,
                      fields_of, frame, number_field, receive)

LIST, FAMILIES, SCAN, NEXT, PIECES = range(16, 21)
LARGEST = (1 << 64) - 1


def welcome(**more):
    """`without`: a field to omit."""
    fields = {1: number_field(1, more.get("wire", 1)), 2: number_field(2, 1),
              6: bytes_field(6, more.get("identity", b"liar")), 7: bytes_field(7, bytes(16)),
              13: bytes_field(13, bytes(16)), 14: number_field(14, more.get("timeout", 5000)),
              16: number_field(16, 1)}
    return b"".join(text for number, text in fields.items() if number != more.get("without"))


def family(name=b"default", order=b"leveldb.BytewiseComparator"):
    return bytes_field(1, bytes_field(1, name) + bytes_field(2, order))


def piece(records=1, size=100, low=64, high=7, **more):
    """Zero fields are omitted, as the encoding requires."""
    body = (number_field(1, records) + number_field(2, size) + number_field(3, low) + number_field(4, high)
            + number_field(5, more.get("range", 0)))
    if "key" in more:
        body += bytes_field(6, more["key"]) + number_field(7, more.get("key_size", len(more["key"])))
    return bytes_field(2, body)


def pieces(scan, *all_of_them, ended=False):
    return number_field(1, scan) + b"".join(all_of_them) + number_field(3, ended)


class Honest:
    """Answers as an empty database does. A lie is a class that does one thing differently."""
    preamble = (1, 1, 0)

    def __init__(self, connection):
        """Over a connection that was just accepted."""
        self.connection = connection
        self.lock = threading.Lock()
        self.scan = 0

    def send(self, data):
        with self.lock:
            self.connection.sendall(data)

    def say(self, kind, body=b""):
        self.send(frame(kind, body))

    def keep_alive(self):
        try:
            while True:
                self.say(0)
                time.sleep(0.02)
        except OSError:
            pass

    def for_ever(self, kind, body, pause=0.0):
        while True:
            self.say(kind, body)
            time.sleep(pause)

    def answer(self):
        head = b"HAULANS1" + struct.pack("<HHI", *self.preamble) + bytes(44)
        self.send(head + struct.pack("<I", crc32c(head)))
        threading.Thread(target=self.keep_alive, daemon=True).start()

    def on_hello(self, _):
        self.say(WELCOME, welcome())

    def on_list(self, _):
        self.say(FAMILIES, family())

    def on_scan(self, fields):
        self.scan = fields.get(1, 0)

    def on_next(self, _):
        self.say(PIECES, pieces(self.scan, ended=True))

    def serve(self):
        receive(self.connection, 64)
        self.answer()
        handlers = {HELLO: self.on_hello, LIST: self.on_list, SCAN: self.on_scan, NEXT: self.on_next}
        while True:
            kind, _, size, _ = struct.unpack("<HHII", receive(self.connection, 16)[4:])
            body = receive(self.connection, size)
            if kind in handlers:
                handlers[kind](fields_of(body))


# --- lies: each class does one thing otherwise than Honest ------------------------------------------

def lying(**methods):
    return type("Liar", (Honest,), methods)


def on_next(*answer, **more):
    """The same pieces to each request."""
    return lambda target, _: target.say(PIECES, pieces(target.scan, *answer, **more))


def nothing(*_):
    pass


def saying(kind, body):
    return lambda target, _: target.say(kind, body)


def flooding(kind, body, pause=0.0):
    return lambda target, _: target.for_ever(kind, body, pause)


def closing(target, _):
    target.connection.close()
    raise EOFError


def raw(data):
    return lambda target, _: target.send(data)


def flood_of_old_pieces(target, fields):
    target.scan = fields.get(1, 0)
    target.for_ever(PIECES, pieces(target.scan + 1, piece()))


def pieces_unasked(target, fields):
    target.for_ever(PIECES, pieces(fields.get(1, 0), piece(), piece()))


def drip(target, _):
    with target.lock:
        for byte in frame(WELCOME, welcome()):
            target.connection.sendall(bytes([byte]))
            time.sleep(0.05)


def deaf(target):
    """Accepts the connection, and does not answer the preamble."""
    time.sleep(3600)


LONG = b"k" * (900 << 10)
LIES = {
    # the numbers
    "more-than-there-is": (7, lying(on_next=on_next(piece(LARGEST, LARGEST, LARGEST, LARGEST), ended=True))),
    "sums-that-overflow": (7, lying(on_next=on_next(*[piece(LARGEST, LARGEST)] * 3, ended=True))),
    "pieces-of-nothing": (7, lying(on_next=on_next(piece(0, 0, 0, 0)))),
    "no-pieces-for-ever": (7, lying(on_next=on_next())),
    "pieces-for-ever": (6, lying(on_next=on_next(*[piece()] * 1000))),
    # their places
    "ranges-that-are-none": (7, lying(on_next=on_next(piece(range=7), piece(range=4294967295), ended=True))),
    "ranges-out-of-order": (7, lying(on_next=on_next(piece(range=1), piece(range=0), ended=True))),
    "keys-of-several": (7, lying(on_next=on_next(piece(key=b"z"), piece(key=b"a"), ended=True))),
    "keys-of-pieces": (7, lying(on_next=on_next(piece(key=LONG)))),
    "keys-of-another-size": (7, lying(on_next=on_next(piece(key=b"k", key_size=4294967295), ended=True))),
    "records-without-keys": (6, lying(on_next=on_next(piece(), ended=True))),
    # their number
    "pieces-beyond-the-most": (7, lying(on_next=on_next(*[piece()] * 5000))),
    "fields-beyond-the-most": (7, lying(on_next=on_next(*[bytes_field(2, b"")] * 200000))),
    "pieces-unasked": (7, lying(on_scan=pieces_unasked)),
    "pieces-of-another-scan": (7, lying(on_scan=flood_of_old_pieces)),
    "pieces-before-the-list": (7, lying(on_list=saying(PIECES, pieces(1, piece())))),
    "pieces-before-welcome": (7, lying(on_hello=saying(PIECES, pieces(1, piece())))),
    # the list
    "families-too-many": (7, lying(on_list=saying(FAMILIES, b"".join(family(b"f%d" % i) for i in range(300))))),
    "families-twice": (7, lying(on_list=saying(FAMILIES, family() * 3))),
    "family-without-a-name": (7, lying(on_list=saying(FAMILIES, family() + family(b"")))),
    "family-that-is-no-text": (6, lying(on_list=saying(FAMILIES, family() + family(b"\xff\xfe")))),
    "family-that-moves-the-cursor": (6, lying(on_list=saying(FAMILIES, family(b"\x1b[2J\x1b]0;owned\x07")),
                                          on_next=on_next(piece(), ended=True))),
    "family-with-a-long-name": (7, lying(on_list=saying(FAMILIES, family(b"x" * 4000)))),
    "families-in-no-known-order": (6, lying(on_list=saying(FAMILIES, family(order=b"no.such")),
                                        on_next=on_next(piece(), ended=True))),
    "lists-for-ever": (7, lying(on_list=flooding(FAMILIES, family()))),
    "keep-alives-for-ever": (5, lying(on_list=flooding(0, b""))),
    "lists-in-a-scan": (7, lying(on_scan=flooding(FAMILIES, family(b"another") * 100))),
    # silence
    "silent-from-the-start": (5, lying(serve=deaf)),
    "silent-behind-hello": (5, lying(on_hello=nothing)),
    "silent-behind-welcome": (5, lying(on_list=nothing)),
    "silent-behind-the-list": (5, lying(on_next=nothing)),
    "working-for-ever": (5, lying(on_hello=flooding(WORKING, number_field(1, 1), 0.01))),
    "working-behind-welcome": (5, lying(on_list=flooding(WORKING, number_field(1, 1), 0.01))),
    "working-behind-the-list": (5, lying(on_next=flooding(WORKING, number_field(1, 1)))),
    "welcome-byte-by-byte": (5, lying(on_hello=drip)),
    # ends
    "closed-behind-hello": (5, lying(on_hello=closing)),
    "closed-behind-welcome": (5, lying(on_list=closing)),
    "closed-behind-the-list": (5, lying(on_scan=closing)),
    "closed-behind-a-request": (5, lying(on_next=closing)),
    "stop": (5, lying(on_next=saying(STOP, bytes_field(1, b"\x1b[31m")))),
    "abort": (7, lying(on_next=saying(ABORT, number_field(1, 1) + bytes_field(2, b"no")))),
    "refused-with-no-reason": (7, lying(on_list=saying(REFUSED, b""))),
    "refused-with-an-unknown-reason": (7, lying(on_list=saying(REFUSED, number_field(1, 4000)))),
    "refused-with-escapes": (5, lying(on_hello=saying(REFUSED, number_field(1, 13) + bytes_field(2, b"\x1b[2J")))),
    # versions, and what is no message
    "answer-of-another-version": (3, lying(preamble=(7, 9, 0))),
    "answer-that-refuses": (7, lying(preamble=(1, 1, 4000))),
    "welcome-of-another-version": (3, lying(on_hello=saying(WELCOME, welcome(wire=99)))),
    "welcome-without-verify": (3, lying(on_hello=saying(WELCOME, welcome(without=16)))),
    "welcome-without-identity": (7, lying(on_hello=saying(WELCOME, welcome(without=6)))),
    "welcome-with-a-strange-timeout": (6, lying(on_hello=saying(WELCOME, welcome(timeout=4294967295)))),
    "welcome-for-ever": (7, lying(on_hello=flooding(WELCOME, welcome()))),
    "message-of-a-job": (7, lying(on_list=saying(ACCEPTED, b""))),
    "progress-of-a-job": (7, lying(on_scan=saying(PROGRESS, number_field(1, 7)))),
    "message-of-no-type": (7, lying(on_list=saying(999, b""))),
    "body-that-is-none": (7, lying(on_list=saying(FAMILIES, b"\xff" * 64))),
    "checksum-that-is-wrong": (6, lying(on_list=raw(frame(FAMILIES, family())[:-1] + b"?"))),
    "message-of-four-gigabytes": (7, lying(on_list=raw(b"HCTL" + struct.pack("<HHII", FAMILIES, 0, LARGEST >> 32, 0)))),
    "nothing-but-noise": (7, lying(on_list=raw(bytes(range(256)) * 64))),
}


def serve_all(listener, target):
    def serve(connection):
        try:
            target(connection).serve()
        except (EOFError, OSError):
            pass

    while True:
        connection, _ = listener.accept()
        threading.Thread(target=serve, args=(connection,), daemon=True).start()


def main():
    if sys.argv[1:] == ["--list"]:
        for name, (code, _) in LIES.items():
            print(name, code)
        return
    listener = socket.create_server(("127.0.0.1", 0))
    address = "127.0.0.1:%d" % listener.getsockname()[1]
    threading.Thread(target=serve_all, args=(listener, LIES[sys.argv[1]][1]), daemon=True).start()
    begun = time.monotonic()
    done = subprocess.run([part.replace("{}", address) for part in sys.argv[2:]], check=False, stdin=subprocess.DEVNULL)
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss >> 10
    print("exit %d seconds %.1f mib %d" % (done.returncode, time.monotonic() - begun, memory), flush=True)


main()
