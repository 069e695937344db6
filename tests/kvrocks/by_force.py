#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""by_force.py: the topology gives slots away in the middle of an import, operators cancel too late, a disk is lost.

    by_force.py HAUL_TOOL [unittest arguments]
"""
from kvrocks_node import Error
from slot_case import ALL, SlotCase, run_suite

WRITES = 500


class ByForce(SlotCase):
    def give(self, owner, *nodes):
        """The topology names the owner, on these nodes."""
        self.cluster.raises = False
        self.cluster.slots = {owner.id: ALL}
        self.cluster.tell(nodes)

    def begin(self, settings=None):
        a, b = self.open(settings={"b": settings or {}})
        self.begin_slow(a, b)
        return a, b

    def write_to(self, node):
        """The owner acknowledges each write in the end."""
        for i in range(WRITES):
            node.wait_for(lambda i=i: node.call("set", f"fill:{i}", f"new-{i}") == b"OK", "the write")

    def assert_written(self, node):
        replies = node.client().pipeline([("get", f"fill:{i}") for i in range(WRITES)])
        self.assertEqual([reply for i, reply in enumerate(replies) if reply != f"new-{i}".encode()], [])

    def wait_for_idle(self, node):
        node.wait_for(lambda: "import_phase" not in node.info("migration"), "the end of the import")

    def test_destination_is_named_the_owner__while_it_imports__its_clients_writes_stay(self):
        for lane in ("ingest", "writebatch"):
            with self.subTest(lane=lane):
                a, b = self.begin({"migrate-rdma-lane": lane})
                self.give(b, b)
                self.write_to(b)
                self.give(b, a)
                self.wait_for_idle(b)
                self.wait_for_state(a, "fail")
                self.assert_written(b)
                self.assert_moved(a, b)
                self.tearDown()

    def test_destination_is_named_the_owner__the_source_cancels__nothing_is_removed(self):
        a, b = self.begin()
        self.give(b, b)
        self.write_to(b)
        try:
            a.call("haul", "cancel", ALL)
        except Error:
            pass  # the job has ended already
        self.wait_for_state(a, "fail")
        self.wait_for_idle(b)
        self.assert_written(b)

    def test_destination_is_named_the_owner__the_source_is_lost__nothing_is_removed(self):
        a, b = self.begin()
        a.kill()
        self.cluster.nodes.remove(a)
        self.give(b, b)
        self.write_to(b)
        self.wait_for_idle(b)
        with self.assertRaisesRegex(Error, "nothing is known"):
            b.call("haul", "abandon", ALL, "force")
        b.stop()
        b.start()
        self.assert_written(b)

    def test_destination_is_named_the_owner__it_restarts_first__nothing_is_removed(self):
        a, b = self.begin()
        a.kill()
        b.kill()
        self.cluster.nodes.remove(a)
        b.start()
        self.give(b, b)
        self.write_to(b)
        self.wait_for_idle(b)
        self.assert_written(b)

    def test_cancel_on_the_destination__after_the_hand_over__too_late(self):
        a, b = self.open()
        a.call("set", "probe", "x")
        self.migrate(a, b)
        for published in (False, True):
            for state in (2, 0):
                with self.assertRaisesRegex(Error, "too late|belongs to me"):
                    b.call("cluster", "import", ALL, state)
                self.assertEqual(b.call("get", "probe"), b"x")
            if not published:
                self.give(b, a, b)

    def test_import_from_itself__refused(self):
        a, b = self.open()
        with self.assertRaisesRegex(Error, "from itself"):
            a.call("haul", "import", ALL, self.cluster.version, a.id, "keyed")
        self.migrate(a, b)

    def test_destination_loses_its_database__the_next_migration_starts_over(self):
        for restarts in (False, True):
            with self.subTest(the_source_restarts=restarts):
                a, b = self.begin()
                b.kill()
                b.remove_database()
                if restarts:
                    a.kill()
                    a.start()
                b.start()
                self.cluster.tell()
                a.call("config", "set", "migrate-rdma-rate-limit-mb", 0)
                self.migrate_again(a, b)
                self.assert_takes(b)
                self.assertEqual(b.call("hget", "fillh:1", "f"), b"1")
                self.tearDown()

    def test_script__a_call_in_it_fails__the_error_is_the_reply(self):
        a, = self.open(1)
        with self.assertRaisesRegex(Error, "Unknown Redis command"):
            a.call("eval", "return redis.call('nosuch')", 0)
        self.assertEqual(a.call("ping"), b"PONG")


if __name__ == "__main__":
    run_suite("kvrocks_by_force")
