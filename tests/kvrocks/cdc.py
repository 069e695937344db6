#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""cdc.py: readers of the destination's log (POLLUPDATES, kvrocks2redis) see the slots that it imports.

    cdc.py HAUL_TOOL [unittest arguments]
They understand a batch by the note that Kvrocks puts into it (LogData): which type the records belong to. Ingested table
files are not in the log; a node with such readers sets migrate-rdma-lane writebatch.
"""
from kvrocks_node import Error
from slot_case import SlotCase, run_suite

KEYS = 20
WRITEBATCH = {name: {"migrate-rdma-lane": "writebatch"} for name in "abc"}


def fill(client, tag):
    commands = []
    for i in range(KEYS):
        key = f"{tag}:{i}"
        commands += [
            ("set", f"{key}:string", f"v{i}"), ("hset", f"{key}:hash", "f1", "v1", "f2", "v2"),
            ("rpush", f"{key}:list", "e1", "e2", "e3"), ("sadd", f"{key}:set", "m1", "m2"),
            ("zadd", f"{key}:zset", 1, "m1", 2, "m2"), ("setbit", f"{key}:bitmap", 7, 1),
            ("xadd", f"{key}:stream", "1-1", "f", "v"),
        ]
    bad = [reply for reply in client.pipeline(commands) if isinstance(reply, Error)]
    if bad:
        raise AssertionError(bad[:3])


class Cdc(SlotCase):
    def poll(self, node, since):
        """The commands of the log after a sequence, as lists of words."""
        commands, client = [], node.client()
        while True:
            try:
                reply = client.call("pollupdates", since, "max", 1000, "format", "resp")
            except Error as error:
                if "only support RAW" in str(error):
                    self.skipTest("this Kvrocks has POLLUPDATES FORMAT RAW only")
                raise
            fields = dict(zip(reply[::2], reply[1::2]))
            for updates in fields[b"updates"][1::2]:
                commands += [[word.decode(errors="replace") for word in command] for command in updates]
            if fields[b"next_sequence"] in (since, fields[b"latest_sequence"]):
                return commands
            since = fields[b"next_sequence"]

    def assert_seen(self, commands, tag, without=()):
        seen = {}
        for words in commands:
            if len(words) > 1:
                seen.setdefault(words[1], []).append([words[0].lower()] + words[2:])
        for i in range(KEYS):
            for kind, names, members in (
                    ("string", ("set",), [f"v{i}"]), ("hash", ("hset",), ["f1", "v1", "f2", "v2"]),
                    ("list", ("rpush", "lpush"), ["e1", "e2", "e3"]), ("set", ("sadd",), ["m1", "m2"]),
                    ("zset", ("zadd",), ["m1", "m2"]), ("bitmap", ("setbit",), ["7"]),
                    ("stream", ("xadd",), ["f", "v"])):
                if kind in without:
                    continue
                key = f"{tag}:{i}:{kind}"
                found = seen.get(key, [])
                self.assertTrue(found, f"nothing about {key}")
                self.assertTrue({command[0] for command in found} & set(names), found)
                words = [word for command in found for word in command[1:]]
                for member in members:
                    self.assertIn(member, words, (key, found))

    def test_snapshot__every_type__seen_by_pollupdates(self):
        a, b = self.open(settings=WRITEBATCH)
        fill(a.client(), "t")
        since = int(b.info("keyspace")["sequence"])
        self.migrate(a, b)
        # POLLUPDATES shows the command that has set a bit, and a snapshot has no commands.
        self.assert_seen(self.poll(b, since), "t", without=("bitmap",))

    def test_writes_while_it_copies__every_type__seen_by_pollupdates(self):
        a, b = self.open(settings=WRITEBATCH)
        since = int(b.info("keyspace")["sequence"])
        self.begin_slow(a, b, keys=8000)
        fill(a.client(), "d")
        self.wait_for_state(a, "success")
        self.assert_seen(self.poll(b, since), "d")

    def test_deletions_while_it_copies__seen_by_pollupdates(self):
        a, b = self.open(settings=WRITEBATCH)
        fill(a.client(), "d")
        since = int(b.info("keyspace")["sequence"])
        self.begin_slow(a, b, keys=8000)
        a.client().pipeline([("del", f"d:{i}:string") for i in range(KEYS)])
        a.client().pipeline([("hdel", f"d:{i}:hash", "f1") for i in range(KEYS)])
        self.wait_for_state(a, "success")
        commands = [[word.lower() for word in words] for words in self.poll(b, since)]
        for i in range(KEYS):
            self.assertIn(["del", f"d:{i}:string"], commands)
            self.assertIn(["hdel", f"d:{i}:hash", "f1"], commands)


if __name__ == "__main__":
    run_suite("kvrocks_cdc")
