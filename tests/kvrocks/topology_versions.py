#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""topology_versions.py: nodes that know different versions of the topology, and other ways to set it: SETSLOT, FORCE,
CLUSTER RESET.

    topology_versions.py HAUL_TOOL [unittest arguments]
"""
import os
import shutil

from jobs import request_import
from kvrocks_node import Error
from slot_case import ALL, run_suite
from slot_load import ProxiedCase


class TopologyVersions(ProxiedCase):
    def set_slots(self, slots, owner, nodes):
        self.cluster.version += 1
        for node in nodes:
            self.assertEqual(node.call("clusterx", "setslot", slots, "node", owner.id, self.cluster.version), b"OK")

    # --- the nodes know different topologies ---------------------------------------------------------------

    def test_setslot__only_the_source_got_it__the_next_slots_move(self):
        """As in upstream's tests of migrations. The destination gets everything later, one step at a time."""
        a, b = self.open()
        self.cluster.raises = False
        keys = {slot: self.key_of(slot, slot) for slot in (100, 101, 102)}
        first = self.cluster.version
        for slot, key in keys.items():
            a.call("set", key, slot)
            self.migrate(a, b, str(slot))
            self.set_slots(str(slot), b, [a])

        def assert_served():
            for slot, key in keys.items():
                self.assertEqual(b.call("get", key).decode(), str(slot))
                self.assert_moved(a, b, key)
        assert_served()
        for step, slot in enumerate(keys):
            self.assertEqual(b.call("clusterx", "setslot", slot, "node", b.id, first + step + 1), b"OK")
            assert_served()
        self.restart(b)
        assert_served()

    def test_setslot__versions_counted_at_each_node__a_topology_that_names_the_taker_counts(self):
        """Whoever sends each node its own next version: the destination's is lower than that of the hand-over."""
        a, b = self.open()
        self.cluster.raises = False
        key = self.key_of(101, 101)
        first = self.cluster.version
        for slot in ("100", "101"):
            self.migrate(a, b, slot)
            self.set_slots(slot, b, [a])
        self.assertEqual(b.call("clusterx", "setslot", 101, "node", b.id, first + 1), b"OK")
        self.assert_takes(b, key)
        self.assertEqual(b.call("clusterx", "setslot", 101, "node", a.id, first + 2), b"OK")
        self.assert_moved(b, a, key)

    def open_with_late_destination(self):
        """"a" owns the slots by version v + 2 again, which were "c"'s by v + 1; "b" has v."""
        a, b, c = self.open(3)
        self.cluster.raises = False
        a.call("set", "k", "v")
        self.cluster.slots = {c.id: ALL}
        self.cluster.version += 1
        self.between = self.cluster.text(), self.cluster.version
        self.cluster.slots = {a.id: ALL}
        self.cluster.tell([a, c])
        return a, b, c

    def send_the_one_between(self, b):
        self.assertEqual(b.call("clusterx", "setnodes", *self.between), b"OK")

    def test_version__one_between_arrives_while_it_copies__handed_over(self):
        a, b, _ = self.open_with_late_destination()
        self.begin_slow(a, b, keys=3000)
        self.send_the_one_between(b)
        self.wait_for_state(a, "success")
        self.assert_handed_over(a, b)

    def test_version__one_between_arrives_after_the_hand_over__still_handed_over(self):
        a, b, c = self.open_with_late_destination()
        self.migrate(a, b)
        self.send_the_one_between(b)
        self.assert_handed_over(a, b)
        # A restarted node asks the owner, which it knows by the present one only.
        self.restart(b)
        self.cluster.repeat(b)
        b.wait_for(lambda: b.call("set", "k", "w") == b"OK", "the owner's answer")
        self.assert_moved(a, b)
        # A newer one counts.
        self.cluster.slots = {c.id: ALL}
        self.cluster.tell([b])
        self.assert_moved(b, c)

    def test_version__newer_one_arrives_while_it_copies__ends(self):
        a, b, c = self.open_with_late_destination()
        self.begin_slow(a, b)
        self.cluster.slots = {c.id: ALL}
        self.cluster.tell([b])
        self.wait_for_state(a, "fail")
        self.assert_moved(b, c)
        self.assert_takes(a)

    def test_version__takes_the_slots_away_while_the_source_waits_for_its_turn__hands_nothing_over(self):
        """The destination does not get it: by its topology the slots are still the source's."""
        a, b, c = self.open(3)
        self.cluster.raises = False
        self.cluster.slots = {a.id: "0-8000", c.id: "8001-16383"}
        self.cluster.tell()
        request_import(b, c, "9000-9100", self.cluster.version)
        self.assertEqual(self.cluster.migrate(a, b, "0-8000"), b"OK")
        b.wait_for(lambda: "calls=1," not in b.info("commandstats")["cmdstat_haul"], "the source's question")
        self.cluster.slots = {c.id: ALL}
        self.cluster.tell([a, c])
        self.wait_for_state(a, "fail")
        key = self.key_of(0, 8000)
        self.assertEqual(c.call("set", key, "c"), b"OK")
        self.assert_moved(a, c, key)
        self.assert_moved(b, a, key)

    # --- other ways to set a topology ----------------------------------------------------------------------

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

    # --- a topology that is lost again -----------------------------------------------------------------------

    def lose_topology(self, node, publish):
        """Publish while the node cannot write nodes.conf, and restart it with the one that it had."""
        file = os.path.join(node.directory, "nodes.conf")
        os.rename(file, file + ".old")
        os.makedirs(os.path.join(file, "full"))
        publish()
        shutil.rmtree(file)
        os.rename(file + ".old", file)
        before = int(node.call("clusterx", "version"))
        self.restart(node)
        self.assertEqual(int(node.call("clusterx", "version")), before - 1)

    def publish_but_for(self, node, owner):
        """The topology that gives everything to `owner`, which `node` answers with an error."""
        self.cluster.slots = {owner.id: ALL}
        self.cluster.tell([other for other in self.cluster.nodes if other is not node])
        with self.assertRaisesRegex(Error, "rename file"):
            node.call("clusterx", "setnodes", self.cluster.text(node), self.cluster.version)

    def test_setnodes__the_source_cannot_store_it_and_restarts__moved(self):
        a, b, c = self.open(3)
        self.cluster.raises = False
        self.migrate(a, b)
        self.lose_topology(a, lambda: self.publish_but_for(a, b))
        self.assert_handed_over(a, b)
        self.cluster.tell()
        self.assert_handed_over(a, b)
        self.migrate(b, a)
        self.assert_handed_over(b, a)

    def test_setnodes__the_destination_cannot_store_it_and_restarts__in_service(self):
        a, b, c = self.open(3)
        self.cluster.raises = False
        self.migrate(a, b)
        self.lose_topology(b, lambda: self.publish_but_for(b, b))
        self.assert_handed_over(a, b)
        self.cluster.tell()
        self.restart(a, b)
        self.assert_handed_over(a, b)

    def test_setnodes__there_and_back_and_the_last_one_is_lost__the_newest_owner(self):
        a, b, c = self.open(3)
        self.cluster.raises = False
        self.migrate(a, b)
        self.cluster.slots = {b.id: ALL}
        self.cluster.tell()
        self.migrate(b, a)
        self.lose_topology(b, lambda: self.publish_but_for(b, a))
        self.assert_handed_over(b, a)

    def leave_for_another_cluster(self, leave):
        """The slots went away at version 57; then the node is the only one of another cluster, at a low version."""
        a, b = self.open()
        self.cluster.version = 57
        self.cluster.tell()
        a.call("set", "probe", "a")
        self.migrate(a, b)
        leave(a, b)
        self.cluster.nodes = [a]
        self.assert_takes(a)
        self.restart(a)
        self.assert_takes(a)
        self.cluster.version += 1
        self.cluster.repeat(a)
        self.assert_takes(a)
        b.kill()

    def be_alone(self, node):
        """The only node of another cluster, at a low version."""
        self.cluster.nodes, self.cluster.slots, self.cluster.version = [node], {node.id: ALL}, 1
        self.cluster.repeat(node)

    def reset(self, node):
        """Refused until the thread that has migrated is through."""
        node.wait_for(lambda: node.call("cluster", "reset", "hard") == b"OK", "the reset")

    def test_reset__and_another_cluster__the_record_of_the_old_one_is_gone(self):
        def leave(a, b):
            self.cluster.slots = {b.id: ALL}
            self.cluster.tell()
            a.call("flushall")
            self.reset(a)
            self.be_alone(a)
        self.leave_for_another_cluster(leave)

    def test_reset__before_the_slots_were_published__the_record_is_gone(self):
        def leave(a, _):
            a.call("flushall")
            self.reset(a)
            self.be_alone(a)
        self.leave_for_another_cluster(leave)

    def test_reset__after_a_kill_while_it_copied__another_cluster_is_shown_nothing_of_that(self):
        a, b = self.open()
        self.cluster.raises = False
        self.begin_slow(a, b)
        self.restart(a)
        self.assertEqual(a.cluster_info()["migrating_state"], "fail")
        a.call("flushall")
        self.reset(a)
        self.be_alone(a)
        self.assertNotIn("migrating_state", a.cluster_info())
        b.kill()

    def test_setnodes__force_with_a_lower_version__its_word_is_the_last(self):
        def leave(a, _):
            self.cluster.nodes, self.cluster.slots, self.cluster.version = [a], {a.id: ALL}, 1
            a.call("clusterx", "setnodes", self.cluster.text(a), 1, "force")
        self.leave_for_another_cluster(leave)


if __name__ == "__main__":
    run_suite("kvrocks_topology_versions")
