#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""operator_commands.py: what an operator sees of a migration, and how it is slowed down, queued, cancelled,
how large slots are, and how fast a line is.

    operator_commands.py HAUL_TOOL [unittest arguments]
"""
import os
import time

from cluster_client import slot_of
from kvrocks_node import Error
from slot_case import ALL, SlotCase, run_suite

RUNNING = ["slot(s)", "node", "phase", "transport", "records", "bytes", "rate_mb", "seconds"]
SOURCE_ONLY = ["bytes_expected", "percent", "eta_seconds", "lag_bytes", "rounds", "pinned_log_bytes",
               "pinned_table_bytes", "durable_bytes"]
LAST = ["slot(s)", "node", "result", "error", "transport", "lane", "records", "bytes", "seconds", "rate_mb"]


class OperatorCommands(SlotCase):
    # --- settings --------------------------------------------------------------------------------------------

    def test_config_set__an_address_that_cannot_be_listened_at__refused(self):
        a, _ = self.open()
        for bad in ("nonsense", "1.2.3.4", "1.2.3.4:70000", "1.2.3.4:port", "fd00::7:21666"):
            with self.assertRaisesRegex(Error, "failed to set new value|invalid", msg=bad):
                a.call("config", "set", "migrate-rdma-listen", bad)
        for good in ("10.0.0.7:26666", "[fd00::7]:26666", ""):
            self.assertEqual(a.call("config", "set", "migrate-rdma-listen", good), b"OK")
            self.assertEqual(a.call("config", "get", "migrate-rdma-listen")[1].decode(), good)
        with self.assertRaises(Error):
            a.call("config", "set", "migrate-rdma-lane", "fastest")

    def test_config_set__rate_while_it_copies__followed_at_once(self):
        a, b = self.open()
        self.begin_slow(a, b, keys=60000)
        before = int(a.info("migration")["migrate_bytes"])
        self.assertLess(before, 30 << 20)
        a.call("config", "set", "migrate-rdma-rate-limit-mb", 0)
        began = time.monotonic()
        self.wait_for_state(a, "success")
        self.assertLess(time.monotonic() - began, 10, "at 2 MB/s the rest takes over 20 s")

    # --- INFO ------------------------------------------------------------------------------------------------

    def test_info__while_it_copies__progress_on_both_nodes(self):
        a, b = self.open()
        self.begin_slow(a, b)
        for node, side, peer in ((a, "migrate", b), (b, "import", a)):
            fields = node.wait_for(lambda node=node, side=side: node.info("migration")
                                   if f"{side}_rate_mb" in node.info("migration") else None, "progress")
            wanted = RUNNING + (SOURCE_ONLY if side == "migrate" else [])
            self.assertEqual([f for f in wanted if f"{side}_{f}" not in fields], [], side)
            self.assertEqual(fields[f"{side}_node"], peer.id)
            self.assertEqual([f for f in fields if not f.startswith(("migrate_", "import_"))], [])
            cluster = node.cluster_info()
            self.assertEqual([f for f in RUNNING if f"{side}_{f}" not in cluster], [], side)
            self.assertEqual(cluster[f"{side}_slot(s)"], ALL)
        fields = a.info("migration")
        self.assertGreater(float(fields["migrate_percent"]), 0)
        self.assertLess(float(fields["migrate_percent"]), 100)
        a.wait_for(lambda: 0 < int(a.info("migration")["migrate_eta_seconds"]) < 60, "an estimate")
        a.call("config", "set", "migrate-rdma-rate-limit-mb", 0)
        self.wait_for_state(a, "success")
        for node, side in ((a, "migrate"), (b, "import")):
            node.wait_for(lambda node=node, side=side: f"{side}_phase" not in node.info("migration"), "the end")
            fields = node.info("migration")
            self.assertEqual([f for f in LAST if f"{side}_last_{f}" not in fields], [], side)
            self.assertEqual(fields[f"{side}_last_result"], "OK")
            self.assertNotIn(f"{side}_phase", node.cluster_info())

    # --- several ranges --------------------------------------------------------------------------------------

    def fill(self, node):
        node.client().pipeline([("set", f"key:{i}", i) for i in range(2000)])

    def test_migrate__several_ranges__one_after_the_other(self):
        a, b = self.open()
        self.fill(a)
        a.call("config", "set", "migrate-rdma-rate-limit-mb", 1)
        self.assertEqual(a.call("clusterx", "migrate", "0-4999 6000-6999 8000", b.id, "async"), b"OK")
        a.wait_for(lambda: b.log().count("Imported slot(s)") == 3, "three imports")
        log = b.log()
        order = [log.index(f"Imported slot(s) {r} ") for r in ("0-4999", "6000-6999", "8000")]
        self.assertEqual(order, sorted(order))
        self.assertEqual(a.info("migration")["migrate_queued"], "")
        for i in range(2000):
            slot = a.call("cluster", "keyslot", f"key:{i}")
            moved = slot < 5000 or 6000 <= slot < 7000 or slot == 8000
            if i % 20 == 0 or slot == 8000:
                node = b if moved else a
                self.assertEqual(node.call("get", f"key:{i}"), str(i).encode(), slot)

    def test_migrate__several_ranges_and_the_first_fails__the_rest_is_dropped(self):
        a, b = self.open()
        self.begin_slow(a, b, slots="0-8191 8200-8300")
        self.assertEqual(a.info("migration")["migrate_queued"], "8200-8300")
        self.assertEqual(a.call("haul", "cancel", "0-8191"), b"OK")
        self.wait_for_state(a, "fail")
        a.wait_for(lambda: a.info("migration")["migrate_queued"] == "", "an empty queue")
        self.assertIn("8200-8300 are not migrated", a.log())
        time.sleep(0.5)
        self.assertEqual(a.cluster_info()["migrating_slot(s)"], "0-8191")

    def test_migrate__several_ranges_at_fault__refused_before_anything_begins(self):
        a, b = self.open()
        for ranges, mode, message in (("0-9 5-20", "async", "overlap"), ("0-9 20-30", "sync", "ASYNC")):
            with self.assertRaisesRegex(Error, message):
                a.call("clusterx", "migrate", ranges, b.id, mode)
            self.assertNotIn("migrating_state", a.cluster_info())

    # --- cancelling ------------------------------------------------------------------------------------------

    def test_cancel__while_it_copies__the_slots_stay(self):
        a, b = self.open()
        self.begin_slow(a, b)
        with self.assertRaisesRegex(Error, "not being migrated"):
            a.call("haul", "cancel", "0-5")
        self.assertEqual(a.call("haul", "cancel", ALL), b"OK")
        self.wait_for_state(a, "fail")
        self.assert_takes(a)
        b.wait_for(lambda: b.info("migration").get("import_last_result") and
                   "import_phase" not in b.info("migration"), "the end of the import")
        b.wait_for(lambda: self.nothing_in(b), "an empty destination")
        a.call("config", "set", "migrate-rdma-rate-limit-mb", 0)
        self.migrate(a, b)
        self.assert_takes(b)

    def nothing_in(self, node):
        node.call("dbsize", "scan")
        time.sleep(0.2)
        return node.call("dbsize") == 0

    def test_cancel__a_range_that_waits__off_the_queue(self):
        a, b = self.open()
        self.begin_slow(a, b, slots="0-8191 8200-8300 8400-8500")
        self.assertEqual(a.call("haul", "cancel", "8200-8300"), b"OK")
        self.assertEqual(a.info("migration")["migrate_queued"], "8400-8500")
        a.call("config", "set", "migrate-rdma-rate-limit-mb", 0)
        b.wait_for(lambda: "Imported slot(s) 8400-8500 " in b.log(), "the last import")
        self.assertNotIn("Imported slot(s) 8200-8300 ", b.log())

    def test_cancel__nothing_runs__refused(self):
        a, b = self.open()
        with self.assertRaises(Error):
            a.call("haul", "cancel", ALL)
        self.migrate(a, b)
        with self.assertRaises(Error):
            a.call("haul", "cancel", ALL)
        self.assert_moved(a, b)

    def test_cancel__the_jobs_record_changes__the_lists_of_hand_overs_are_not_written(self):
        """Every replica gets what is written, and the lists have 256 jobs."""
        a, b = self.open()
        self.begin_slow(a, b)
        self.cancel_recorded(a, 0)  # a new process writes all of them once
        since = int(a.info("keyspace")["sequence"])
        self.assertEqual(self.cluster.migrate(a, b), b"OK")
        self.wait_for_copy(a)
        self.cancel_recorded(a, since)
        self.assertEqual(self.count_written(a, since), {"haul.moving": 2, "haul.given": 0, "haul.taken": 0})

    def cancel_recorded(self, node, since):
        """Cancel the job when its beginning is in the log, and wait until its end is."""
        node.wait_for(lambda: self.count_written(node, since)["haul.moving"] == 1, "the job's record")
        self.assertEqual(node.call("haul", "cancel", ALL), b"OK")
        node.wait_for(lambda: self.count_written(node, since)["haul.moving"] == 2, "the end of the job's record")

    # --- expired keys ----------------------------------------------------------------------------------------

    def test_restart__expired_keys_and_a_compaction__the_copy_continues(self):
        """What was sent must not disappear before the copy has ended, also while no process copies."""
        a, b = self.open()
        client = a.client()
        client.pipeline([("set", f"soon:{i}", "x" * 100, "px", 6000) for i in range(3000)])
        self.begin_slow(a, b)
        a.wait_for(lambda: int(a.info("migration")["migrate_durable_bytes"]) > 1 << 20, "durable records")
        a.kill()
        time.sleep(6)
        a.start()
        self.compact(a, b)
        self.cluster.tell()
        a.call("config", "set", "migrate-rdma-rate-limit-mb", 0)
        self.cluster.migrate(a, b)
        self.wait_for_state(a, "success")
        self.assertEqual(a.info("migration")["migrate_last_resumed"], "1")
        self.assert_takes(b)

    # --- sizes -----------------------------------------------------------------------------------------------

    def fill_unevenly(self, node):
        """Slot -> bytes of what it holds; each slot has its own share of strings and hashes."""
        client, expected = node.client(), {}
        for i in range(16):
            tag = f"{{tag{i}}}"
            values = 200 * (i + 1)
            client.pipeline([("set", f"{tag}{n}", os.urandom(1000)) for n in range(values)])
            client.pipeline([("hset", f"{tag}hash", n, os.urandom(1000)) for n in range(values)])
            expected[slot_of(tag)] = 2 * 1000 * values
        client.close()
        self.assertEqual(len(expected), 16)
        return expected

    def assert_sizes(self, node, expected, tolerance):
        slots = sorted(expected)
        sizes = node.call("haul", "sizes", *[str(slot) for slot in slots])
        for slot, size in zip(slots, sizes):
            self.assertAlmostEqual(size / expected[slot], 1, delta=tolerance, msg=slot)
        empty = next(slot for slot in range(16384) if slot not in expected)
        middle = slots[len(slots) // 2]
        halves = node.call("haul", "sizes", f"0-{middle - 1}", f"{middle}-16383", empty)
        self.assertAlmostEqual(halves[0] / sum(expected[slot] for slot in slots if slot < middle), 1, delta=tolerance)
        self.assertAlmostEqual(halves[1] / sum(expected[slot] for slot in slots if slot >= middle), 1, delta=tolerance)
        self.assertEqual(halves[2], 0)

    def test_sizes__slots_of_many_sizes__within_a_twentieth(self):
        a, _ = self.open(settings={"a": {"rocksdb.compression": "no"}})
        expected = self.fill_unevenly(a)
        a.call("flushmemtable")
        self.assert_sizes(a, expected, 0.05)

    def test_sizes__nothing_is_flushed_yet__within_a_quarter(self):
        """RocksDB estimates a memtable by some of its nodes."""
        a, _ = self.open()
        self.assert_sizes(a, self.fill_unevenly(a), 0.25)

    def test_sizes__no_range_or_too_many__refused(self):
        a, _ = self.open()
        for words in ((), ("0-16384",), ("x",), ("5-3",), ("0-1 3-4",), tuple("0" for _ in range(1025))):
            with self.assertRaises(Error, msg=words[:1]):
                a.call("haul", "sizes", *words)
        self.assertEqual(len(a.call("haul", "sizes", *["0"] * 1024)), 1024)

    # --- the line to another node ----------------------------------------------------------------------------

    def probe(self, node, *words, client=None):
        """Round trip in seconds, bytes a second."""
        def answer():
            try:
                line = (client or node).call("haul", "probe", *words).decode().split()
            except Error as error:
                return error
            self.assertEqual(line[0], "haul")
            return None if line[1] == "measuring" else line[1:]
        answered = node.wait_for(answer, "a measurement")
        if isinstance(answered, Error):
            raise answered
        return int(answered[0]) / 1e6, int(answered[1])

    def test_probe__a_node_of_this_machine__fast(self):
        a, b = self.open()
        round_trip, rate = self.probe(a, b.id)
        self.assertLess(round_trip, 0.01)
        self.assertGreater(rate, 100e6)
        self.assertEqual(self.probe(a, b.id), (round_trip, rate), "kept for a minute")

    def test_probe__a_limit__kept(self):
        a, b = self.open()
        began = time.monotonic()
        _, rate = self.probe(a, b.id, 20)
        self.assertLess(rate, 1.25 * (20 << 20))
        self.assertGreater(rate, 0.5 * (20 << 20))
        self.assertLess(time.monotonic() - began, 10)
        with self.assertRaisesRegex(Error, "being measured"):
            a.call("haul", "probe", b.id, 10)
            a.call("haul", "probe", b.id, 30)

    def test_probe__a_password__sent(self):
        a, b = self.open()
        b.call("config", "set", "requirepass", "secret")
        with self.assertRaisesRegex(Error, "NOAUTH"):
            self.probe(a, b.id)
        client = a.client()
        client.call("config", "set", "requirepass", "secret")
        self.assertGreater(self.probe(a, b.id, 100, client=client)[1], 0)
        client.close()

    def test_probe__a_node_that_cannot_be_measured__named(self):
        a, b = self.open()
        for words, message in (((a.id,), "this node"), (("0" * 40,), "no such node"), ((), "number of arguments"),
                               ((b.id, "x"), "integer"), ((b.id, 2 ** 31), "range")):
            with self.assertRaisesRegex(Error, message, msg=words):
                a.call("haul", "probe", *words)
        b.kill()
        with self.assertRaisesRegex(Error, "cannot connect"):
            self.probe(a, b.id)

    def test_probe__the_node_stops_meanwhile__at_once(self):
        a, b = self.open()
        a.call("haul", "probe", b.id, 1)
        began = time.monotonic()
        a.stop()
        self.assertLess(time.monotonic() - began, 5)


if __name__ == "__main__":
    run_suite("kvrocks_operator_commands")
