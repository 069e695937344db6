#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""slot_faults.py: either node is killed, or the network is cut, at each named stage of a migration under a load.

    slot_faults.py HAUL_TOOL [unittest arguments]
"""
from haul_proxy import STAGES
from kvrocks_node import Error
from slot_case import run_suite
from slot_load import ProxiedCase

# The source has written its decision: from here on the destination owns, whatever happens.
DECIDED = {"commit", "committed"}


class SlotFaults(ProxiedCase):
    # --- kill -9 -------------------------------------------------------------------------------------

    def kill_at(self, stage, victim_name):
        a, b = self.open_with_proxy()
        victim = a if victim_name == "source" else b
        self.under_load(a, b)
        reached = self.proxy.at(stage, victim.kill)
        self.start_job(a, b)
        self.assertTrue(reached.wait(120), f"{stage} was not reached: {a.log()[-2000:]}")
        victim.settings.pop("migrate-rdma-rate-limit-mb", None)
        victim.start()
        if stage in DECIDED:
            with self.assertRaisesRegex(Error, "MOVED"):
                a.call("set", "probe", "a")
        self.conclude(a, b)

    # --- the network ---------------------------------------------------------------------------------

    def cut_at(self, stage):
        """Lose the message, end every connection, and let nothing through for a while."""
        a, b = self.open_with_proxy()
        self.under_load(a, b)

        def cut():
            self.proxy.cut()
            return "drop"
        reached = self.proxy.at(stage, cut)
        self.start_job(a, b)
        self.assertTrue(reached.wait(120), f"{stage} was not reached: {a.log()[-2000:]}")
        asked = self.referee.asked
        a.wait_for(lambda: self.referee.asked > asked + 50, "some time without a network")
        if stage in DECIDED:
            with self.assertRaisesRegex(Error, "MOVED"):
                a.call("set", "probe", "a")
        if stage == "committed":
            self.assertEqual(b.call("set", "probe", "b"), b"OK")
        self.proxy.heal()
        self.conclude(a, b)

    def test_network__lost_reply_and_source_killed__one_owner_while_it_is_cut(self):
        a, b = self.open_with_proxy()
        self.under_load(a, b)

        def cut():
            self.proxy.cut()
            a.kill()
            return "drop"
        reached = self.proxy.at("committed", cut)
        self.start_job(a, b)
        self.assertTrue(reached.wait(120))
        a.start()
        self.assertEqual(a.info("migration")["migrate_unconfirmed"], "1")
        for node, answer in ((a, "MOVED"), (b, None)):
            if answer:
                with self.assertRaisesRegex(Error, answer):
                    node.call("set", "probe", node.name)
            else:
                self.assertEqual(node.call("set", "probe", node.name), b"OK")
        self.proxy.heal()
        self.conclude(a, b)

    def test_network__silence_without_an_end__given_up_and_taken_up_again(self):
        a, b = self.open_with_proxy()
        self.under_load(a, b)
        reached = self.proxy.at("snapshot", self.proxy.stall)
        self.start_job(a, b)
        self.assertTrue(reached.wait(120))
        a.wait_for(lambda: a.info("migration").get("migrate_phase") == "retrying", "the source's patience to end")
        self.proxy.cut()
        self.proxy.heal()
        self.conclude(a, b)
        self.assertGreater(int(a.info("migration")["migrate_last_retries"]), 0)


def make_cells():
    for stage in STAGES:
        word = stage.replace("-", "_")
        for victim in ("source", "destination"):
            def kill(self, stage=stage, victim=victim):
                self.kill_at(stage, victim)
            setattr(SlotFaults, f"test_kill__{victim}_at_{word}__one_owner_and_nothing_lost", kill)

        def cut(self, stage=stage):
            self.cut_at(stage)
        setattr(SlotFaults, f"test_network__cut_at_{word}__one_owner_and_nothing_lost", cut)


make_cells()

if __name__ == "__main__":
    run_suite("kvrocks_slot_faults")
