#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""replication.py: replicas of nodes that move slots, before, during and after a migration, on either side.

    replication.py HAUL_TOOL [unittest arguments]
"""
from cluster_client import slot_of
from slot_case import ALL, BINARY, SlotCase, fill_every_type, read_every_type, run_suite

# A full synchronisation of these small databases takes a second; Kvrocks repeats a failed one every few seconds.
SYNC_S = 40
# By number alone a replica may continue with the log of a master whose data it does not have.
SETTINGS = {"use-rsid-psync": "yes"}
LOW, HIGH = "0-12000", "12001-16383"


class Replication(SlotCase):
    def open(self, count=2, settings=None, replica_of=None):
        return super().open(count, {name: SETTINGS for name in "abcdef"[:count]}, replica_of)

    def wait_for_sync(self, replica, master):
        replica.wait_for(lambda: replica.info("replication").get("master_link_status") == "up" and
                         replica.info("keyspace")["sequence"] == master.info("keyspace")["sequence"],
                         "synchronisation", SYNC_S)

    def open_with_third(self):
        """"a" has the low slots and data, "c" the others: a master without data cannot be followed."""
        a, b, c = self.open(3)
        self.cluster.slots = {a.id: LOW, c.id: HIGH}
        self.cluster.tell()
        for node in (a, c):
            client = node.client()
            client.pipeline([("set", f"k:{i}", i) for i in range(3000)])
            client.pipeline([("hset", f"h:{i}", "f", i) for i in range(1000)])
        return a, b, c

    def follow(self, replica, master, owner):
        """Make a node a replica of another; "owner" has the low slots then."""
        self.cluster.replica_of = {replica.name: master.name}
        self.cluster.slots = {owner.id: LOW, self.cluster.nodes[2].id: HIGH}
        self.cluster.tell()
        self.wait_for_sync(replica, master)

    def count_keys(self, node):
        replies = node.client().pipeline([("get", f"k:{i}") for i in range(3000)])
        return sum(reply == str(i).encode() for i, reply in enumerate(replies))

    def assert_identical(self, *nodes):
        for node in nodes:
            node.stop()
        for other in nodes[1:]:
            self.assert_equal_databases(nodes[0], other)

    # --- a replica that comes back ---------------------------------------------------------------------------

    def test_import__its_replica_was_killed__does_not_go_on_with_a_log_of_its_own(self):
        """A restarted replica writes one record before it knows that it is one, as a master would. So its log has another
        record at the number of the master's next one, which here is the slot's only key."""
        a, b, c = self.open(3, replica_of={"c": "b"})
        self.cluster.slots = {a.id: "0-8000", b.id: "8001-16383"}
        self.cluster.tell()
        key = next(key for key in (f"only:{i}" for i in range(100)) if slot_of(key) <= 8000)
        b.client().pipeline([("set", f"k:{i}", i) for i in range(3000) if slot_of(f"k:{i}") > 8000])
        a.call("set", key, "moved")
        self.wait_for_sync(c, b)
        c.kill()
        self.migrate(a, b, str(slot_of(key)))
        c.start()
        self.cluster.repeat(c)
        self.wait_for_sync(c, b)
        self.assert_identical(b, c)

    # --- full synchronisation of nodes that have moved slots -----------------------------------------------

    def test_full_sync__twice_on_a_former_source__identical(self):
        """It gives its slots to "b"; then it follows "b", "c", and "b" again."""
        a, b, c = self.open_with_third()
        self.migrate(a, b, LOW)
        for master in (b, c, b):
            self.follow(a, master, owner=b)
        self.assertGreaterEqual(a.log().count("fullsync was finish"), 2)
        self.assert_identical(b, a)

    def test_full_sync__twice_on_a_former_destination__identical(self):
        """It receives slots and gives them back; then it follows "a", "c", and "a" again."""
        a, b, c = self.open_with_third()
        self.migrate(a, b, LOW)
        self.cluster.slots = {b.id: LOW, c.id: HIGH}
        self.cluster.tell()
        self.migrate(b, a, LOW)
        for master in (a, c, a):
            self.follow(b, master, owner=a)
        self.assertGreaterEqual(b.log().count("fullsync was finish"), 2)
        self.assert_identical(a, b)

    def test_full_sync__of_a_former_source__it_moves_slots_again_afterwards(self):
        """What it knew of its old data must not be taken for something about the new."""
        a, b, c = self.open_with_third()
        count = self.count_keys(a)
        self.migrate(a, b, LOW)
        for _ in range(2):
            self.follow(a, c, owner=b)
            self.follow(a, b, owner=b)
            self.cluster.replica_of, self.cluster.slots = {}, {a.id: LOW, c.id: HIGH}
            self.cluster.tell()
            self.migrate(a, b, LOW)
            self.cluster.slots = {b.id: LOW, c.id: HIGH}
            self.cluster.tell()
        self.assertEqual(self.count_keys(b), count)

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

    def publish(self, owner, nodes=None):
        self.cluster.slots = {owner.id: ALL}
        self.cluster.tell(nodes)

    def test_replica__attaches_while_the_slots_are_ingested__identical_after_few_full_syncs(self):
        a, b = self.open()
        fill_every_type(a.client(), "t")
        self.begin_slow(a, b)
        c = self.attach("c", b)
        self.wait_for_state(a, "success")
        self.publish(b)
        self.wait_for_sync(c, b)
        self.assertLessEqual(c.log().count("Start syncing data with fullsync"), 3, "full synchronisations in a loop")
        self.assert_identical(b, c)

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

    def assert_shows(self, node, slots, state):
        info = node.cluster_info()
        self.assertEqual((info.get("migrating_slot(s)"), info.get("migrating_state")), (slots, state))

    # --- replicas of the source --------------------------------------------------------------------------------

    def test_replica_of_the_source__follows__identical_after_the_publication(self):
        a, b, c = self.open(3, replica_of={"c": "a"})
        fill_every_type(a.client(), "t")
        self.wait_for_sync(c, a)
        self.migrate(a, b)
        self.wait_for_sync(c, a)
        self.assert_shows(c, ALL, "start")
        self.publish(b)
        self.wait_for_sync(c, a)
        c.wait_for(lambda: "migrating_state" not in c.cluster_info(), "the end of the record")
        for node in (a, c):
            self.assert_moved(node, b)
        self.assert_identical(a, c)

    def test_replica_of_the_source__promoted_after_the_hand_over__knows_of_it(self):
        """The controller promotes it before it has published the slots: the destination has them."""
        a, b, c = self.open(3, replica_of={"c": "a"})
        a.call("set", "k", "v")
        self.migrate(a, b)
        b.call("set", "k", "newer")
        self.wait_for_sync(c, a)
        a.kill()
        self.assert_shows(c, ALL, "start")  # the controller asks it before it has told it
        self.cluster.replica_of, self.cluster.slots = {"a": "c"}, {c.id: ALL}
        self.cluster.tell([b, c])
        self.assert_moved(c, b, "k")
        self.wait_for_state(c, "success")
        self.assertEqual(c.cluster_info().get("migrating_slot(s)"), ALL)
        b.wait_for(lambda: b.call("get", "k") == b"newer", "the destination's ownership")
        self.publish(b, [b, c])
        self.assert_takes(b, "k")
        self.assert_moved(c, b, "k")

    def test_replica_of_the_source__promoted_while_slots_are_copied__says_that_they_stayed(self):
        a, b, c = self.open(3, replica_of={"c": "a"})
        self.begin_slow(a, b, slots="0-8000")
        c.wait_for(lambda: c.cluster_info().get("migrating_state") == "start", "the job's record")
        self.assert_shows(c, "0-8000", "start")
        a.kill()
        self.cluster.replica_of, self.cluster.slots = {"a": "c"}, {c.id: ALL}
        self.cluster.tell([b, c])
        self.assert_shows(c, "0-8000", "fail")
        self.cluster.raises = False
        b.wait_for(lambda: b.info("migration").get("import_slot(s)") is None, "the end of the import")
        self.migrate(c, b, "0-8000")
        self.assert_shows(c, "0-8000", "success")

    def test_replica__was_a_master_that_moved_slots__promoted_again__shows_nothing_of_that(self):
        a, b, c = self.open(3, replica_of={"c": "a"})
        self.migrate(a, b, "0-8000")
        self.assert_shows(a, "0-8000", "success")
        self.cluster.replica_of, self.cluster.slots = {"a": "c"}, {c.id: "8001-16383", b.id: "0-8000"}
        self.cluster.tell()
        self.cluster.replica_of, self.cluster.slots = {"c": "a"}, {a.id: "8001-16383", b.id: "0-8000"}
        self.cluster.tell()
        self.assertNotIn("migrating_state", a.cluster_info())

    def test_replica_of_the_source__the_job_ends__shows_none(self):
        a, b, c = self.open(3, replica_of={"c": "a"})
        self.begin_slow(a, b)
        c.wait_for(lambda: c.cluster_info().get("migrating_state") == "start", "the job's record")
        self.assertEqual(a.call("haul", "cancel", ALL), b"OK")
        c.wait_for(lambda: "migrating_state" not in c.cluster_info(), "the end of the record")


if __name__ == "__main__":
    run_suite("kvrocks_replication")
