#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""slot_migration.py: slots move between real Kvrocks processes with migrate-transport haul (slot_case.py names the binaries).

    slot_migration.py HAUL_TOOL [unittest arguments]
"""
import os
import random
import shutil
import subprocess
import sys
import threading
import time

from jobs import name_of, request_import
from kvrocks_node import ADDRESS, LISTEN_ABOVE, TRANSPORT, UPSTREAM, Error, free_high_port
from slot_case import (ALL, BINARY, FAMILIES, UNPATCHED, SlotCase, Writer, fill_every_type, range_deletion,
                       read_every_type, record, run_suite, slot_prefix)


class SlotMigration(SlotCase):
    # --- every type ---------------------------------------------------------------------------------

    def test_migrate__every_type__byte_equal_and_readable(self):
        a, b = self.open()
        client = a.client()
        fill_every_type(client, "t")
        client.call("set", "", "empty key")
        client.call("set", b"\x00bin\xff\r\n", "binary key")
        before = read_every_type(client, "t")
        self.migrate(a, b)
        self.assertEqual(read_every_type(b.client(), "t"), before)
        self.assertEqual(b.call("get", b"\x00bin\xff\r\n"), b"binary key")
        self.assertEqual(a.cluster_info()["migrating_state"], "success")
        self.assertEqual(b.cluster_info()["import_state"], "success")
        info = a.info("migration")
        self.assertEqual(info["migrate_last_result"], "OK")
        self.assertEqual(info["migrate_last_transport"], TRANSPORT)
        self.assertGreater(int(info["migrate_last_records"]), 0)
        self.assertGreaterEqual(float(info["migrate_last_write_pause_ms"]), 0)
        a.stop()
        b.stop()
        self.assert_equal_databases(a, b)

    def test_migrate__write_batch_lane__byte_equal(self):
        a, b = self.open(settings={n: {"migrate-rdma-lane": "writebatch"} for n in "ab"})
        fill_every_type(a.client(), "w")
        before = read_every_type(a.client(), "w")
        self.migrate(a, b)
        self.assertIn("lane: writebatch", a.log())
        self.assertEqual(read_every_type(b.client(), "w"), before)
        a.stop()
        b.stop()
        self.assert_equal_databases(a, b)

    def test_migrate__one_slot__the_others_stay(self):
        a, b = self.open()
        client = a.client()
        client.pipeline([("set", f"{{one}}:{i}", i) for i in range(500)])
        client.pipeline([("set", f"{{two}}:{i}", i) for i in range(500)])
        slot = client.call("cluster", "keyslot", "{one}")
        self.migrate(a, b, slot)
        self.assertEqual(b.call("get", "{one}:7"), b"7")
        with self.assertRaisesRegex(Error, f"MOVED {slot} {ADDRESS}:{b.port}"):
            a.call("get", "{one}:7")
        self.assertEqual(a.call("get", "{two}:7"), b"7")
        with self.assertRaisesRegex(Error, "MOVED"):
            b.call("get", "{two}:7")
        a.stop()
        b.stop()
        self.assert_equal_databases(a, b, (slot, slot))

    def test_migrate__empty_slots__success(self):
        a, b = self.open()
        self.migrate(a, b, "100-200")
        self.assertEqual(b.cluster_info()["import_state"], "success")

    def test_migrate__next_one_right_after_the_answer__accepted(self):
        """Where the clean-up comes after the answer, one of forty is too early."""
        a, b = self.open()
        self.cluster.raises = False  # that would give it time
        for slot in range(40):
            self.assertEqual(self.cluster.migrate(a, b, str(slot), "sync"), b"OK")

    def test_migrate__large_values__equal(self):
        a, b = self.open()
        big = os.urandom(1 << 20)
        for i in range(8):
            a.call("set", f"big:{i}", big + bytes([i]))
        huge = os.urandom(1 << 20) * 100
        a.call("set", "huge", huge)
        self.migrate(a, b)
        self.assertEqual(b.call("get", "big:5"), big + b"\x05")
        self.assertEqual(b.call("get", "huge"), huge)

    # --- under load ----------------------------------------------------------------------------------

    def test_migrate__live_load__nothing_acknowledged_is_lost(self):
        a, b = self.open()
        client = a.client()
        client.pipeline([("set", f"fill:{i}", os.urandom(400).hex()) for i in range(20000)])
        writer = Writer([a, b])
        writer.start()
        a.wait_for(lambda: writer.acknowledged > 200, "the load")
        self.migrate(a, b)
        count = writer.acknowledged
        b.wait_for(lambda: writer.acknowledged > count + 200, "the load on the new owner")
        writer.stop()
        writer.check(self, b)

    def test_migrate__multi_and_lua_while_it_copies__all_or_nothing_and_all_there(self):
        a, b = self.open()
        client = a.client()
        client.pipeline([("set", f"fill:{i}", os.urandom(400).hex()) for i in range(20000)])
        a.call("config", "set", "migrate-rdma-rate-limit-mb", 4)
        mover = threading.Thread(target=self.migrate, args=(a, b))
        mover.start()
        a.wait_for(lambda: a.info("migration").get("migrate_phase") == "copying", "the copy")
        for i in range(50):
            client.call("multi")
            client.call("set", f"{{m}}:{i}:x", i)
            client.call("set", f"{{m}}:{i}:y", i)
            client.call("hset", f"{{m}}:{i}:h", "f", i)
            self.assertEqual(len(client.call("exec")), 3)
            client.call("eval", "redis.call('set', KEYS[1], ARGV[1]) redis.call('del', KEYS[2])", 2, f"{{l}}:{i}",
                        f"{{l}}:{i - 1}", i)
        mover.join()
        for i in range(50):
            self.assertEqual(b.call("get", f"{{m}}:{i}:x"), str(i).encode())
            self.assertEqual(b.call("get", f"{{m}}:{i}:y"), str(i).encode())
            self.assertEqual(b.call("hget", f"{{m}}:{i}:h", "f"), str(i).encode())
        self.assertEqual(b.call("get", "{l}:49"), b"49")
        self.assertIsNone(b.call("get", "{l}:48"))

    def test_migrate__expired_key_is_extended_while_it_copies__kept(self):
        a, b = self.open()
        client = a.client()
        client.pipeline([("set", f"fill:{i}", os.urandom(400).hex()) for i in range(20000)])
        client.pipeline([("hset", f"e:{i}", "f", i) for i in range(100)])
        client.pipeline([("pexpire", f"e:{i}", 20000) for i in range(100)])
        client.call("config", "set", "migrate-rdma-rate-limit-mb", 4)
        mover = threading.Thread(target=self.migrate, args=(a, b))
        mover.start()
        a.wait_for(lambda: a.info("migration").get("migrate_phase") == "copying", "the copy")
        client.pipeline([("persist", f"e:{i}") for i in range(100)])
        client.pipeline([("hset", f"e:{i}", "g", i) for i in range(100)])
        mover.join()
        for i in range(100):
            self.assertEqual(b.call("hlen", f"e:{i}"), 2)
            self.assertEqual(b.call("ttl", f"e:{i}"), -1)

    # --- ranges that are deleted -----------------------------------------------------------------------

    def test_migrate__range_deleted_while_it_copies__carried(self):
        """A DeleteRange in the log; APPLYBATCH writes one as it comes."""
        a, b = self.open()
        self.begin_slow(a, b)
        client = a.client()
        client.pipeline([("set", f"{{gone}}:{i}", i) for i in range(100)])
        client.pipeline([("set", f"{{stays}}:{i}", i) for i in range(100)])
        gone, stays = (client.call("cluster", "keyslot", tag) for tag in ("{gone}", "{stays}"))
        for family in ("metadata", "default"):
            for first, last in ((0, 4000), (gone, gone + 1), (stays + 1, stays + 2)):
                batch = range_deletion(family, slot_prefix(first), slot_prefix(last))
                self.assertEqual(client.call("applybatch", batch), len(batch))
        client.call("set", "{gone}:7", "again")
        slots = [client.call("cluster", "keyslot", f"fill:{i}") for i in range(200)]
        a.wait_for(lambda: a.cluster_info()["migrating_state"] == "success", "success")
        self.assertEqual(b.call("get", "{gone}:7"), b"again")
        self.assertIsNone(b.call("get", "{gone}:8"))
        self.assertEqual(b.call("get", "{stays}:8"), b"8")
        there = [reply is not None for reply in b.client().pipeline([("get", f"fill:{i}") for i in range(200)])]
        self.assertEqual(there, [slot >= 4000 and slot not in (gone, stays + 1) for slot in slots])
        a.stop()
        b.stop()
        self.assert_equal_databases(a, b)

    def test_flushall__between_a_kill_and_the_resumption__carried(self):
        """Without nodes.conf the killed source waits for the topology; data flushed meanwhile is newer than the old view."""
        a, b = self.open(settings={"a": {"persist-cluster-nodes-enabled": "no"}})
        self.begin_slow(a, b)
        a.kill()
        a.settings.pop("migrate-rdma-rate-limit-mb", None)
        a.start()
        a.call("flushall")
        self.cluster.repeat(a)
        a.client().pipeline([("set", f"new:{i}", i) for i in range(500)])
        self.migrate(a, b)
        self.assertEqual(a.info("migration")["migrate_last_resumed"], "1")
        self.assertEqual(b.call("get", "new:499"), b"499")
        self.assertIsNone(b.call("get", "fill:1"))
        # FLUSHALL deletes metadata only; the next compaction removes the fields of hashes.
        self.compact(a, b)
        a.stop()
        b.stop()
        self.assert_equal_databases(a, b)
        self.assertEqual(self.count_records(a, "default"), 0)

    # --- back and forth ------------------------------------------------------------------------------

    def test_migrate__there_and_back_with_deletes__nothing_comes_back(self):
        a, b = self.open()
        client = a.client()
        client.pipeline([("hset", f"h:{i}", "keep", 1, "gone", 1) for i in range(200)])
        client.pipeline([("zadd", f"z:{i}", 1, "keep", 2, "gone") for i in range(200)])
        client.pipeline([("set", f"s:{i}", 1) for i in range(200)])
        self.migrate(a, b)
        self.cluster.slots = {b.id: ALL}
        self.cluster.tell()
        other = b.client()
        other.pipeline([("hdel", f"h:{i}", "gone") for i in range(200)])
        other.pipeline([("zrem", f"z:{i}", "gone") for i in range(200)])
        other.pipeline([("del", f"s:{i}") for i in range(100)])
        self.migrate(b, a)
        self.cluster.slots = {a.id: ALL}
        self.cluster.tell([a])
        client = a.client()
        for i in range(200):
            self.assertEqual(client.call("hgetall", f"h:{i}"), [b"keep", b"1"])
            self.assertEqual(client.call("zrange", f"z:{i}", 0, -1), [b"keep"])
            self.assertEqual(client.call("get", f"s:{i}"), None if i < 100 else b"1")
        a.stop()
        b.stop()
        self.assert_equal_databases(a, b)

    # --- three nodes ---------------------------------------------------------------------------------

    def test_migrate__three_nodes_under_load__each_slot_where_it_belongs(self):
        a, b, c = self.open(3)
        fill_every_type(a.client(), "n")
        before = read_every_type(a.client(), "n")
        writer = Writer([a, b, c])
        writer.start()
        for source, target, slots, owned in (
                (a, b, "0-8000", {a.id: "8001-16383", b.id: "0-8000"}),
                (a, c, "8001-12000", {a.id: "12001-16383", b.id: "0-8000", c.id: "8001-12000"}),
                (b, c, "4001-8000", {a.id: "12001-16383", b.id: "0-4000", c.id: "4001-12000"}),
                (c, a, "4001-12000", {a.id: "4001-16383", b.id: "0-4000"}),
                (b, a, "0-4000", {a.id: ALL})):
            self.migrate(source, target, slots)
            self.cluster.slots = owned
            self.cluster.tell()
        writer.stop()
        writer.check(self, a)
        self.assertEqual(read_every_type(a.client(), "n"), before)
        for node in (b, c):
            with self.assertRaisesRegex(Error, f"MOVED .*:{a.port}"):
                node.call("get", "n:1:string")

    def test_migrate__redis_port_too_high_for_the_default__any_free_port(self):
        a, b = self.open(settings={"b": {"port": free_high_port()}})
        a.call("set", "k", "v")
        self.migrate(a, b)
        self.assertEqual(b.call("get", "k"), b"v")

    # --- refusals, fallback, cancel ------------------------------------------------------------------

    def test_migrate__destination_without_haul__as_migrate_type_says(self):
        """Slow enough for the next version to come while it copies: upstream forgets a finished one when it comes."""
        (a,) = self.open(1, {"a": {"migrate-batch-rate-limit-mb": 1}})
        if UNPATCHED:
            b = self.add_node(UNPATCHED, "b", UPSTREAM)
        else:
            b = self.add_node(BINARY, "b", {"rename-command": 'haul ""'})
        self.cluster.tell()
        client = a.client()
        client.pipeline([("hset", f"k:{i}", "f", str(i) * 1000) for i in range(600)])
        self.migrate(a, b)
        self.assertEqual(b.call("hget", "k:599", "f"), b"599" * 1000)
        self.assertIn("does not know migrate-transport haul", a.log())

    def test_cancel__on_the_destination__cleared_in_all_column_families(self):
        a, b = self.open()
        self.begin_slow(a, b)
        b.call("cluster", "import", ALL, 2)
        a.wait_for(lambda: a.cluster_info().get("migrating_state") == "fail", "the end")
        b.wait_for(lambda: b.cluster_info().get("import_state") == "error", "the end")
        self.assertEqual(a.call("set", "fill:1", "new"), b"OK")
        a.stop()
        b.stop()
        for family in FAMILIES:
            self.assertEqual(self.count_records(b, family), 0, family)

    def test_flushall__on_the_source__job_ends_and_source_owns(self):
        a, b = self.open()
        self.begin_slow(a, b)
        a.call("flushall")
        a.wait_for(lambda: a.cluster_info().get("migrating_state") == "fail", "the end")
        self.assertEqual(a.call("set", "fill:1", "new"), b"OK")
        with self.assertRaisesRegex(Error, "MOVED"):
            b.call("set", "fill:1", "x")

    def test_flushall__on_the_destination__refused(self):
        a, b = self.open()
        self.begin_slow(a, b)
        with self.assertRaisesRegex(Error, "imported by haul"):
            b.call("flushall")
        with self.assertRaisesRegex(Error, "being imported"):
            b.call("cluster", "import", "1-2", 0)
        client = b.client()
        client.call("asking")
        with self.assertRaisesRegex(Error, "MOVED"):
            client.call("set", "fill:1", "foreign")

    def test_migrate__second_job__refused(self):
        a, b = self.open()
        self.begin_slow(a, b)
        with self.assertRaisesRegex(Error, "already a migrating job"):
            self.cluster.migrate(a, b, "1")

    def test_migrate__index_of_a_standalone_node__refused(self):
        """Keys of the column family "index" belong to no slot; APPLYBATCH writes one where TS.CREATE refuses to."""
        a, b = self.open()
        a.call("set", "k", "v")
        batch = record("index", b"some key", b"some value")
        self.assertEqual(a.call("applybatch", batch), len(batch))
        with self.assertRaisesRegex(Error, "column family 'index' is not empty"):
            self.migrate(a, b)
        self.assertEqual(a.call("get", "k"), b"v")

    def test_migrate__source_becomes_replica__job_ends_within_seconds(self):
        a, b = self.open()
        self.begin_slow(a, b)
        self.cluster.replica_of["a"] = "b"
        self.cluster.slots = {b.id: ALL}
        self.cluster.tell([a])
        b.wait_for(lambda: b.cluster_info().get("import_state") == "error", "the end")

    def test_negotiation__without_password__refused(self):
        _, b = self.open()
        b.call("config", "set", "requirepass", "secret")
        with self.assertRaisesRegex(Error, "NOAUTH"):
            b.call("haul", "import", "1-2", 1)

    def test_negotiation__with_password__success(self):
        a, b = self.open()
        a.call("set", "k", "v")
        for node in (a, b):
            node.call("config", "set", "requirepass", "secret")
            node.password = "secret"
        self.migrate(a, b)
        self.assertEqual(b.call("get", "k"), b"v")

    def test_data_connection__without_the_key__refused(self):
        a, b = self.open()
        job = name_of(request_import(b, a, ALL, self.cluster.version))
        b.wait_for(lambda: b.call("haul", "endpoint", job) != b"haul preparing", "the listener")
        done = subprocess.run(
            [self.HAUL, "send", "--db", self.foreign_database(a), "--to", f"127.0.0.1:{b.port + LISTEN_ABOVE}", "--transport",
             "tcp", "--retry", "1s"], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 4, done.stderr)
        self.assertEqual(b.cluster_info()["import_state"], "start")
        b.call("cluster", "import", ALL, 2)

    def foreign_database(self, node):
        """A copy of a database: what a client without the key might send."""
        copy = os.path.join(self.cluster.directory, "copy")
        node.stop()
        shutil.copytree(node.database(), copy)
        node.start()
        return copy

    # --- crashes -------------------------------------------------------------------------------------

    def finish_after_crash(self, a, b):
        """Whatever was left: at the end exactly one node owns, and has everything."""
        def ended():
            info = a.info("migration")
            on_its_way = "migrate_phase" in info or a.cluster_info().get("migrating_state") == "start"
            return not on_its_way and info["migrate_unconfirmed"] == "0"
        a.wait_for(ended, "the end of the job")

        def owner():
            answers = []
            for node in (a, b):
                try:
                    answers.append(node.call("set", "probe", node.name) == b"OK")
                except Error as error:
                    answers.append(None if str(error).startswith("TRYAGAIN") else False)
            self.assertNotEqual(answers, [True, True], "two owners")
            return (a if answers[0] else b) if True in answers else None
        return a.wait_for(owner, "an owner")

    def test_kill__destination_while_it_copies__goes_on_and_succeeds(self):
        a, b = self.open()
        self.begin_slow(a, b)
        b.kill()
        a.call("config", "set", "migrate-rdma-rate-limit-mb", 0)
        b.start()
        a.wait_for(lambda: a.cluster_info().get("migrating_state") == "success", "success")
        self.assertEqual(b.call("hget", "fillh:499", "f"), b"499")
        self.assertGreater(int(a.info("migration")["migrate_last_retries"]), 0)
        a.stop()
        b.stop()
        self.assert_equal_databases(a, b)

    def test_kill__destination_while_it_copies_and_it_lost_its_database__ends_at_once(self):
        """It would be tried for a minute."""
        a, b = self.open()
        self.begin_slow(a, b)
        b.kill()
        b.remove_database()
        b.start()
        begun = time.monotonic()
        self.wait_for_state(a, "fail")
        self.assertLess(time.monotonic() - begun, 20)
        self.assertIn("the destination has ended the job: haul: no such job", a.log())
        self.assert_takes(a)

    def test_kill__source_while_it_copies__goes_on_when_asked(self):
        a, b = self.open()
        self.begin_slow(a, b)
        a.kill()
        a.settings["migrate-rdma-rate-limit-mb"] = 0
        a.start()
        self.cluster.tell()
        self.migrate_again(a, b)
        self.assertEqual(a.info("migration")["migrate_last_resumed"], "1")
        self.assertEqual(b.call("hget", "fillh:499", "f"), b"499")
        a.stop()
        b.stop()
        self.assert_equal_databases(a, b)

    def test_kill__source_while_it_copies_and_expired_keys_are_compacted__goes_on(self):
        """The job has sent what is expired after the restart: it must stay until the job knows of it again."""
        a, b = self.open()
        client = a.client()
        client.pipeline([("hset", f"e:{i}", "f", i) for i in range(1000)])
        client.pipeline([("pexpire", f"e:{i}", 1500) for i in range(1000)])
        self.begin_slow(a, b)
        a.wait_for(lambda: client.call("exists", "e:1") == 0, "the expiry")
        a.kill()
        a.settings["migrate-rdma-rate-limit-mb"] = 0
        a.start()
        self.compact(a)
        self.cluster.tell()
        self.migrate_again(a, b)
        self.assertEqual(a.info("migration")["migrate_last_resumed"], "1")
        self.assertEqual(b.call("hget", "fillh:499", "f"), b"499")

    def test_kill__both_after_success__still_moved(self):
        a, b = self.open()
        a.call("set", "k", "v")
        self.migrate(a, b)
        a.kill()
        b.kill()
        a.start()
        b.start()
        with self.assertRaisesRegex(Error, f"MOVED .*:{b.port}"):
            a.call("set", "k", "w")
        # The version has risen since the hand-over or not: if it has, it asks first.
        b.wait_for(lambda: b.call("set", "k", "w") == b"OK", "the source's answer")
        # Repeating the old topology changes nothing.
        self.cluster.repeat(a)
        with self.assertRaisesRegex(Error, f"MOVED .*:{b.port}"):
            a.call("set", "k", "w")

    def test_kill__either_at_random_moments__one_owner_and_nothing_lost(self):
        seed = int(os.environ.get("KVROCKS_SEED", random.randrange(1 << 30)))
        print(f"seed {seed}", file=sys.stderr)
        chance = random.Random(seed)
        for _ in range(int(os.environ.get("KVROCKS_KILLS", "3"))):
            a, b = self.open()
            client = a.client()
            client.pipeline([("set", f"fill:{i}", f"value-{i}") for i in range(30000)])
            self.cluster.migrate(a, b)
            time.sleep(chance.random() * 0.6)  # a random moment is what is tested
            victim = chance.choice([a, b])
            victim.kill()
            victim.start()
            owner = self.finish_after_crash(a, b)
            replies = owner.client().pipeline([("get", f"fill:{i}") for i in range(30000)])
            self.assertEqual([r for i, r in enumerate(replies) if r != f"value-{i}".encode()][:3], [])
            self.cluster.close()

    # --- replicas ------------------------------------------------------------------------------------

    def test_migrate__destination_has_a_replica__identical_there(self):
        a, b, c = self.open(3, replica_of={"c": "b"})
        fill_every_type(a.client(), "r")
        b.wait_for(lambda: b.info("replication").get("connected_slaves") == "1", "the replica")
        self.migrate(a, b)
        self.assertIn("lane: writebatch", a.log())
        c.wait_for(lambda: c.info("keyspace")["sequence"] == b.info("keyspace")["sequence"], "the same sequence")
        b.stop()
        c.stop()
        self.assert_equal_databases(b, c)

    def test_migrate__replica_attached_after_ingest__gets_all(self):
        a, b = self.open()
        fill_every_type(a.client(), "q")
        self.migrate(a, b)
        self.assertIn("lane: ingest", a.log())
        c = self.add_node(BINARY, "c")
        self.cluster.slots = {b.id: ALL}
        self.cluster.replica_of["c"] = "b"
        self.cluster.tell()
        c.wait_for(lambda: c.info("replication").get("master_link_status") == "up", "the link")
        b.call("set", "after", "1")
        reader = c.client()
        reader.call("readonly")
        c.wait_for(lambda: reader.call("get", "after") == b"1", "the last write")
        self.assertEqual(read_every_type(reader, "q")[:200], read_every_type(b.client(), "q")[:200])


if __name__ == "__main__":
    run_suite("kvrocks_slot_migration")
