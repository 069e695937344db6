# SPDX-License-Identifier: Apache-2.0
"""meddler.py — somebody on the path between a source and a target, who knows docs/PROTOCOL.md and no key.

    meddler.py ADDR:PORT CAPTURE [WHAT]

Prints the address on which it listens, forwards each connection to ADDR:PORT, and writes all bytes of both
directions to CAPTURE. WHAT it does, once, to the blocks of a data link after the first few; the checksums of headers
and payloads are right again afterwards, so that only a key can show it:

    bit        a bit of a payload is turned over
    records    a header claims another number of records
    stream     a header names another stream
    swap       two blocks change places
    replay     a block comes twice
    drop       a block never comes
    shorten    the last bytes of a payload are missing
    end        the link ends in order, but too early
    credit     the receiver's next credit frame claims that everything was applied
    control    a bit of the control connection, after its first 2 KB, is turned over
    token      a link's preamble, with its token, is sent to the target again, on a connection of his own; prints
               what the target answers

Says `meddled` on stderr when it has done so.
"""
import selectors
import socket
import struct
import sys

from crc32c import crc32c

PREAMBLE, HEADER, FRAME, DATA, CLOSE, UNHARMED = 64, 64, 32, 1, 3, 2
CONTROL_UNHARMED = 2000

class Meddler:
    def __init__(self, what, target):
        self.what, self.target = what, target

    def now(self, what):
        """Is it time to do this? Only once."""
        if self.what != what:
            return False
        self.what = None
        print("meddled", file=sys.stderr, flush=True)
        return True

    def send_again(self, preamble):
        with socket.create_connection(self.target, timeout=20) as link:
            link.sendall(preamble)
            answer = link.recv(PREAMBLE, socket.MSG_WAITALL)
            print("answered", struct.unpack_from("<I", answer, 12)[0], file=sys.stderr, flush=True)


class Link:
    """The blocks of a data link; numbered anew, because some are missing or come twice."""

    def __init__(self, meddler):
        self.meddler, self.bytes, self.count, self.held, self.number = meddler, b"", 0, b"", None

    def take(self, data):
        self.bytes += data
        out = b""
        while len(self.bytes) >= HEADER:
            size = struct.unpack_from("<I", self.bytes, 40)[0]
            if len(self.bytes) < HEADER + size:
                break
            header, payload = bytearray(self.bytes[:HEADER]), self.bytes[HEADER:HEADER + size]
            self.bytes = self.bytes[HEADER + size:]
            out += self.block(header, payload)
        return out

    def put(self, header, payload):
        header = bytearray(header)
        if self.number is None:
            self.number = struct.unpack_from("<Q", header, 16)[0]
        struct.pack_into("<Q", header, 16, self.number)
        self.number += 1
        struct.pack_into("<I", header, 60, crc32c(header[:60]))
        return bytes(header) + payload

    def change(self, header, payload):
        """With a right checksum, if it has one."""
        struct.pack_into("<I", header, 40, len(payload))
        if header[56:60] != bytes(4):
            struct.pack_into("<I", header, 56, crc32c(payload))
        return self.put(header, payload)

    def block(self, header, payload):
        self.count += 1
        if self.held:
            first, self.held = self.held, b""
            return self.put(header, payload) + self.put(*first)
        if header[6] != DATA or self.count <= UNHARMED or len(payload) < 64:
            return self.put(header, payload)
        if self.meddler.now("swap"):
            self.held = (header, payload)
            return b""
        if self.meddler.now("replay"):
            return self.put(header, payload) + self.put(header, payload)
        if self.meddler.now("drop"):
            return b""
        if self.meddler.now("bit"):
            return self.change(header, payload[:-40] + bytes([payload[-40] ^ 4]) + payload[-39:])
        if self.meddler.now("shorten"):
            return self.change(header, payload[:-16])
        if self.meddler.now("records"):
            struct.pack_into("<I", header, 44, struct.unpack_from("<I", header, 44)[0] + 1)
        elif self.meddler.now("stream"):
            struct.pack_into("<I", header, 32, struct.unpack_from("<I", header, 32)[0] ^ 1)
        elif self.meddler.now("end"):
            end = bytearray(HEADER)
            end[:16] = header[:16]
            end[6], end[7] = CLOSE, 0
            return self.put(end, b"")
        return self.put(header, payload)


