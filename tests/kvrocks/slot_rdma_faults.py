#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""slot_rdma_faults.py: over RDMA, either node is killed, the network goes down, the device goes away; a load runs.

    ci/rxe/run.sh --memory 4096 -- tests/kvrocks/slot_rdma_faults.py HAUL_TOOL [unittest arguments]
In the rig only, as root: it takes down the network device of the rig. Messages cannot be named here as in slot_faults.py
(a queue pair goes past every proxy): faults come while the slots are copied, and at random moments
(KVROCKS_SEED, KVROCKS_FAULTS of each kind).
"""
import os
import random
import subprocess
import sys
import time

from kvrocks_node import TRANSPORT
from slot_case import ALL, run_suite
from slot_load import LoadedCase

DEVICE, NETWORK = "rxe0", "dummy0"  # of ci/rxe with one host
DOWN_S = 6  # longer than a peer is waited for: the fault itself


def run(*words):
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)


class SlotRdmaFaults(LoadedCase):
    def tearDown(self):
        super().tearDown()
        run("ip", "link", "set", NETWORK, "up")
        if not os.path.isdir(f"/sys/class/infiniband/{DEVICE}"):
            run("rdma", "link", "add", DEVICE, "type", "rxe", "netdev", NETWORK)

    # --- the faults ------------------------------------------------------------------------------------

    def kill(self, node):
        node.kill()
        node.settings.pop("migrate-rdma-rate-limit-mb", None)
        node.start()

    def network_down(self):
        address = subprocess.run(["ip", "-o", "-4", "address", "show", "dev", NETWORK], check=True,
                                 capture_output=True, text=True).stdout.split()[3]
        run("ip", "link", "set", NETWORK, "down")
        time.sleep(DOWN_S)
        run("ip", "link", "set", NETWORK, "up")
        subprocess.run(["ip", "address", "add", address, "dev", NETWORK], check=False, stderr=subprocess.DEVNULL)

    def device_gone(self):
        run("rdma", "link", "delete", DEVICE)

    # --- while the slots are copied --------------------------------------------------------------------

    def while_copying(self, fault, transport="rdma"):
        a, b = self.open(settings={name: {"migrate-rdma-transport": transport} for name in "ab"})
        self.under_load(a, b)
        a.client().pipeline([("set", f"fill:{i}", os.urandom(400).hex()) for i in range(8000)])
        self.start_job(a, b)
        a.wait_for(lambda: a.info("migration").get("migrate_phase") == "copying" and
                   int(a.info("migration")["migrate_bytes"]) > 0, "the copy")
        self.assertEqual(a.info("migration")["migrate_transport"], "rdma")
        fault(a, b)
        self.conclude(a, b)
        return a

    def test_kill__source_while_it_copies__one_owner_and_nothing_lost(self):
        self.while_copying(lambda a, b: self.kill(a))

    def test_kill__destination_while_it_copies__one_owner_and_nothing_lost(self):
        self.while_copying(lambda a, b: self.kill(b))

    def test_network__down_while_it_copies__one_owner_and_nothing_lost(self):
        self.while_copying(lambda a, b: self.network_down())

    def test_device__gone_while_it_copies__goes_on_over_tcp(self):
        a = self.while_copying(lambda a, b: self.device_gone(), "auto")
        self.assertEqual(a.info("migration")["last_transport"], "tcp")
        self.assertNotEqual(a.info("migration")["last_fallback_reason"], "")

    # --- at random moments -----------------------------------------------------------------------------

    def test_faults__at_random_moments__one_owner_and_nothing_lost(self):
        seed = int(os.environ.get("KVROCKS_SEED", random.randrange(1 << 30)))
        print(f"seed {seed}", file=sys.stderr)
        chance = random.Random(seed)
        faults = {"source": lambda a, b: self.kill(a), "destination": lambda a, b: self.kill(b),
                  "network": lambda a, b: self.network_down()}
        for name, fault in list(faults.items()) * int(os.environ.get("KVROCKS_FAULTS", "2")):
            with self.subTest(name):
                a, b = self.open()
                self.under_load(a, b)
                self.assertEqual(a.call("clusterx", "migrate", ALL, b.id, "async"), b"OK")
                time.sleep(chance.random() * 0.6)  # a random moment is what is tested
                fault(a, b)
                self.conclude(a, b)
                self.cluster.close()


if __name__ == "__main__":
    if TRANSPORT != "rdma":
        print("SKIPPED kvrocks_slot_rdma_faults: no RDMA device here: run it in ci/rxe/run.sh")
        sys.exit(77)
    run_suite("kvrocks_slot_rdma_faults")
