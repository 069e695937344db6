#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""slot_rdma_faults.py: either node is killed under a load, over RDMA.

    ci/rxe/run.sh --memory 4096 -- tests/kvrocks/slot_rdma_faults.py HAUL_TOOL [unittest arguments]
Faults cannot be placed at messages as in slot_faults.py (a queue pair bypasses every proxy): they come while the slots
are copied, and at random moments (KVROCKS_SEED, KVROCKS_FAULTS of each kind). The network of one host cannot be cut: rdma_rxe
loops back past it, and with its device down or gone the kernel waits for the connection manager for ever.
"""
import os
import random
import sys
import time

from kvrocks_node import TRANSPORT
from slot_case import run_suite
from slot_load import LoadedCase


class SlotRdmaFaults(LoadedCase):
    def kill(self, node):
        node.kill()
        node.settings.pop("migrate-rdma-rate-limit-mb", None)
        node.start()

    # --- while the slots are copied --------------------------------------------------------------------

    def while_copying(self, victim_name):
        a, b = self.open()
        self.under_load(a, b)
        a.client().pipeline([("set", f"fill:{i}", os.urandom(400).hex()) for i in range(8000)])
        self.start_job(a, b)
        a.wait_for(lambda: a.info("migration").get("migrate_phase") == "copying" and
                   int(a.info("migration")["migrate_bytes"]) > 0, "the copy")
        self.assertEqual(a.info("migration")["migrate_transport"], "rdma")
        self.kill(a if victim_name == "source" else b)
        self.conclude(a, b)
        self.assertEqual(a.info("migration")["migrate_last_transport"], "rdma")

    def test_kill__source_while_it_copies__one_owner_and_nothing_lost(self):
        self.while_copying("source")

    def test_kill__destination_while_it_copies__one_owner_and_nothing_lost(self):
        self.while_copying("destination")

    # --- at random moments -----------------------------------------------------------------------------

    def test_kill__either_at_random_moments__one_owner_and_nothing_lost(self):
        seed = int(os.environ.get("KVROCKS_SEED", random.randrange(1 << 30)))
        print(f"seed {seed}", file=sys.stderr)
        chance = random.Random(seed)
        for victim_name in ["source", "destination"] * int(os.environ.get("KVROCKS_FAULTS", "2")):
            with self.subTest(victim_name):
                a, b = self.open()
                self.under_load(a, b)
                self.assertEqual(self.cluster.migrate(a, b), b"OK")
                time.sleep(chance.random() * 0.6)  # a random moment is what is tested
                self.kill(a if victim_name == "source" else b)
                self.conclude(a, b)
                self.cluster.close()


if __name__ == "__main__":
    if TRANSPORT != "rdma":
        print("SKIPPED kvrocks_slot_rdma_faults: no RDMA device here: run it in ci/rxe/run.sh")
        sys.exit(77)
    run_suite("kvrocks_slot_rdma_faults")
