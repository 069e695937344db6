#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""topology.py: the topology changes while slots move: the version rises, masters are replaced, destinations vanish.

    topology.py HAUL_TOOL [unittest arguments]
kvrocks-controller raises the version right after each MIGRATE, reads the state from CLUSTER INFO of the source once a
second, publishes the slots when it says "success", and gives them back when it says "fail", or names other slots, or none.
"""
import time

from kvrocks_node import Error
from slot_case import ALL, run_suite
from slot_load import ProxiedCase

# How long the destination is unreachable in a test of what the source then says: longer than the source's own patience.
CUT_S = 70
# Nothing must happen for so long: a resumed job of these tests needs a fraction of it.
QUIET_S = 4


class Topology(ProxiedCase):
    def assert_reported(self, source, states, slots=ALL):
        """CLUSTER INFO says this, so that the controller waits or publishes, and does not give the slots back."""
        info = source.cluster_info()
        self.assertIn(info.get("migrating_state"), states, info)
        self.assertEqual(info.get("migrating_slot(s)"), slots, info)

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

    def test_version__raised_while_it_copies_and_source_restarts__still_moved(self):
        a, b = self.migrate_under_new_version()
        self.restart(a)
        self.assert_moved(a, b)
        self.cluster.repeat(a)
        self.assert_handed_over(a, b)

    def test_version__raised_while_it_copies_and_destination_restarts__still_serves(self):
        a, b = self.migrate_under_new_version()
        self.restart(b)
        self.assert_takes(b)
        self.cluster.repeat(b)
        self.assert_handed_over(a, b)

    def test_version__raised_after_the_hand_over__still_handed_over(self):
        a, b = self.open()
        self.migrate(a, b)
        self.cluster.tell()
        self.assert_handed_over(a, b)
        self.restart(a, b)
        b.wait_for(lambda: b.call("set", "probe", "b") == b"OK", "the source's word")
        self.assert_handed_over(a, b)
        self.cluster.tell()
        self.assert_handed_over(a, b)

    def test_version__raised_and_the_reply_lost__settled_by_asking_again(self):
        a, b = self.open_with_proxy()
        self.under_load(a, b)

        def lose():
            self.cluster.tell([b])
            return "drop"
        reached = self.proxy.at("committed", lose)
        self.start_job(a, b)
        self.assertTrue(reached.wait(120))
        a.wait_for(lambda: a.cluster_info()["migrating_state"] == "success", "success", 30)
        self.assertEqual(a.info("migration")["migrate_unconfirmed"], "0")
        self.conclude(a, b)

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

    # --- what CLUSTER INFO says after the decision -------------------------------------------------------

    def lose_the_reply(self, then=lambda: None):
        """A decided hand-over that its destination has taken, and the source cannot know."""
        a, b = self.open_with_proxy()
        self.under_load(a, b)

        def cut():
            self.proxy.cut()
            then()
            return "drop"
        reached = self.proxy.at("committed", cut)
        self.start_job(a, b)
        self.assertTrue(reached.wait(120))
        return a, b

    def test_report__decided_and_destination_unreachable__never_fail(self):
        a, b = self.lose_the_reply()
        end = time.monotonic() + CUT_S
        while time.monotonic() < end:
            self.assert_reported(a, {"start"})
            time.sleep(0.2)
        self.assert_handed_over(a, b)
        self.proxy.heal()
        self.wait_for_state(a, "success")
        self.assert_reported(a, {"success"})
        self.conclude(a, b)

    def test_report__decided_and_source_restarts__start_and_then_success(self):
        a, b = self.lose_the_reply()
        self.restart(a)
        self.assert_reported(a, {"start"})
        self.proxy.heal()
        self.wait_for_state(a, "success")
        self.assert_reported(a, {"success"})
        self.conclude(a, b)

    def test_report__undecided_and_source_restarts__fail(self):
        """The controller gives the slots back, which is right: nothing was handed over."""
        a, b = self.open()
        self.begin_slow(a, b)
        self.restart(a)
        self.assert_reported(a, {"fail"})
        self.assert_takes(a)

    def test_report__success_and_source_restarts__success(self):
        a, b = self.open()
        self.migrate(a, b)
        self.assert_reported(a, {"success"})
        self.restart(a)
        self.assert_reported(a, {"start", "success"})  # it may have to ask the destination first
        self.wait_for_state(a, "success")
        self.cluster.slots = {b.id: ALL}
        self.cluster.tell()
        self.restart(a)
        self.assertNotIn("migrating_slot(s)", a.cluster_info())

    def test_topology__gives_an_unconfirmed_range_back__the_decision_stands(self):
        a, b = self.lose_the_reply()
        for node in (a, b):
            try:
                self.cluster.tell([node])
            except Error:
                pass  # a node may refuse what it knows to be untrue
        self.assert_handed_over(a, b)
        self.restart(a)
        self.assert_handed_over(a, b)
        self.proxy.heal()
        self.conclude(a, b)

    def test_topology__gives_an_unconfirmed_range_back__reported_until_published(self):
        a, b = self.lose_the_reply()
        self.proxy.heal()
        self.wait_for_state(a, "success")
        self.cluster.tell()
        self.assert_reported(a, {"success"})
        self.conclude(a, b)

    # --- the same command again --------------------------------------------------------------------------

    def assert_refused_as_migrated(self, a, b, *ranges):
        """By upstream's words, and without a trace in what the controller reads."""
        before = a.cluster_info()
        for slots in ranges:
            with self.assertRaisesRegex(Error, "Can't migrate slot which has been migrated"):
                a.call("clusterx", "migrate", slots, b.id)
        after = a.cluster_info()
        for field in ("migrating_slot(s)", "destination_node", "migrating_state"):
            self.assertEqual(after.get(field), before.get(field))

    def test_again__handed_over_and_not_published__refused_and_still_a_success(self):
        a, b, c = self.open(3)
        self.migrate(a, b, "114-116")
        self.migrate(a, b, "117-118")
        self.migrate(a, b, "112-113")
        self.assert_refused_as_migrated(a, b, "114-116", "117-118", "112", "112-113", "112-120", "110-112")
        self.assert_refused_as_migrated(a, c, "114-116")
        self.restart(a)
        self.assert_refused_as_migrated(a, b, "112-113")
        self.wait_for_state(a, "success")  # it asks the destination first
        self.assert_refused_as_migrated(a, b, "112-113")
        self.assert_reported(a, {"success"}, "112-113")
        self.migrate(a, b, "119-120")

    def test_again__handed_over_and_not_confirmed__refused_and_settled_by_asking(self):
        """A lost reply needs no second MIGRATE, and suffers none."""
        a, b = self.lose_the_reply()
        a.wait_for(lambda: a.info("migration")["migrate_unconfirmed"] == "1", "the open question")
        self.assert_refused_as_migrated(a, b, ALL)
        self.assert_reported(a, {"start"})
        self.restart(a)
        self.assert_refused_as_migrated(a, b, ALL)
        self.assert_reported(a, {"start"})
        self.proxy.heal()
        self.wait_for_state(a, "success")
        self.assert_refused_as_migrated(a, b, ALL)
        self.conclude(a, b)

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

    def test_source__replaced_by_its_replica_while_it_was_down__hands_nothing_over(self):
        self.replace_the_source(raises=False)

    def test_source__replaced_by_its_replica_after_a_new_version__hands_nothing_over(self):
        self.replace_the_source(raises=True)

    def test_source__knows_an_older_topology__refused(self):
        a, b, c = self.open(3)
        a.call("set", "k", "v")
        self.cluster.replica_of, self.cluster.slots = {"a": "c"}, {c.id: ALL}
        self.cluster.tell([b, c])
        with self.assertRaises(Error):
            a.call("clusterx", "migrate", ALL, b.id, "sync")
        self.assert_moved(b, c, "k")
        self.assertEqual(a.call("set", "k", "w"), b"OK")

    def test_source__restarts_while_it_copies__waits_for_the_topology(self):
        a, b = self.open()
        self.begin_slow(a, b)
        a.kill()
        a.settings["migrate-rdma-rate-limit-mb"] = 0
        a.start()
        end = time.monotonic() + QUIET_S
        while time.monotonic() < end:
            self.assertNotIn("migrate_phase", a.info("migration"))
            self.assert_takes(a)
            time.sleep(0.05)
        self.cluster.tell()
        self.migrate_again(a, b)
        self.assert_handed_over(a, b)

    def test_import__its_source_restarted_and_was_given_the_slots_back__another_may_come(self):
        """It keeps what it has, but the controller goes on with other slots."""
        a, b, c = self.open(3)
        self.cluster.slots = {a.id: "0-12000", c.id: "12001-16383"}
        self.cluster.tell()
        self.begin_slow(a, b, slots="0-12000")
        self.restart(a)
        self.cluster.tell()
        c.wait_for(lambda: self.cluster.migrate(c, b, "13000-13100", "sync") == b"OK", "another import", 20)
        self.cluster.slots = {a.id: "0-12000", b.id: "13000-13100", c.id: "12001-12999 13101-16383"}
        self.cluster.tell()
        self.migrate(a, b, "0-12000")
        self.cluster.slots = {b.id: "0-12000 13000-13100", c.id: "12001-12999 13101-16383"}
        self.cluster.tell()

    def open_with_slots(self, count=3, replica_of=None):
        """"a" has the slots up to 12000, and a key of the first 8000; "c" has the others."""
        nodes = self.open_with_proxy(count, replica_of=replica_of)
        a, c = nodes[0], nodes[2]
        self.cluster.raises = False
        self.cluster.slots = {a.id: "0-12000", c.id: "12001-16383"}
        self.cluster.tell()
        self.key = self.key_of(0, 8000)
        self.assertEqual(a.call("set", self.key, "v"), b"OK")
        return nodes

    def lose_at(self, stage, a, b, action):
        """Migrate 0-8000, and at this message do something and lose it."""
        def lose():
            action()
            return "drop"
        reached = self.proxy.at(stage, lose)
        try:
            self.cluster.migrate(a, b, "0-8000")
        except OSError:
            pass  # it has died already
        self.assertTrue(reached.wait(60))

    def prepare_and_kill_the_source(self):
        """"b" has everything of 0-8000, and its source "a" dies undecided."""
        a, b, c = self.open_with_slots()
        self.lose_at("prepared", a, b, a.kill)
        return a, b, c

    def assert_moves_anew(self, a, b, slots="0-8000"):
        """"a" has been serving, and its migration has nothing of the first attempt."""
        self.assertEqual(a.call("set", self.key, "newer"), b"OK")
        self.migrate(a, b, slots)
        self.assertEqual(a.info("migration")["migrate_last_resumed"], "0")
        self.assertEqual(b.call("get", self.key), b"newer")
        self.assert_moved(a, b, self.key)

    def test_import__prepared_and_its_source_restarted__another_may_come(self):
        """The source has not decided, so it gives the job up for good as soon as its destination needs the place."""
        a, b, c = self.prepare_and_kill_the_source()
        a.start()
        self.migrate(c, b, "13000-13100")
        self.assertEqual(a.info("migration")["migrate_kept_slot(s)"], "")
        self.cluster.slots = {a.id: "0-12000", b.id: "13000-13100", c.id: "12001-12999 13101-16383"}
        self.cluster.tell()
        self.restart(a)
        self.assert_moves_anew(a, b)

    def test_import__prepared_and_both_restarted__another_may_come(self):
        a, b, c = self.prepare_and_kill_the_source()
        self.restart(b)
        a.start()
        self.migrate(c, b, "13000-13100")
        self.cluster.slots = {a.id: "0-12000", b.id: "13000-13100", c.id: "12001-12999 13101-16383"}
        self.cluster.tell()
        self.assert_moves_anew(a, b)

    def test_import__prepared_and_its_source_restarted__the_source_may_bring_other_slots(self):
        a, b, _ = self.prepare_and_kill_the_source()
        a.start()
        self.assert_moves_anew(a, b, "0-8100")

    def test_import__prepared_and_its_source_restarted__nobody_else_comes_and_it_continues(self):
        """What is prepared is kept as long as nobody needs the place."""
        a, b, _ = self.prepare_and_kill_the_source()
        a.start()
        self.migrate(a, b, "0-8000")
        self.assertEqual(a.info("migration")["migrate_last_resumed"], "1")
        self.assertEqual(b.call("get", self.key), b"v")

    def test_import__prepared_and_its_source_replaced__the_new_owner_may_come(self):
        """"a" is dead, and "d" has what it replicated of it."""
        a, b, c, d = self.open_with_slots(4, replica_of={"d": "a"})
        d.wait_for(lambda: d.info("keyspace")["sequence"] == a.info("keyspace")["sequence"], "the replica")
        self.lose_at("prepared", a, b, a.kill)
        self.cluster.replica_of, self.cluster.slots = {"a": "d"}, {d.id: "0-12000", c.id: "12001-16383"}
        self.cluster.tell([b, c, d])
        self.assertEqual(d.call("set", self.key, "newer"), b"OK")
        self.migrate(d, b, "0-8000")
        self.assertEqual(b.call("get", self.key), b"newer")
        a.start()
        self.cluster.tell()
        self.assert_moved(d, b, self.key)
        self.assert_takes(b, self.key)

    def test_import__prepared_and_its_source_decided__kept_for_it(self):
        """Another source asks for the place, and is refused: "a" has decided and cannot reach "b"."""
        a, b, c = self.open_with_slots()
        self.lose_at("commit", a, b, self.proxy.cut)
        a.wait_for(lambda: a.info("migration")["migrate_unconfirmed"] == "1", "the open question")
        with self.assertRaisesRegex(Error, "TRYAGAIN .*wait here for the decision .*which has decided"):
            self.cluster.migrate(c, b, "13000-13100", "sync")
        self.proxy.heal()
        self.wait_for_state(a, "success")
        self.assertEqual(b.call("get", self.key), b"v")
        self.assert_moved(a, b, self.key)

    # --- a way out of an unconfirmed hand-over -------------------------------------------------------------

    def lose_the_destination(self):
        """"a" has handed 0-8000 over to "b", which is lost for good before it confirms; "c" exists."""
        a, b, c = self.open_with_proxy(3)
        a.client().pipeline([("set", f"fill:{i}", i) for i in range(2000)])
        a.call("set", "fill", "x" * 200000)

        def lose():
            self.proxy.cut()
            b.kill()
            return "drop"
        reached = self.proxy.at("committed", lose)
        self.assertEqual(self.cluster.migrate(a, b, "0-8000"), b"OK")
        self.assertTrue(reached.wait(120))
        a.wait_for(lambda: a.info("migration")["migrate_unconfirmed"] == "1", "the open question")
        return a, b, c

    def wait_for_no_question(self, a):
        a.wait_for(lambda: a.info("migration").get("migrate_unconfirmed") == "0", "the end of the question", 15)

    def assert_free(self, a, c):
        self.wait_for_no_question(a)
        self.assertEqual(self.cluster.migrate(a, c, "9000-9100", "sync"), b"OK")
        self.cluster.slots = {a.id: "8001-8999 9101-16383", c.id: "0-8000 9000-9100"}
        self.cluster.tell([a, c])
        self.assertEqual(a.call("flushall"), b"OK")

    def test_unconfirmed__a_newer_topology_names_another_owner__ends(self):
        a, _, c = self.lose_the_destination()
        self.cluster.slots = {a.id: "8001-16383", c.id: "0-8000"}
        self.cluster.tell([a, c])
        self.assert_free(a, c)

    def test_unconfirmed__a_newer_topology_after_a_restart__ends(self):
        a, _, c = self.lose_the_destination()
        self.restart(a)
        self.cluster.slots = {a.id: "8001-16383", c.id: "0-8000"}
        self.cluster.tell([a, c])
        self.assert_free(a, c)

    def test_unconfirmed__the_operator_gives_it_up__the_source_serves(self):
        a, _, c = self.lose_the_destination()
        self.assertEqual(a.call("haul", "abandon", "0-8000", "force"), b"OK")
        self.wait_for_no_question(a)
        slots = [a.call("cluster", "keyslot", f"fill:{i}") for i in range(50)]
        for i in (i for i, slot in enumerate(slots) if slot <= 8000):
            self.assertEqual(a.call("set", f"fill:{i}", "again"), b"OK")
        self.restart(a)
        self.assertEqual(a.info("migration")["migrate_unconfirmed"], "0")
        self.assertEqual(self.cluster.migrate(a, c, "0-8000", "sync"), b"OK")

    def test_unconfirmed__the_source_becomes_a_replica__ends(self):
        a, _, c = self.lose_the_destination()
        self.cluster.replica_of["a"], self.cluster.slots = "c", {c.id: ALL}
        self.cluster.tell([a, c])
        self.wait_for_no_question(a)
        a.wait_for(lambda: a.info("replication").get("master_link_status") == "up", "the link")

    def test_unconfirmed__another_migration_is_asked_for__the_slots_stay_away(self):
        """Refused or not, by either way: the range in question must not become this node's again."""
        a, b, c = self.lose_the_destination()
        key = next(f"fill:{i}" for i in range(100) if a.call("cluster", "keyslot", f"fill:{i}") <= 8000)
        for transport, slots in (("haul", "9000-9010"), ("redis", "9100-9110")):
            a.call("config", "set", "migrate-transport", transport)
            try:
                self.cluster.migrate(a, c, slots, "sync")
            except Error as error:
                self.assertNotRegex(str(error), "(?i)unknown|syntax")
            self.assert_moved(a, b, key)
        self.restart(a)
        self.assert_moved(a, b, key)
        self.assertEqual(a.info("migration").get("migrate_unconfirmed"), "1")

    # --- the destination is replaced -----------------------------------------------------------------------

    def replace_the_destination(self, a, b, c):
        self.cluster.replica_of = {"b": "c"}
        self.cluster.tell([a, c] if b.process is None else [a, b, c])

    def test_destination__replaced_while_it_receives__ends_at_once(self):
        a, b, c = self.open(3, replica_of={"c": "b"})
        self.begin_slow(a, b)
        self.replace_the_destination(a, b, c)
        a.wait_for(lambda: a.cluster_info().get("migrating_state") == "fail", "the end of the job", 15)
        self.assert_takes(a)
        a.call("config", "set", "migrate-rdma-rate-limit-mb", 0)
        self.migrate(a, c)
        self.assert_handed_over(a, c)

    def test_destination__replaced_before_it_took_the_slots__they_come_back(self):
        """The source has decided; only the dead destination could have taken the slots over."""
        a, b, c = self.open_with_proxy(3, replica_of={"c": "b"})
        a.client().pipeline([("set", f"fill:{i}", i) for i in range(2000)])

        def lose():
            self.proxy.cut()
            b.kill()
            return "drop"
        reached = self.proxy.at("commit", lose)
        self.assertEqual(self.cluster.migrate(a, b, ALL), b"OK")
        self.assertTrue(reached.wait(120))
        a.wait_for(lambda: a.info("migration")["migrate_unconfirmed"] == "1", "the open question")
        self.replace_the_destination(a, b, c)
        self.wait_for_no_question(a)
        self.assert_reported(a, {"fail"})
        self.assert_takes(a)
        self.migrate(a, c)
        self.assert_handed_over(a, c)
        self.assertEqual(c.call("get", "fill:7"), b"7")


if __name__ == "__main__":
    run_suite("kvrocks_topology")
