#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""upgrade.py: a cluster gets the patch node by node, and loses it again, as server_patch/README.md says.

    upgrade.py HAUL_TOOL [unittest arguments]
KVROCKS_UNPATCHED_BIN is the program of the nodes without the patch; without it these tests are skipped.
"""
import os
import shutil
import unittest

import slot_case
from kvrocks_node import UPSTREAM
from slot_case import SlotCase, Writer, fill_every_type, read_every_type, run_suite


@unittest.skipUnless(slot_case.UNPATCHED, "KVROCKS_UNPATCHED_BIN is not set")
class Upgrade(SlotCase):
    def open_unpatched(self, count, replica_of=None):
        self.cluster = slot_case.Cluster(slot_case.UNPATCHED, count, {name: UPSTREAM for name in "abcd"}, replica_of)
        return self.cluster.nodes

    def restart_with(self, node, binary, settings):
        """Another program on the same directory; it gets the topology from its own nodes.conf, and from us again."""
        node.stop()
        node.binary = binary
        node.settings.update(settings)
        node.start()
        self.cluster.repeat(node)

    def upgrade(self, node):
        self.restart_with(node, slot_case.BINARY, {})

    def use_haul(self, *nodes):
        for node in nodes:
            for setting, value in (("migrate-transport", "haul"), ("migrate-rdma-transport", "tcp")):
                self.assertEqual(node.call("config", "set", setting, value), b"OK")

    def roll_back(self, node):
        """The README's three steps."""
        self.assertEqual(node.call("config", "set", "migrate-transport", "redis"), b"OK")
        node.wait_for(lambda: self.is_idle(node), "the end of all jobs")
        self.restart_with(node, slot_case.UNPATCHED, UPSTREAM)

    @staticmethod
    def is_idle(node):
        info = node.info("migration")
        return ("migrate_phase" not in info and "import_phase" not in info and info.get("migrate_queued") == ""
                and info.get("migrate_unconfirmed") == "0")

    def publish(self, owner):
        self.cluster.slots = {owner.id: slot_case.ALL}
        self.cluster.tell()

    def migrate_by(self, source, target, by):
        """Moves and publishes all slots; `by`: haul or upstream."""
        before = source.log().count("by haul, transport:")
        self.migrate(source, target)
        self.assertEqual(source.log().count("by haul, transport:") - before, 1 if by == "haul" else 0)
        self.publish(target)

    def test_upgrade__node_by_node_under_writes__every_acknowledged_write_is_there(self):
        a, b = self.open_unpatched(2)
        fill_every_type(a.client(), "t")
        expected = read_every_type(a.client(), "t")
        writer = Writer([a, b])
        writer.start()
        self.migrate_by(a, b, "upstream")
        self.upgrade(a)
        self.migrate_by(b, a, "upstream")
        self.use_haul(a)
        self.migrate_by(a, b, "upstream")
        self.upgrade(b)
        self.use_haul(b)
        self.migrate_by(b, a, "haul")
        self.migrate_by(a, b, "haul")
        writer.stop()
        writer.check(self, b)
        self.assertEqual(read_every_type(b.client(), "t"), expected)

    def test_roll_back__after_migrations_by_haul__unpatched_nodes_serve_and_migrate(self):
        a, b = self.open()
        fill_every_type(a.client(), "t")
        expected = read_every_type(a.client(), "t")
        self.migrate_by(a, b, "haul")
        self.migrate_by(b, a, "haul")
        self.migrate_by(a, b, "haul")
        self.roll_back(a)
        self.roll_back(b)
        self.assertEqual(read_every_type(b.client(), "t"), expected)
        self.migrate_by(b, a, "upstream")
        self.assertEqual(read_every_type(a.client(), "t"), expected)

    def test_roll_back_of_a_replica__its_haul_directory_removed__full_synchronizations_end(self):
        a, b, c = self.open(3, replica_of={"c": "b"})
        fill_every_type(a.client(), "t")
        self.migrate_by(a, b, "haul")
        self.roll_back(c)
        shutil.rmtree(os.path.join(c.database(), "haul"), ignore_errors=True)
        for _ in range(2):
            c.stop()
            c.remove_database()
            c.start()
            self.cluster.repeat(c)
            b.call("set", "probe", "x")
            c.wait_for(lambda: c.info("replication").get("master_link_status") == "up" and
                       c.info("keyspace")["sequence"] == b.info("keyspace")["sequence"], "the synchronization")

    def test_roll_back__a_setting_of_ours_left_in_the_file__a_warning(self):
        a, = self.open_unpatched(1)
        a.stop()
        a.settings["migrate-transport"] = "haul"
        a.start()
        self.assertIn("'migrate-transport' at line", a.log())


if __name__ == "__main__":
    run_suite("kvrocks_upgrade")
