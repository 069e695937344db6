# SPDX-License-Identifier: Apache-2.0
"""slot_case.py: shared by the tests of slot migrations: data of every type, a writer with a ledger, comparisons.

KVROCKS_BIN names a Kvrocks that was built with server_patch; without it everything is skipped (exit code 77).
KVROCKS_UNPATCHED_BIN, if set, is the destination of the fallback test; otherwise the patched one stands in for it
with its command HAUL renamed away. KVROCKS_KEEP, if set, keeps the nodes' directories and logs.
"""
import os
import re
import struct
import subprocess
import sys
import threading
import time
import unittest

from kvrocks_node import Client, Cluster, Error

BINARY = os.environ.get("KVROCKS_BIN", "")
UNPATCHED = os.environ.get("KVROCKS_UNPATCHED_BIN", "")
ALL = "0-16383"
FAMILIES = ["metadata", "default", "zset_score", "stream"]


def slot_prefix(slot):
    """The first key of a slot: namespace size, namespace, slot."""
    return b"\x0b__namespace" + slot.to_bytes(2, "big")


def range_deletion(family, start, end):
    """A batch of RocksDB with one DeleteRange: sequence, count, tag, column family, the keys with their sizes."""
    number = {"default": 0, "metadata": 1}[family]
    return bytes(8) + struct.pack("<IBBB", 1, 0x0E, number, len(start)) + start + bytes([len(end)]) + end


def record(family, key, value):
    """A batch of RocksDB with one record."""
    number = {"index": 7}[family]
    return bytes(8) + struct.pack("<IBBB", 1, 0x05, number, len(key)) + key + bytes([len(value)]) + value


def fill_every_type(client, tag):
    """Every data type of Kvrocks, with and without a time to live, expired, and partly expired."""
    commands = []
    for i in range(40):
        key = f"{tag}:{i}"
        commands += [
            ("set", f"{key}:string", f"value-{i}" * 20),
            ("set", f"{key}:ttl", "x", "px", 3600000),
            ("set", f"{key}:expired", "x", "px", 1),
            ("append", f"{key}:string", b"\x00\xff\r\n"),
            ("hset", f"{key}:hash", *[f"f{j // 2}" if j % 2 == 0 else f"v{j}" for j in range(60)]),
            ("rpush", f"{key}:list", *[f"e{j}" for j in range(30)]),
            ("lpush", f"{key}:list", "front"),
            ("sadd", f"{key}:set", *[f"m{j}" for j in range(30)]),
            ("zadd", f"{key}:zset", *[j if k == 0 else f"m{j}" for j in range(-15, 15) for k in range(2)]),
            ("setbit", f"{key}:bitmap", 7 + i * 9000, 1),
            ("setbit", f"{key}:bitmap", 1, 1),
            ("siadd", f"{key}:sortedint", 1, 3, 5, 100000 + i),
            ("xadd", f"{key}:stream", "1-1", "a", "b"),
            ("xadd", f"{key}:stream", "2-1", "c", "d"),
            ("bf.add", f"{key}:bloom", "member"),
            ("json.set", f"{key}:json", "$", '{"a":[1,2,{"b":"c"}]}'),
            ("pfadd", f"{key}:hll", "a", "b", "c"),
            ("hset", f"{key}:extended", "f", "v"),
            ("pexpire", f"{key}:extended", 3600000),
        ]
    replies = client.pipeline(commands)
    bad = [str(reply) for reply in replies if isinstance(reply, Error)]
    if bad:
        raise AssertionError(bad[:3])


READS = {
    "string": ("get",), "ttl": ("get",), "expired": ("get",), "hash": ("hgetall",),
    "list": ("lrange", 0, -1), "set": ("smembers",), "zset": ("zrange", 0, -1, "withscores"),
    "bitmap": ("bitcount",), "sortedint": ("sirange", 0, 100), "stream": ("xrange", "-", "+"),
    "json": ("json.get",), "hll": ("pfcount",), "extended": ("hgetall",),
}


def read_every_type(client, tag):
    commands = []
    for i in range(40):
        for kind, (command, *rest) in READS.items():
            commands.append((command, f"{tag}:{i}:{kind}", *rest))
        commands.append(("bf.exists", f"{tag}:{i}:bloom", "member"))
    return [sorted(r) if isinstance(r, list) else r for r in client.pipeline(commands)]


class Writer(threading.Thread):
    """Writes to both nodes as a cluster client does, and keeps a ledger of the acknowledged writes."""

    def __init__(self, nodes, keys=300, rate=2000):
        super().__init__(daemon=True)
        self.clients = {node.port: None for node in nodes}
        self.port = nodes[0].port
        self.keys, self.interval = keys, 1.0 / rate
        self.ledger, self.unknown = {}, {}
        self.acknowledged, self.errors, self.ended = 0, [], threading.Event()
        self.pause_longest = 0.0

    def once(self, key, value):
        """True: acknowledged. False: refused for now."""
        client = self.clients.get(self.port)
        if client is None:
            client = self.clients[self.port] = Client(self.port)
        try:
            client.call("set", key, value)
            return True
        except Error as error:
            text = str(error)
            if text.startswith("MOVED"):
                self.port = int(text.rsplit(":", 1)[1])
            elif not text.startswith("TRYAGAIN") and "CLUSTERDOWN" not in text:
                self.errors.append(text)
            return False

    def run(self):
        number, refused_since = 0, None
        while not self.ended.is_set():
            number += 1
            key = f"live:{number % self.keys}"
            while not self.ended.is_set():
                self.unknown[key] = str(number)
                try:
                    if self.once(key, number):
                        self.ledger[key] = str(number)
                        del self.unknown[key]
                        self.acknowledged += 1
                        if refused_since is not None:
                            self.pause_longest = max(self.pause_longest, time.monotonic() - refused_since)
                            refused_since = None
                        break
                except OSError:
                    self.clients[self.port] = None
                refused_since = refused_since or time.monotonic()
                time.sleep(0.001)
            time.sleep(self.interval)

    def stop(self):
        self.ended.set()
        self.join(60)

    def check(self, test, node):
        """Every acknowledged write is there, or a later one to the same key that got no answer."""
        client = node.client()
        for key, value in self.ledger.items():
            found = client.call("get", key)
            allowed = {value, self.unknown.get(key, value)}
            test.assertIn(None if found is None else found.decode(), allowed, key)
        client.close()
        test.assertEqual(self.errors, [])


