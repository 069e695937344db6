#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""topology.py: the topology changes while slots move: the version rises, masters are replaced, destinations vanish.

    topology.py HAUL_TOOL [unittest arguments]
kvrocks-controller raises the version right after each MIGRATE, reads the state from CLUSTER INFO of the source once a
second, publishes the slots when it says "success", and gives them back when it says "fail", or names other slots, or none.
"""
import time

from slot_case import ALL, run_suite
from slot_load import ProxiedCase

# Nothing must happen for so long: a resumed job of these tests needs a fraction of it.
QUIET_S = 4


class Topology(ProxiedCase):
    def assert_handed_over(self, a, b):
        self.assert_moved(a, b)
        self.assert_takes(b)

    def restart(self, *nodes):
        for node in nodes:
            node.kill()
        for node in nodes:
            node.settings.pop("migrate-rdma-rate-limit-mb", None)
            node.start()

    def migrate_under_new_version(self):
        """A hand-over under a version that is newer than the job. The topology still has the slots at the source."""
        a, b = self.open()
        self.begin_slow(a, b, keys=6000)
        self.cluster.tell()
        self.wait_for_state(a, "success")
        return a, b

    # --- the version rises while a job runs, or right after it --------------------------------------------

    def test_version__raised_while_it_copies__handed_over(self):
        a, b = self.migrate_under_new_version()
        self.assert_handed_over(a, b)
        self.assertEqual(b.call("hget", "fillh:499", "f"), b"499")

    def test_version__published_after_the_hand_over__the_record_ends(self):
        """The controller has published: from now on topologies decide alone, and the slots may come back."""
        a, b = self.open()
        self.migrate(a, b)
        self.cluster.slots = {b.id: ALL}
        self.cluster.tell()
        self.assert_handed_over(a, b)
        self.migrate(b, a)
        self.cluster.slots = {a.id: ALL}
        self.cluster.tell()
        self.restart(a, b)
        self.assert_handed_over(b, a)

    # --- a source that is not the owner ------------------------------------------------------------------

    def replace_the_source(self, raises):
        a, b, c = self.open(3, replica_of={"c": "a"})
        self.cluster.raises = raises
        self.begin_slow(a, b)
        c.wait_for(lambda: c.info("keyspace")["sequence"] == a.info("keyspace")["sequence"], "the replica")
        a.kill()
        self.cluster.replica_of, self.cluster.slots = {"a": "c"}, {c.id: ALL}
        self.cluster.tell([b, c])
        self.assert_takes(c)
        a.settings["migrate-rdma-rate-limit-mb"] = 0
        a.start()
        end = time.monotonic() + QUIET_S
        while time.monotonic() < end:
            self.assert_moved(b, c)
            self.assert_takes(c)
            time.sleep(0.05)
        self.cluster.repeat(a)
        a.wait_for(lambda: a.info("replication")["role"] == "slave", "the new role")
        self.assert_moved(b, c)

    def test_source__replaced_by_its_replica_after_a_new_version__hands_nothing_over(self):
        self.replace_the_source(raises=True)

    # --- other ways to set a topology ----------------------------------------------------------------------

    def set_slots(self, slots, owner, nodes):
        self.cluster.version += 1
        for node in nodes:
            self.assertEqual(node.call("clusterx", "setslot", slots, "node", owner.id, self.cluster.version), b"OK")

    def test_setslot__publishes_and_brings_back__right_owner_after_restarts(self):
        a, b, c = self.open(3)
        for source, target in ((a, b), (b, a), (a, b)):
            self.migrate(source, target, "0-16383")
            self.set_slots("0-16383", target, [target, c, source])
            self.cluster.slots = {target.id: ALL}
            self.assert_handed_over(source, target)
            self.restart(a, b)
            self.assert_handed_over(source, target)
            self.assertNotIn("migrating_slot(s)", source.cluster_info())

    def test_setslot__publishes__unrelated_slots_can_move_at_once(self):
        a, b, c = self.open(3)
        for slots in ("100", "300"):
            self.migrate(a, b, slots)
            self.set_slots(slots, b, [b, c, a])
            self.cluster.slots = {a.id: "0-99 101-299 301-16383", b.id: "100 300"} if slots == "300" else {
                a.id: "0-99 101-16383", b.id: "100"}
        self.migrate(a, c, "200")


if __name__ == "__main__":
    run_suite("kvrocks_topology")
