#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""slow_disk.py: syncs of the disk, and the start of a node, take long.

    slow_disk.py HAUL_TOOL [unittest arguments]
Nothing waits for the disk under a lock that INFO, SETNODES or a read needs; a job that is given up does not touch the
next one; and before a node knows what an earlier process has left, it serves nobody, and its compactions drop nothing.
"""
import glob
import os
import re
import threading
import time

from answers import AnswersCase
from kvrocks_node import Client
from slot_case import ALL, run_suite
from system_calls import HeldProgram, SystemCalls, needs_strace

SYNCS = "fsync,fdatasync"
EXPIRES_S = 4


@needs_strace
class SlowDisk(AnswersCase):
    disk, held = None, None

    def tearDown(self):
        if self.disk is not None:
            self.disk.end()
            self.disk = None
        if self.held is not None:
            self.held.close()
            self.held = None
        super().tearDown()

    # --- under the guards ------------------------------------------------------------------------------------

    def hand_over_with_slow_syncs(self, name):
        """Of the named node each sync takes 0.4 s."""
        nodes = self.open(3, settings={"a": {"migrate-rdma-freeze-max-ms": 60000}})
        a, b, idle = nodes
        self.cluster.raises = False
        self.begin_slow(a, b)
        slow = {"a": a, "b": b}[name]
        self.disk = SystemCalls(slow.process.pid, SYNCS, "delay_exit=400000")
        a.call("config", "set", "migrate-rdma-rate-limit-mb", 0)
        self.assert_answers(slow, idle, lambda: a.cluster_info().get("migrating_state") == "success")
        self.assertTrue(self.disk.called.is_set(), "no sync came")
        self.assert_moved(a, b)

    def test_syncs__slow_at_the_source__it_answers_during_the_hand_over(self):
        self.hand_over_with_slow_syncs("a")

    def test_syncs__slow_at_the_destination__it_answers_during_the_hand_over(self):
        self.hand_over_with_slow_syncs("b")

    def test_setnodes__force_during_a_slow_sync_and_killed_at_once__its_word_is_the_last(self):
        """What a topology ends is written before it is answered, and not only after the sync that is under way."""
        a, b = self.open()
        self.migrate(a, b)
        self.cluster.raises = False
        since = int(a.info("keyspace")["sequence"])
        self.disk = SystemCalls(a.process.pid, SYNCS, "delay_enter=5000000")
        self.cluster.slots = {a.id: "1-16383", b.id: "0"}
        self.cluster.tell([a])
        a.wait_for(lambda: self.count_written(a, since)["haul.given"] == 1, "a change, which is being synced now")
        self.cluster.nodes, self.cluster.slots, self.cluster.version = [a], {a.id: ALL}, 1
        self.assertEqual(a.call("clusterx", "setnodes", self.cluster.text(a), 1, "force"), b"OK")
        a.kill()
        self.disk.end()
        a.start()
        self.assert_takes(a)
        b.kill()

    # --- one job at a time in the files ----------------------------------------------------------------------

    @staticmethod
    def state(node):
        with open(os.path.join(node.database(), "haul", "slots-source"), encoding="ascii") as file:
            return dict(line.rstrip("\n").split(" ", 1) for line in file if " " in line)

    def test_kept_job__given_up_slowly_while_another_begins__leaves_the_other_alone(self):
        a, b, c = self.open(3)
        self.cluster.raises = False
        self.begin_slow(a, b, slots="0-8000")
        a.kill()
        a.settings["migrate-rdma-rate-limit-mb"] = 1
        a.start()
        self.cluster.tell()
        self.assertEqual(a.info("migration")["migrate_kept_slot(s)"], "0-8000")
        self.disk = SystemCalls(a.process.pid, SYNCS, "delay_exit=500000")
        self.assertEqual(a.call("haul", "cancel", "0-8000"), b"OK")
        a.wait_for(self.disk.called.is_set, "the job to be given up")
        self.assertEqual(self.cluster.migrate(a, c, "8001-16383"), b"OK")
        self.wait_for_copy(a)
        self.disk.end()
        self.assertEqual((self.state(a)["moving"], self.state(a)["node"]), ("yes", c.id))
        a.kill()
        a.start()
        self.assertEqual(a.info("migration")["migrate_kept_slot(s)"], "8001-16383")

    # --- between the start of the process and the end of the recovery ----------------------------------------

    def start_held(self, node):
        """Start it up to where it looks at what it has left of its migration."""
        self.held = HeldProgram(node.binary, os.path.join(node.database(), "haul", "slots-source"))
        node.binary = self.held.program
        starting = threading.Thread(target=node.start, daemon=True)
        starting.start()
        return starting

    def early_client(self, node):
        """The system has taken the connection; the process has not."""
        found = []

        def connect():
            found.append(Client(node.port))
            return True
        self.cluster.nodes[1].wait_for(connect, "an open port")
        return found[0]

    def assert_silent(self, client):
        client.socket.settimeout(1)
        with self.assertRaises(TimeoutError):
            client.socket.recv(1)
        client.socket.settimeout(60)

    def release(self, starting):
        self.held.release()
        starting.join(60)
        self.assertFalse(starting.is_alive())

    def test_start__slots_were_handed_over__no_write_before_that_is_known(self):
        a, b = self.open_with_proxy()
        self.cluster.raises = False
        a.call("set", "k", "v")
        reached = self.proxy.at("commit", a.kill)
        self.cluster.migrate(a, b)
        self.assertTrue(reached.wait(60))
        starting = self.start_held(a)
        client = self.early_client(a)
        client.send("set", "k", "a")
        self.assert_silent(client)
        self.release(starting)
        with self.assertRaisesRegex(Exception, "MOVED"):
            client.read()
        client.close()

    @staticmethod
    def compactions(node):
        """Of the metadata, since the process was started: RocksDB gives each process a log of its own."""
        text = ""
        for path in glob.glob(os.path.join(node.directory, "**", "LOG"), recursive=True):
            with open(path, encoding="utf-8", errors="replace") as file:
                text += file.read()
        return re.findall(r'"cf_name": "metadata".*"event": "compaction_finished"|'
                          r'"event": "compaction_finished".*"cf_name": "metadata"|'
                          r'\[metadata\] .*Compacted .* files to', text)

    def test_start__expired_keys_and_a_compaction_before_the_recovery__the_copy_continues(self):
        a, b = self.open(settings={"a": {"rocksdb.disable_auto_compactions": "yes"}})
        client = a.client()
        expires = time.monotonic() + EXPIRES_S
        for part in range(6):
            client.pipeline([("set", f"soon:{i}", f"{part}" * 100, "px", EXPIRES_S * 1000) for i in range(2000)])
            a.call("flushmemtable")
        self.begin_slow(a, b)
        a.wait_for(lambda: int(a.info("migration")["migrate_durable_bytes"]) > 1 << 20, "durable records")
        a.kill()
        time.sleep(max(0, expires + 1 - time.monotonic()))
        a.settings["rocksdb.disable_auto_compactions"] = "no"
        starting = self.start_held(a)
        client = self.early_client(a)
        b.wait_for(lambda: self.compactions(a), "a compaction")
        client.send("ping")
        self.assert_silent(client)
        self.release(starting)
        self.cluster.tell()
        self.cluster.migrate(a, b, ALL)
        self.wait_for_state(a, "success")
        self.assertEqual(a.info("migration")["migrate_last_resumed"], "1")
        self.assert_takes(b)


if __name__ == "__main__":
    run_suite("kvrocks_slow_disk")
