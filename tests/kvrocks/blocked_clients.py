#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""blocked_clients.py: clients that wait in BLPOP, XREADGROUP BLOCK and the like while their slot is handed over.

    blocked_clients.py HAUL_TOOL [unittest arguments]
"""
import select
import threading
import time

from kvrocks_node import DEADLINE_S, Error
from slot_case import run_suite
from slot_load import ProxiedCase

# A wait that must not end. It is as long as a wake-up takes a hundred times.
QUIET_S = 0.4
OTHER = "{other}"

# For each command: how it waits for KEY.
COMMANDS = {
    "blpop": ("blpop", "KEY", 0),
    "brpop": ("brpop", "KEY", 0),
    "blmpop": ("blmpop", 0, 1, "KEY", "left"),
    "blmove": ("blmove", "KEY", "KEY:to", "left", "right", 0),
    "bzpopmin": ("bzpopmin", "KEY", 0),
    "bzpopmax": ("bzpopmax", "KEY", 0),
    "bzmpop": ("bzmpop", 0, 1, "KEY", "min"),
    "xread": ("xread", "block", 0, "streams", "KEY", "$"),
    "xreadgroup": ("xreadgroup", "group", "g", "c", "block", 0, "streams", "KEY", ">"),
}
# How KEY gets an element without a wake-up of those who wait for it, and how many are left of it.
QUIETLY = {
    "list": (("rpush", "KEY:from", "element"), ("rename", "KEY:from", "KEY")),
    "zset": (("zadd", "KEY:from", 1, "element"), ("rename", "KEY:from", "KEY")),
    "stream": (("xgroup", "setid", "KEY", "g", "0"),),
}
COUNTS = {"list": ("llen", "KEY"), "zset": ("zcard", "KEY"), "stream": ("xpending", "KEY", "g")}


def kind_of(name):
    return "stream" if name.startswith("x") else "zset" if name.startswith("bz") else "list"


def about(key, arguments):
    return [str(a).replace("KEY", key) for a in arguments]


class BlockedClients(ProxiedCase):
    def wait_in(self, node, name, key, channel=None):
        """A client that waits in this command. Messages to the channel reach it, and disturb it."""
        if kind_of(name) == "stream":
            node.call("xadd", key, "1-1", "f", "v")
            node.call("xgroup", "create", key, "g", "$")
        client = node.client()
        if channel:
            client.call("subscribe", channel)
        waiting = int(node.info("clients")["blocked_clients"])
        client.send(*about(key, COMMANDS[name]))
        node.wait_for(lambda: int(node.info("clients")["blocked_clients"]) > waiting, f"{name} that waits")
        return client

    def assert_quiet(self, client, what, seconds=QUIET_S):
        self.assertEqual(select.select([client.socket], [], [], seconds)[0], [], what)
        client.socket.setblocking(False)  # and nothing that was read together with the last reply
        self.assertEqual(client.file.peek(1), b"", what)
        client.socket.settimeout(DEADLINE_S)

    def assert_told(self, client, what):
        with self.assertRaisesRegex(Error, "MOVED", msg=what):
            client.read()
        self.assertEqual(client.call("ping"), b"PONG", what)

    # --- at the hand-over ------------------------------------------------------------------------------------

    def test_hand_over__clients_that_wait__told_moved(self):
        a, b = self.open()
        clients = {name: self.wait_in(a, name, f"{{moves}}:{name}") for name in COMMANDS}
        self.migrate(a, b)
        for name, client in clients.items():
            self.assert_told(client, name)
        self.assertEqual(a.info("clients")["blocked_clients"], "0")
        self.assertEqual(b.call("rpush", "{moves}:blpop", "element"), 1)

    def test_hand_over__clients_of_other_slots__not_disturbed(self):
        a, b = self.open()
        slot = a.call("cluster", "keyslot", "{moves}")
        clients = {name: self.wait_in(a, name, f"{OTHER}:{name}") for name in COMMANDS}
        moving = self.wait_in(a, "blpop", "{moves}:list")
        self.migrate(a, b, str(slot))
        self.assert_told(moving, "blpop")
        for name, client in clients.items():
            self.assert_quiet(client, name, 0.05)
        a.call("rpush", f"{OTHER}:blpop", "element")
        self.assertEqual(clients["blpop"].read(), [f"{OTHER}:blpop".encode(), b"element"])
        a.call("xadd", f"{OTHER}:xread", "2-1", "f", "v")
        self.assertEqual(clients["xread"].read()[0][0], f"{OTHER}:xread".encode())

    # --- between freeze and hand-over --------------------------------------------------------------------------

    def freeze_with_waiting(self, names):
        """The source is frozen, each key has an element, and each client has been woken since."""
        settings = {"a": {"migrate-rdma-freeze-max-ms": 30000}}
        a, b = self.open_with_proxy(settings=settings)
        clients = {name: self.wait_in(a, name, f"{{k}}:{name}", "noise") for name in names}
        for name in names:
            for command in QUIETLY[kind_of(name)]:
                a.call(*about(f"{{k}}:{name}", command))
        frozen, goes_on = threading.Event(), threading.Event()

        def hold():
            frozen.set()
            goes_on.wait(60)
            return self.verdict
        self.verdict = None
        self.proxy.at("prepare", hold)
        self.assertEqual(self.cluster.migrate(a, b), b"OK")
        self.assertTrue(frozen.wait(60), a.log()[-2000:])
        with self.assertRaisesRegex(Error, "TRYAGAIN"):
            a.call("rpush", "{k}:probe", 1)
        self.assertEqual(a.call("publish", "noise", "wake up"), len(names))
        for name, client in clients.items():
            self.assertEqual(client.read(), [b"message", b"noise", b"wake up"])
        time.sleep(QUIET_S)
        for name, client in clients.items():
            self.assert_quiet(client, f"{name} took an element behind the freeze", 0)
        return a, b, clients, goes_on

    WRITES = [name for name in COMMANDS if name != "xread"]

    def test_freeze__clients_that_are_woken__told_moved_and_the_element_arrives(self):
        a, b, clients, goes_on = self.freeze_with_waiting(self.WRITES)
        goes_on.set()
        for name, client in clients.items():
            self.assert_told(client, name)
        self.wait_for_state(a, "success")
        for name in self.WRITES:
            count = b.call(*about(f"{{k}}:{name}", COUNTS[kind_of(name)]))
            if kind_of(name) == "stream":
                self.assertEqual(count[0], 0, "an entry was delivered behind the freeze")
                count = len(b.call("xreadgroup", "group", "g", "c", "streams", f"{{k}}:{name}", ">"))
            self.assertEqual(count, 1, name)

    def test_freeze__the_hand_over_fails__clients_that_were_woken_are_served(self):
        a, b, clients, goes_on = self.freeze_with_waiting(self.WRITES)
        self.verdict = "drop"
        self.proxy.refusing = True
        b.kill()
        goes_on.set()
        for name, client in clients.items():
            self.assertIn(b"element" if kind_of(name) != "stream" else b"f", flatten(client.read()), name)
        self.assertEqual(a.call("rpush", "{k}:probe", 1), 1)


def flatten(reply):
    return [x for part in reply for x in flatten(part)] if isinstance(reply, list) else [reply]


if __name__ == "__main__":
    run_suite("kvrocks_blocked_clients")
