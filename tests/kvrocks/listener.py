#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""listener.py: where a destination listens for slots.

    listener.py HAUL_TOOL [unittest arguments]
"""
import os
import socket
import unittest

from kvrocks_node import Client, Error
from slot_case import ALL, SlotCase, run_suite

LISTENING = "0A"
REDIS_PORT, SENTINEL_PORT = 6379, 26379


def listeners(node):
    """{(address in hexadecimal, port)} of the sockets on which a process listens."""
    own = set()
    directory = f"/proc/{node.process.pid}/fd"
    for name in os.listdir(directory):
        try:
            own.add(os.readlink(os.path.join(directory, name)))
        except OSError:
            pass
    found = set()
    for table in ("tcp", "tcp6"):
        with open(f"/proc/{node.process.pid}/net/{table}", encoding="ascii") as file:
            for line in list(file)[1:]:
                words = line.split()
                address, port = words[1].split(":")
                if words[3] == LISTENING and f"socket:[{words[9]}]" in own:
                    found.add((address, int(port, 16)))
    return found


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
            return True
    except OSError:
        return False


def is_free(port):
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
            return True
        except OSError:
            return False


class Listener(SlotCase):
    def listeners_of_import(self, settings=None):
        a, b = self.open(settings={"b": settings or {}})
        before = listeners(b)
        self.begin_slow(a, b)
        added = listeners(b) - before
        self.assertEqual(len(added), 1, added)
        self.wait_for_state(a, "success")
        b.wait_for(lambda: listeners(b) == before, "the end of the listener")
        return added.pop()

    def test_listen__bind_names_an_address__only_there(self):
        self.assertEqual(self.listeners_of_import()[0], "0100007F")

    def test_listen__the_setting_names_an_address__there(self):
        address, port = self.listeners_of_import({"migrate-rdma-listen": "127.0.0.2:0", "bind": "127.0.0.1 127.0.0.2"})
        self.assertEqual(address, "0200007F")
        self.assertGreater(port, 0)

    def test_listen__a_setting_that_is_no_address__refused(self):
        _, b = self.open()
        for value in ("nonsense", "127.0.0.1:", "127.0.0.1:99999", "127.0.0.1:12x", ":::"):
            with self.assertRaises(Error, msg=value):
                b.call("config", "set", "migrate-rdma-listen", value)

    @unittest.skipUnless(has_ipv6(), "no IPv6 here")
    def test_listen__ipv6__slots_move(self):
        self.open(0)
        a, b = (self.cluster.add_node(name, {"bind": "127.0.0.1 ::1"}) for name in "ab")
        self.cluster.address, self.cluster.slots = "::1", {a.id: ALL}
        self.cluster.tell()
        a.call("set", "k", "v")
        self.migrate(a, b)
        self.assertEqual(a.info("migration")["migrate_last_result"], "OK")
        self.assertEqual(b.call("get", "k"), b"v")

    @unittest.skipUnless(is_free(REDIS_PORT) and is_free(SENTINEL_PORT), "a Redis runs here")
    def test_listen__the_usual_redis_port__not_the_port_of_sentinel(self):
        self.assertNotEqual(self.listeners_of_import({"port": REDIS_PORT})[1], SENTINEL_PORT)

    def test_request__within_multi__refused(self):
        """It cannot be answered within one: the listener opens on another thread."""
        a, b = self.open()
        for arguments in ((ALL, self.cluster.version), (ALL, self.cluster.version, a.id, "keyed")):
            client = Client(b.port)
            client.call("multi")
            with self.assertRaises(Error):
                client.call("haul", "import", *arguments)
                raise Error(str(client.call("exec")[0]))
        self.assertNotIn("import_state", b.cluster_info())


if __name__ == "__main__":
    run_suite("kvrocks_listener")