@unittest.skipUnless(BINARY, "KVROCKS_BIN is not set")
class SlotCase(unittest.TestCase):
    """A cluster for each test; HAUL is the haul tool."""

    HAUL = ""
    cluster = None

    def tearDown(self):
        if self.cluster is not None:
            self.cluster.close(keep="KVROCKS_KEEP" in os.environ)
            self.cluster = None

    def open(self, count=2, settings=None, replica_of=None):
        self.cluster = Cluster(BINARY, count, settings, replica_of)
        return self.cluster.nodes

    def add_node(self, binary, name, settings=None):
        return self.cluster.add_node(name, settings, binary)

    def migrate(self, source, target, slots=ALL):
        """Its answer comes when the source takes the next one."""
        self.assertEqual(self.cluster.migrate(source, target, slots, "sync"), b"OK")

    def begin_slow(self, a, b, keys=20000, slots=ALL):
        """A job that copies for some seconds, asynchronously."""
        client = a.client()
        client.pipeline([("set", f"fill:{i}", os.urandom(400).hex()) for i in range(keys)])
        client.pipeline([("hset", f"fillh:{i}", "f", i) for i in range(500)])
        a.call("config", "set", "migrate-rdma-rate-limit-mb", 2)
        self.assertEqual(self.cluster.migrate(a, b, slots), b"OK")
        self.wait_for_copy(a)

    def migrate_again(self, source, target, slots=ALL):
        """After a restart of the source: it may go on by itself once it knows the topology, or when it is told to."""
        def done():
            if source.cluster_info().get("migrating_state") == "success":
                return True
            if "migrate_phase" not in source.info("migration"):
                self.cluster.migrate(source, target, slots)
            return False
        source.wait_for(done, "success")

    def wait_for_copy(self, source):
        source.wait_for(lambda: source.info("migration").get("migrate_phase") == "copying" and
                        int(source.info("migration")["migrate_bytes"]) > 0, "the copy")

    def wait_for_state(self, source, state):
        source.wait_for(lambda: source.cluster_info().get("migrating_state") == state, state)

    @staticmethod
    def count_written(node, since):
        """How often each key of the hand-overs is in the log after a sequence."""
        counts, client = dict.fromkeys(("haul.moving", "haul.given", "haul.taken"), 0), node.client()
        while True:
            reply = client.call("pollupdates", since, "max", 1000)
            fields = dict(zip(reply[::2], reply[1::2]))
            for batch in fields[b"updates"]:
                for key in counts:
                    counts[key] += bytes.fromhex(batch.decode()).count(key.encode())
            if not fields[b"updates"] or fields[b"next_sequence"] >= fields[b"latest_sequence"]:
                return counts
            since = fields[b"next_sequence"]

    def assert_moved(self, node, owner, key="probe"):
        port = self.cluster.ports_told.get(node, {}).get(owner, owner.port)
        with self.assertRaisesRegex(Error, f"MOVED .*:({owner.port}|{port})$"):
            node.call("set", key, node.name)

    def assert_takes(self, node, key="probe"):
        self.assertEqual(node.call("set", key, node.name), b"OK")

    def compact(self, *nodes):
        """Make each node compact everything, which removes fields whose key is gone now and not later."""
        for node in nodes:
            node.call("compact")
        for node in nodes:
            node.wait_for(lambda node=node: node.info("rocksdb").get("is_compacting") == "no", "the compaction")

    def assert_equal_databases(self, a, b, slots=(0, 16383), families=FAMILIES):
        """Record by record; both processes must have stopped."""
        start, end = slot_prefix(slots[0]).hex(), slot_prefix(slots[1] + 1).hex()
        for family in families:
            done = subprocess.run(
                [self.HAUL, "verify", "--db", a.database(), "--with", b.database(), "--cf", family,
                 "--range", f"0x{start}:0x{end}"],
                capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 0, f"{family}: {done.stdout} {done.stderr}")

    def count_records(self, node, family):
        done = subprocess.run([self.HAUL, "verify", "--db", node.database(), "--with", node.database(), "--cf", family,
                               "--json"], capture_output=True, text=True, check=False)
        found = re.search(r'"records":\s*(\d+)', done.stdout)
        self.assertIsNotNone(found, done.stdout + done.stderr)
        return int(found.group(1))


def run_suite(name):
    """SUITE HAUL_TOOL [unittest arguments]"""
    if not BINARY:
        print(f"SKIPPED {name}: KVROCKS_BIN is not set")
        sys.exit(77)
    SlotCase.HAUL = os.path.abspath(sys.argv.pop(1))
    unittest.main(verbosity=2, warnings="ignore")
