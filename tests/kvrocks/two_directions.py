#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""two_directions.py: a node sends slots and receives others at the same time, under a load on both.

    two_directions.py HAUL_TOOL [unittest arguments]
Either is allowed: both migrations succeed, or the second is refused and succeeds later. No acknowledged write is lost.
"""
import os
import time

from kvrocks_node import Cluster, Error
from ledger import Ledger
from slot_case import ALL, BINARY, SlotCase, run_suite

LOW, HIGH = "0-8000", "8001-16383"


class TwoDirections(SlotCase):
    def open_halves(self, count=2, settings=None):
        """What "b" has of the low slots is left over from an earlier time, and an import has to clear it."""
        nodes = self.open(count, settings)
        self.cluster.slots = {nodes[1].id: ALL}
        self.cluster.tell()
        nodes[1].client().pipeline([("hset", f"old:{i}", "f", i) for i in range(1000)])
        self.cluster.slots = {nodes[0].id: LOW, nodes[1].id: HIGH}
        self.cluster.tell()
        for node in nodes[:2]:
            client = node.client()
            client.pipeline([("set", f"fill:{i}", os.urandom(400).hex()) for i in range(12000)])
            node.call("config", "set", "migrate-rdma-rate-limit-mb", 2)
        return nodes

    def begin(self, source, target, slots):
        """False: refused, because the node is busy with the other one."""
        try:
            return self.cluster.migrate(source, target, slots) == b"OK"
        except Error as error:
            self.assertRegex(str(error), "(?i)import|migrat|busy")
            return False

    def ended(self, source):
        return source.cluster_info().get("migrating_state") in ("success", "fail")

    def finish(self, source, target, slots):
        """The end of a migration; one that was refused or failed for the other's sake is begun again."""
        for _ in range(3):
            source.wait_for(lambda: self.ended(source), "the end")
            if source.cluster_info()["migrating_state"] == "success":
                return
            self.begin(source, target, slots)
        self.wait_for_state(source, "success")

    def under_load(self, nodes):
        ledger = Ledger(nodes, rate=1000)
        ledger.start()
        nodes[0].wait_for(lambda: ledger.acknowledged > 100, "the load")
        return ledger

    def conclude(self, ledger, owners):
        self.cluster.slots = owners
        self.cluster.tell()
        count = ledger.acknowledged
        self.cluster.nodes[0].wait_for(lambda: ledger.acknowledged > count + 100, "the load on the new owners")
        ledger.stop()
        self.assertEqual(ledger.wrong(self.cluster.nodes)[:5], [])

    def test_two_nodes__exchange_their_slots__nothing_acknowledged_is_lost(self):
        a, b = self.open_halves()
        ledger = self.under_load([a, b])
        self.begin(a, b, LOW)
        self.begin(b, a, HIGH)
        self.finish(a, b, LOW)
        self.finish(b, a, HIGH)
        self.conclude(ledger, {a.id: HIGH, b.id: LOW})

    def test_two_nodes__exchange_while_info_and_setnodes_come__both_answer_at_once(self):
        a, b = self.open_halves()
        self.begin(a, b, LOW)
        self.begin(b, a, HIGH)
        slowest = 0.0
        while not (self.ended(a) and self.ended(b)):
            self.cluster.version += 1
            for node in (a, b):
                start = time.monotonic()
                node.call("info", timeout=20)
                self.cluster.repeat(node)
                slowest = max(slowest, time.monotonic() - start)
            time.sleep(0.05)
        self.assertLess(slowest, 1.0)
        self.finish(a, b, LOW)
        self.finish(b, a, HIGH)

    def ingest_while_it_sends(self, settings):
        """"b" sends slowly to "c", and takes slots from "a" quickly meanwhile; clients go on writing to it."""
        a, b, c = self.open_halves(3, {"b": settings})
        ledger = self.under_load([a, b, c])
        self.assertTrue(self.begin(b, c, HIGH))
        b.wait_for(lambda: c.cluster_info().get("import_state") == "start", "the import")
        a.call("config", "set", "migrate-rdma-rate-limit-mb", 0)
        if self.begin(a, b, LOW):
            a.wait_for(lambda: self.ended(a), "the end of the import")
            self.assertEqual(b.cluster_info()["migrating_state"], "start", "too fast to show anything")
        count = ledger.acknowledged
        b.wait_for(lambda: ledger.acknowledged > count + 500, "later writes")
        self.finish(b, c, HIGH)
        self.finish(a, b, LOW)
        self.conclude(ledger, {b.id: LOW, c.id: HIGH})

    def test_one_node__ingests_and_sends_by_raw_key_value__nothing_acknowledged_is_lost(self):
        """The ingested files leave a gap in the log, which upstream's way takes for its end."""
        self.ingest_while_it_sends({
            "migrate-transport": "redis", "migrate-type": "raw-key-value", "migrate-batch-rate-limit-mb": 1})

    def test_one_node__imports_and_sends_by_raw_key_value__its_records_stay_with_it(self):
        """Upstream looks for a slot in each key of the log; ids of digits make one of those that "2" sends."""
        raw = {"migrate-transport": "redis", "migrate-type": "raw-key-value", "migrate-batch-rate-limit-mb": 1}
        self.cluster = Cluster(BINARY, 0)
        a, b, c = (self.add_node(BINARY, name, raw if name == "2" else None) for name in "123")
        self.cluster.slots = {a.id: LOW, b.id: HIGH}
        self.cluster.tell()
        b.client().pipeline([("set", f"fill:{i}", os.urandom(400).hex()) for i in range(12000)])
        self.assertEqual(self.cluster.migrate(b, c, HIGH), b"OK")
        b.wait_for(lambda: c.cluster_info().get("import_state") == "start", "the import")
        self.migrate(a, b, LOW)
        self.assertEqual(b.cluster_info()["migrating_state"], "start", "too fast to show anything")
        self.wait_for_state(b, "success")
        self.assertGreater(self.count_written(b, 0)["haul.taken"], 0)
        self.assertEqual(self.count_written(c, 0)["haul.taken"], 0)

    def test_one_node__ingests_and_sends_by_rdma__nothing_acknowledged_is_lost(self):
        self.ingest_while_it_sends({})


if __name__ == "__main__":
    run_suite("kvrocks_two_directions")
