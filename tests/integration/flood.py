# SPDX-License-Identifier: Apache-2.0
"""flood.py — opens connections to `haul recv` at a fixed rate, as a stranger does who knows no key;
written from docs/PROTOCOL.md alone.

    flood.py ADDR:PORT KIND PER-SECOND SECONDS [SOURCE-ADDRESS...]

KIND is what a connection does:

    silent     it sends nothing
    half       the beginning of a preamble, and nothing more
    garbage    bytes that are no preamble
    preamble   the whole preamble of a control connection, in the clear, and nothing more
    link       the whole preamble of a data link of a session that nobody has, and nothing more
    slow       a ClientHello, announced in full and sent byte by byte
    wrong      a ClientHello for a key that nobody has
    hello      a ClientHello that asks for the receiver's certificate, and nothing more
    mixed      all of them in turn

The connections come from the source addresses in turn; without one the system chooses. The last
HELD_MAX stay open. Prints `flooding` after the first, and `opened NUMBER` at the end.
"""
import collections
import os
import socket
import struct
import sys
import time

from crc32c import crc32c

HELD_MAX = 512
TICK_S = 0.002
DRIP_S = 0.1
RESET = struct.pack("ii", 1, 0)


def preamble(purpose, session_and_token):
    head = b"HAULPRE1" + struct.pack("<HHHHI", 1, 1, purpose, 0, 0) + session_and_token + bytes(8)
    return head + struct.pack("<I", crc32c(head))


def extension(number, body):
    return struct.pack(">HH", number, len(body)) + body


def client_hello(*more):
    """TLS 1.3 (RFC 8446, 4.1.2) with X25519, AES-256-GCM, and more extensions."""
    extensions = (extension(43, b"\x02\x03\x04")                          # supported versions: 1.3
                  + extension(10, b"\x00\x02\x00\x1d")                    # groups: X25519
                  + extension(13, b"\x00\x04\x04\x03\x08\x04")            # signatures: P-256, RSA-PSS
                  + extension(51, b"\x00\x24\x00\x1d\x00\x20" + os.urandom(32))
                  + b"".join(more))
    body = (b"\x03\x03" + os.urandom(32) + b"\x20" + os.urandom(32) + b"\x00\x02\x13\x02" + b"\x01\x00"
            + struct.pack(">H", len(extensions)) + extensions)
    message = b"\x01" + struct.pack(">I", len(body))[1:] + body
    return b"\x16\x03\x01" + struct.pack(">H", len(message)) + message


def wrong_key():
    """The extensions of a pre-shared key that nobody has; its binder is made up."""
    identity = b"nobody"
    identities = struct.pack(">H", len(identity)) + identity + bytes(4)
    binders = b"\x30" + os.urandom(48)
    return (extension(45, b"\x01\x01")  # psk_dhe_ke
            + extension(41, struct.pack(">H", len(identities)) + identities
                        + struct.pack(">H", len(binders)) + binders))


HELLO = client_hello(wrong_key())
FIRST = {
    "silent": b"",
    "half": preamble(1, bytes(32))[:20],
    "garbage": b"GET / HTTP/1.1\r\nHost: haul\r\n\r\n",
    "preamble": preamble(1, bytes(32)),
    "link": preamble(2, os.urandom(32)),
    "slow": HELLO[:6],
    "wrong": HELLO,
    "hello": client_hello(),
}
KINDS = list(FIRST)


class Flood:
    def __init__(self, address, kind, sources):
        host, port = address.rsplit(":", 1)
        self.address = (host.strip("[]"), int(port))
        self.kinds = KINDS if kind == "mixed" else [kind]
        self.sources = sources
        self.opened = 0
        self.held = collections.deque()
        self.unsent = collections.deque()  # connections that were not up at once

    def open_one(self):
        connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        connection.setblocking(False)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        if self.sources:
            connection.bind((self.sources[self.opened % len(self.sources)], 0))
        kind = self.kinds[self.opened % len(self.kinds)]
        if connection.connect_ex(self.address) not in (0, 115):  # EINPROGRESS
            connection.close()
            return
        self.opened += 1
        self.held.append([connection, kind, 0, FIRST[kind]])
        self.send_first(self.held[-1])
        if len(self.held) > HELD_MAX:
            self.held.popleft()[0].close()

    def send_first(self, entry):
        connection, _, _, data = entry
        try:
            if data:
                connection.send(data)
        except BlockingIOError:
            self.unsent.append(entry)
        except OSError:
            pass  # refused, or dropped already

    def send_unsent(self):
        for _ in range(len(self.unsent)):
            entry = self.unsent.popleft()
            if entry[0].fileno() >= 0:
                self.send_first(entry)

    def drip(self):
        for entry in self.held:
            if entry[1] == "slow" and entry[2] < len(HELLO) - 7:
                try:
                    entry[0].send(HELLO[6 + entry[2]:7 + entry[2]])
                except OSError:
                    pass
                entry[2] += 1

    def run(self, rate, seconds):
        begin = time.monotonic()
        dripped = begin
        while (now := time.monotonic()) - begin < seconds:
            due = int((now - begin) * rate) - self.opened
            for _ in range(min(due, rate // 10)):
                first = self.opened == 0
                self.open_one()
                if first:
                    print("flooding", flush=True)
            self.send_unsent()
            if now - dripped >= DRIP_S:
                dripped = now
                self.drip()
            time.sleep(TICK_S)
        print("opened", self.opened, flush=True)


def main():
    address, kind, rate, seconds = sys.argv[1:5]
    Flood(address, kind, sys.argv[5:]).run(int(rate), float(seconds))


main()
