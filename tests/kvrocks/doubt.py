#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""doubt.py: the source's record of the decision cannot be written, synced or read, so it does not know who owns the
slots. It refuses writes to exactly these slots until it knows.

    doubt.py HAUL_TOOL [unittest arguments]
The disk's errors are strace's, from the moment when the destination has prepared.
"""
import glob
import os

from kvrocks_node import Error
from slot_case import run_suite
from slot_load import ProxiedCase
from system_calls import SystemCalls, needs_strace

SLOTS = "0-8191"
# pwrite64: the record is not in the file. Without it, the file has it, and nobody knows whether the disk does.
UNWRITTEN = "pwrite64,fdatasync,fsync,openat,pread64"
UNSYNCED = "fdatasync,fsync,openat,pread64"


@needs_strace
class Doubt(ProxiedCase):
    disk = None

    def tearDown(self):
        if self.disk is not None:
            self.disk.end()
            self.disk = None
        super().tearDown()

    def keys_of(self, node):
        """A key of the slots that move, and one of the others."""
        moves, stays = None, None
        for i in range(100):
            if node.call("cluster", "keyslot", f"key:{i}") < 8192:
                moves = moves or f"key:{i}"
            else:
                stays = stays or f"key:{i}"
        return moves, stays

    def answer(self, node, key, value):
        try:
            return node.call("set", key, value).decode()
        except Error as error:
            return str(error)

    def lose_the_record(self, calls):
        """Migrate until the source is in doubt."""
        a, b = self.open_with_proxy()
        self.moves, self.stays = self.keys_of(a)
        a.client().pipeline([("set", f"key:{i}", i) for i in range(2000)])
        a.call("set", self.moves, "before")

        def fail():
            journals = glob.glob(os.path.join(a.database(), "haul", "source-*"))
            self.disk = SystemCalls(a.process.pid, calls, "error=EIO", journals)
        self.proxy.at("prepared", fail)
        self.assertEqual(self.cluster.migrate(a, b, SLOTS), b"OK")
        a.wait_for(lambda: a.info("migration")["migrate_in_doubt"], "the doubt")
        return a, b

    def assert_refused(self, a, b):
        """Neither node takes a write, and the source serves everything else."""
        self.assertRegex(self.answer(a, self.moves, "doubt"), "^TRYAGAIN")
        self.assertRegex(self.answer(b, self.moves, "doubt"), "^MOVED")
        self.assertEqual(self.answer(a, self.stays, "doubt"), "OK")
        self.assertEqual(a.call("get", self.moves), b"before")
        self.assertEqual(a.cluster_info()["migrating_state"], "start")
        with self.assertRaisesRegex(Error, "already a migrating job"):
            a.call("clusterx", "migrate", "9000", b.id, "async")
        with self.assertRaisesRegex(Error, "^TRYAGAIN"):
            a.call("flushall")

    def assert_settled(self, a, b):
        """The destination owns the slots, with everything that was acknowledged."""
        b.wait_for(lambda: self.answer(b, self.moves, "after") == "OK", "the destination's ownership")
        self.assertRegex(self.answer(a, self.moves, "after"), "^MOVED")
        self.assertEqual(a.call("get", self.stays), b"doubt")
        a.wait_for(lambda: a.cluster_info().get("migrating_state") == "success", "the confirmation")
        fields = a.info("migration")
        self.assertEqual((fields["migrate_in_doubt"], fields["migrate_unconfirmed"]), ("", "0"))
        for i in range(2000):
            key = f"key:{i}"
            if key not in (self.moves, self.stays) and i % 50 == 0:
                node = b if a.call("cluster", "keyslot", key) < 8192 else a
                self.assertEqual(node.call("get", key), str(i).encode())

    def end_of_fault(self):
        self.disk.end()
        self.disk = None

    def restart(self, a):
        a.kill()
        self.end_of_fault()
        a.start()

    def test_doubt__record_neither_written_nor_read__refused_until_the_disk_works_then_handed_over(self):
        a, b = self.lose_the_record(UNWRITTEN)
        self.assert_refused(a, b)
        self.end_of_fault()
        self.assert_settled(a, b)

    def test_doubt__record_written_and_neither_synced_nor_read__refused_until_the_disk_works_then_handed_over(self):
        a, b = self.lose_the_record(UNSYNCED)
        self.assert_refused(a, b)
        self.end_of_fault()
        self.assert_settled(a, b)

    def test_doubt__record_written_and_killed__moved_at_once_after_the_restart(self):
        a, b = self.lose_the_record(UNSYNCED)
        self.assert_refused(a, b)
        self.restart(a)
        self.assertRegex(self.answer(a, self.moves, "after"), "^MOVED")
        self.cluster.tell()
        self.assert_settled(a, b)

    def test_doubt__record_not_written_and_killed__source_serves_and_the_same_migration_ends_well(self):
        a, b = self.lose_the_record(UNWRITTEN)
        self.assert_refused(a, b)
        self.restart(a)
        self.assertEqual(self.answer(a, self.moves, "after the restart"), "OK")
        self.assertRegex(self.answer(b, self.moves, "b"), "^MOVED")
        self.cluster.tell()
        self.migrate(a, b, SLOTS)
        self.assertEqual(b.call("get", self.moves), b"after the restart")
        self.assert_settled(a, b)


if __name__ == "__main__":
    run_suite("kvrocks_doubt")
