#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""stale_records.py: the record of a hand-over is read again when the topology has long gone on.

    stale_records.py HAUL_TOOL [unittest arguments]
Backups, copies of a database, and replicas that lost their master have the record, and have not seen how it ended.
"""
import os
import shutil

from cluster_client import slot_of
from kvrocks_node import Error
from slot_case import ALL, SlotCase, run_suite

LOW, HIGH = "0-8191", "8192-16383"
PASSWORD = "secret"
LOW_KEY = next(f"k{i}" for i in range(100) if slot_of(f"k{i}") < 8192)
HIGH_KEY = next(f"k{i}" for i in range(100) if slot_of(f"k{i}") >= 8192)


class StaleRecords(SlotCase):
    def publish(self, slots):
        self.cluster.slots = {node.id: text for node, text in slots.items()}
        self.cluster.tell()

    def lock(self, node):
        node.call("config", "set", "requirepass", PASSWORD)
        node.password = PASSWORD

    def cut_off(self, replica, master):
        """The master asks for a password that its replica does not have."""
        self.lock(master)
        master.call("client", "kill", "type", "slave")
        replica.wait_for(lambda: replica.info("replication").get("master_link_status") != "up", "the end of the link")

    def assert_one_owner(self, owner, others):
        """The others get there in the end, and until then they serve nothing."""
        self.assertEqual(owner.call("set", LOW_KEY, "one"), b"OK")
        for node in others:
            node.wait_for(lambda node=node: self.refuses(node), "MOVED")
            self.assert_moved(node, owner, LOW_KEY)

    def refuses(self, node):
        try:
            node.call("set", LOW_KEY, "two")
        except Error as error:
            return str(error).startswith("MOVED")
        raise AssertionError(f"{node.name} takes a write to slots of another node")

    def promote(self, replica, dead, slots):
        dead.kill()
        self.cluster.nodes = [node for node in self.cluster.nodes if node is not dead]
        self.cluster.replica_of = {}
        self.publish(slots)
        self.lock(replica)

    def test_backup_of_a_destination__restored_after_the_slots_went_back__one_owner(self):
        a, b = self.open()
        a.call("set", LOW_KEY, "old")
        self.migrate(a, b)
        b.call("bgsave")
        backup = os.path.join(b.directory, "backup")
        b.wait_for(lambda: os.path.isdir(backup) and b.info("persistence").get("bgsave_in_progress") == "0", "the backup")
        self.publish({b: ALL})
        self.migrate(b, a)
        self.publish({a: ALL})
        b.stop()
        b.remove_database()
        shutil.copytree(backup, b.database())
        b.start()
        self.assert_one_owner(a, [b])
        self.publish({a: ALL})
        self.assert_one_owner(a, [b])
        b.wait_for(lambda: "has not given them" in b.log(), "the owner's word")

    def test_copy_of_a_destination__started_as_another_node__serves_nothing(self):
        a, b, c = self.open(3)
        a.call("set", LOW_KEY, "old")
        self.cluster.raises = False
        self.migrate(a, b)
        b.stop()
        c.stop()
        c.remove_database()
        shutil.copytree(b.database(), c.database())
        b.start()
        c.start()
        b.wait_for(lambda: b.call("get", LOW_KEY) == b"old", "the slots")
        self.refuses(c)
        self.publish({b: ALL})
        self.assert_one_owner(b, [a, c])

    def test_replica_of_a_destination__cut_off_since_the_hand_over__promoted__does_not_serve_them(self):
        a, b, r = self.open(3, replica_of={"c": "b"})
        self.publish({a: LOW, b: HIGH})
        a.call("set", LOW_KEY, "old")
        b.call("set", HIGH_KEY, "x")
        self.migrate(a, b, LOW)
        r.wait_for(lambda: r.info("keyspace")["sequence"] == b.info("keyspace")["sequence"], "the record")
        self.cut_off(r, b)
        self.publish({b: ALL})
        self.lock(a)
        self.migrate(b, a, LOW)
        self.publish({a: LOW, b: HIGH})
        self.promote(r, b, {a: LOW, r: HIGH})
        self.assert_one_owner(a, [r])
        r.wait_for(lambda: "has not given them" in r.log(), "the owner's word")
        self.assertEqual(r.call("set", HIGH_KEY, "y"), b"OK")

    def test_replica_of_a_source__cut_off_since_the_hand_over__promoted__serves_what_came_back(self):
        a, b, r = self.open(3, replica_of={"c": "a"})
        self.publish({a: LOW, b: HIGH})
        a.call("set", LOW_KEY, "old")
        self.migrate(a, b, LOW)
        r.wait_for(lambda: r.info("keyspace")["sequence"] == a.info("keyspace")["sequence"], "the record")
        self.cut_off(r, a)
        self.publish({b: ALL})
        self.lock(b)
        self.migrate(b, a, LOW)
        self.publish({a: LOW, b: HIGH})
        self.promote(r, a, {r: LOW, b: HIGH})
        r.wait_for(lambda: r.call("set", LOW_KEY, "new") == b"OK", "the slots")
        self.assert_one_owner(r, [b])

    def test_restart_of_a_destination__under_a_newer_topology__serves_when_the_source_has_said_so(self):
        a, b = self.open()
        a.call("set", LOW_KEY, "old")
        self.migrate(a, b)
        self.cluster.tell()
        a.pause()
        b.stop()
        b.start()
        self.assertTrue(self.refuses(b))
        a.resume()
        b.wait_for(lambda: b.call("get", LOW_KEY) == b"old", "the source's word")
        self.assert_one_owner(b, [a])


if __name__ == "__main__":
    run_suite("kvrocks_stale_records")