class Frames:
    """The way back of a data link: the answer to its preamble, then credits."""

    def __init__(self, meddler, preamble):
        self.meddler, self.left, self.preamble = meddler, PREAMBLE, preamble

    def take(self, data):
        passed = min(self.left, len(data))
        self.left -= passed
        if passed > 0 and self.left == 0 and self.meddler.now("token"):
            self.meddler.send_again(self.preamble)
        frame = bytearray(data[passed:passed + FRAME])
        if len(frame) == FRAME and struct.unpack_from("<Q", frame, 8)[0] > 0 and self.meddler.now("credit"):
            struct.pack_into("<QQ", frame, 8, *(2 * [struct.unpack_from("<Q", frame, 8)[0] + 1]))
            if frame[24:28] == b"CRDT":
                struct.pack_into("<I", frame, 28, crc32c(frame[:28]))
            return data[:passed] + bytes(frame) + data[passed + FRAME:]
        return data


class Control:
    """The control connection, from source to target."""

    def __init__(self, meddler):
        self.meddler, self.sent = meddler, 0

    def take(self, data):
        self.sent += len(data)
        if self.sent > CONTROL_UNHARMED and self.meddler.now("control"):
            return data[:-1] + bytes([data[-1] ^ 1])
        return data


class Pair:
    """A connection and its continuation."""

    def __init__(self, source, target, meddler):
        self.other = {source: target, target: source}
        self.source, self.meddler, self.begin, self.ended = source, meddler, b"", 0
        self.filters = {source: None, target: None}

    def choose(self):
        """What the first bytes of the source show."""
        target = self.other[self.source]
        if self.begin[:8] == b"HAULPRE1" and self.begin[12] == 2:
            self.filters = {self.source: Link(self.meddler), target: Frames(self.meddler, self.begin[:PREAMBLE])}
            return self.begin[:PREAMBLE] + self.filters[self.source].take(self.begin[PREAMBLE:])
        self.filters[self.source] = Control(self.meddler)
        return self.filters[self.source].take(self.begin)

    def pass_on(self, end, data):
        if end is self.source and self.filters[end] is None:
            self.begin += data
            data = self.choose() if len(self.begin) >= PREAMBLE else b""
        elif self.filters[end] is not None:
            data = self.filters[end].take(data)
        self.other[end].sendall(data)

    def end(self, end):
        """Nothing more comes from there."""
        self.ended += 1
        try:
            self.other[end].shutdown(socket.SHUT_WR)
        except OSError:
            pass
        if self.ended == len(self.other):
            for one in self.other:
                one.close()


def main():
    host, port = sys.argv[1].rsplit(":", 1)
    meddler = Meddler(sys.argv[3] if len(sys.argv) > 3 else None, (host, int(port)))
    ready = selectors.DefaultSelector()
    listener = socket.create_server(("127.0.0.1", 0))
    print(f"127.0.0.1:{listener.getsockname()[1]}", flush=True)
    ready.register(listener, selectors.EVENT_READ)
    pairs = {}
    with open(sys.argv[2], "wb", buffering=0) as capture:
        while True:
            for key, _ in ready.select():
                end = key.fileobj
                if end is listener:
                    source = listener.accept()[0]
                    try:
                        target = socket.create_connection((host, int(port)))
                    except OSError:
                        source.close()
                        continue
                    pair = Pair(source, target, meddler)
                    for one in (source, target):
                        pairs[one] = pair
                        ready.register(one, selectors.EVENT_READ)
                    continue
                if end not in pairs:
                    continue
                pair = pairs[end]
                try:
                    data = end.recv(1 << 20)
                    capture.write(data)
                    if data:
                        pair.pass_on(end, data)
                except OSError:
                    data = b""
                if not data:
                    ready.unregister(end)
                    del pairs[end]
                    pair.end(end)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        pass
