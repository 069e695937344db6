#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""replication.py: replicas of nodes that move slots, before, during and after a migration, on either side.

    replication.py HAUL_TOOL [unittest arguments]
"""
from slot_case import ALL, BINARY, SlotCase, fill_every_type, run_suite

# A full synchronisation of these small databases takes a second; Kvrocks repeats a failed one every few seconds.
SYNC_S = 40
# By number alone a replica may continue with the log of a master whose data it does not have.
SETTINGS = {"use-rsid-psync": "yes"}


class Replication(SlotCase):
    def open(self, count=2, settings=None, replica_of=None):
        return super().open(count, {name: SETTINGS for name in "abcdef"[:count]}, replica_of)

    def wait_for_sync(self, replica, master):
        replica.wait_for(lambda: replica.info("replication").get("master_link_status") == "up" and
                         replica.info("keyspace")["sequence"] == master.info("keyspace")["sequence"],
                         "synchronisation", SYNC_S)

    def assert_identical(self, *nodes):
        for node in nodes:
            node.stop()
        for other in nodes[1:]:
            self.assert_equal_databases(nodes[0], other)

    # --- full synchronisation of nodes that have moved slots -----------------------------------------------

    def test_full_sync__at_the_start_of_a_replica__it_runs(self):
        """A replica with a lost database synchronises before the rest of the server is ready."""
        a, b, c = self.open(3, replica_of={"c": "b"})
        fill_every_type(a.client(), "t")
        self.migrate(a, b)
        self.cluster.slots = {b.id: ALL}
        self.cluster.tell()
        self.wait_for_sync(c, b)
        for _ in range(3):
            c.kill()
            c.remove_database()
            c.start()
            self.wait_for_sync(c, b)
        self.assert_identical(b, c)

    # --- replicas of the destination -------------------------------------------------------------------------

    def attach(self, name, master):
        replica = self.add_node(BINARY, name, SETTINGS)
        self.cluster.replica_of[name] = master.name
        self.cluster.tell()
        return replica

    def publish(self, owner):
        self.cluster.slots = {owner.id: ALL}
        self.cluster.tell()

    def test_replica__attaches_and_the_destination_restarts__identical(self):
        """The destination may no longer ingest by the topology, and has done so before the restart."""
        a, b = self.open()
        fill_every_type(a.client(), "t")
        self.begin_slow(a, b)
        c = self.attach("c", b)
        c.wait_for(lambda: c.info("replication").get("role") == "slave", "the role")
        b.kill()
        b.start()
        self.wait_for_state(a, "success")
        self.publish(b)
        self.wait_for_sync(c, b)
        self.assert_identical(b, c)

    def test_replica__reconnects_while_the_slots_are_written__identical(self):
        a, b, c = self.open(3, replica_of={"c": "b"})
        self.wait_for_sync(c, b)
        fill_every_type(a.client(), "t")
        self.begin_slow(a, b)
        c.kill()
        c.start()
        self.wait_for_state(a, "success")
        self.publish(b)
        self.wait_for_sync(c, b)
        self.assert_identical(b, c)

    def test_replica__attached_after_a_restart_of_the_destination__identical(self):
        a, b = self.open()
        fill_every_type(a.client(), "t")
        self.migrate(a, b)
        self.publish(b)
        b.kill()
        b.start()
        c = self.attach("c", b)
        self.wait_for_sync(c, b)
        self.assert_identical(b, c)

    # --- replicas of the source --------------------------------------------------------------------------------

    def test_replica_of_the_source__follows__identical_after_the_publication(self):
        a, b, c = self.open(3, replica_of={"c": "a"})
        fill_every_type(a.client(), "t")
        self.wait_for_sync(c, a)
        self.migrate(a, b)
        self.publish(b)
        self.wait_for_sync(c, a)
        for node in (a, c):
            self.assert_moved(node, b)
        self.assert_identical(a, c)


if __name__ == "__main__":
    run_suite("kvrocks_replication")
