#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""guards.py: a node answers at once while the other side of its migration does not: nothing waits for the network
under a lock that INFO or SETNODES needs.

    guards.py HAUL_TOOL [unittest arguments]
The machine of the other side stops (SIGSTOP): its connections stay, and nobody answers.
"""
from answers import AnswersCase
from slot_case import ALL, run_suite


class Guards(AnswersCase):
    def resume_all(self):
        for node in self.cluster.nodes:
            if node.process is not None:
                node.resume()

    # --- the destination stops -------------------------------------------------------------------------

    def test_destination__stops_before_it_is_asked__source_answers(self):
        a, b, c = self.open(3)
        self.cluster.raises = False
        b.pause()
        self.cluster.migrate(a, b)
        self.assert_answers(a, c)
        self.resume_all()

    def test_destination__stops_while_it_receives__source_answers(self):
        a, b, c = self.open(3)
        self.begin_slow(a, b)
        b.pause()
        self.assert_answers(a, c)
        self.resume_all()

    def stop_at(self, stage):
        a, b, c = self.open_with_proxy(3)
        self.cluster.raises = False
        a.client().pipeline([("set", f"fill:{i}", i) for i in range(2000)])
        reached = self.proxy.at(stage, b.pause)
        self.cluster.migrate(a, b)
        self.assertTrue(reached.wait(60))
        self.assert_answers(a, c)
        self.resume_all()

    def test_destination__stops_at_the_answer_to_the_request__source_answers(self):
        self.stop_at("endpoint")

    def test_destination__stops_at_prepare__source_answers(self):
        self.stop_at("prepare")

    def test_destination__stops_at_the_commit__source_answers(self):
        self.stop_at("commit")

    def test_destination__stops_when_asked_again__source_answers(self):
        """The reply is lost, and the one who knows it stops: the source asks again and again."""
        a, b, c = self.open_with_proxy(3)
        self.cluster.raises = False
        a.client().pipeline([("set", f"fill:{i}", i) for i in range(2000)])

        def lose():
            b.pause()
            return "drop"
        reached = self.proxy.at("committed", lose)
        self.cluster.migrate(a, b)
        self.assertTrue(reached.wait(60))
        self.assert_answers(a, c)
        self.resume_all()

    # --- the source stops ------------------------------------------------------------------------------------

    def test_source__stops_while_it_sends__destination_answers(self):
        a, b, c = self.open(3)
        self.begin_slow(a, b)
        a.pause()
        self.assert_answers(b, c)
        self.resume_all()

    def test_source__stops_and_the_destination_becomes_a_replica__it_answers_and_synchronises(self):
        """A full synchronisation replaces the database that the import writes to."""
        a, b, c = self.open(3)
        self.begin_slow(a, b)
        a.pause()
        self.cluster.replica_of, self.cluster.slots = {"b": "c"}, {c.id: ALL}
        self.cluster.tell([c, b])
        self.assert_answers(b, c)
        c.call("set", "after", "1")
        b.wait_for(lambda: b.info("keyspace")["sequence"] == c.info("keyspace")["sequence"], "synchronisation", 40)
        self.resume_all()

    def test_source__stops_and_the_import_is_cancelled_and_another_begins__destination_answers(self):
        a, b, c = self.open(3)
        self.begin_slow(a, b, slots="0-8000")
        a.pause()
        self.assertLess(self.probe(b, "cluster", "import", "0-8000", 2), 1.0)
        self.assert_answers(b, c)
        self.cluster.slots = {a.id: "0-8000", c.id: "8001-16383"}
        self.cluster.tell([b, c])
        self.assertEqual(self.cluster.migrate(c, b, "9000-9100", "sync"), b"OK")
        self.resume_all()


if __name__ == "__main__":
    run_suite("kvrocks_guards")
