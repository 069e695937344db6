#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""import_request.py: what a destination answers to HAUL IMPORT and HAUL ENDPOINT, what a source answers to HAUL
OUTCOME, what becomes of an import whose source does not come, and of Kvrocks' own imports beside it.

    import_request.py HAUL_TOOL [unittest arguments]
"""
import os
import socket
import threading
import time

from jobs import job_of, name_of, request_import, state_of
from kvrocks_node import Error
from slot_case import ALL, SlotCase, run_suite
from slot_load import ProxiedCase

LISTEN_ABOVE = 15000
UNKNOWN = "00" * 8


class ImportAnswers:
    @staticmethod
    def error_of(node, *arguments):
        try:
            return str(node.call(*arguments))
        except Error as error:
            return str(error)


class ImportRequest(SlotCase, ImportAnswers):
    def request(self, target, source, slots=ALL, version=None, job=()):
        """The job's name."""
        answer = request_import(target, source, slots, self.cluster.version if version is None else version, job)
        return answer if job else name_of(answer)

    def endpoint(self, target, job):
        """The port, once the destination listens."""
        def ready():
            words = target.call("haul", "endpoint", job).split()
            return int(words[1]) if words[1] != b"preparing" else 0
        return target.wait_for(ready, "the listener")

    def refuse(self, pattern, *arguments, **options):
        with self.assertRaisesRegex(Error, pattern):
            self.request(*arguments, **options)

    # --- the topology ------------------------------------------------------------------------------------

    def test_import__source_has_an_older_topology__try_again(self):
        a, b = self.open()
        self.refuse("^TRYAGAIN .*version", b, a, version=self.cluster.version - 1)
        self.assertNotIn("import_state", b.cluster_info())

    def test_import__source_has_a_newer_topology_and_owns_the_slots_here__accepted(self):
        a, b = self.open()
        self.endpoint(b, self.request(b, a, version=self.cluster.version + 3))
        self.assertEqual(b.cluster_info()["import_state"], "start")

    def test_import__source_has_a_newer_topology_and_does_not_own_the_slots_here__try_again(self):
        _, b, c = self.open(3)
        self.refuse("^TRYAGAIN .*version", b, c, version=self.cluster.version + 1)
        self.assertNotIn("import_state", b.cluster_info())

    def test_import__source_does_not_own_every_slot__refused(self):
        a, b, c = self.open(3)
        self.refuse("does not own", b, c)
        self.cluster.slots = {a.id: "0-9", c.id: "10-16383"}
        self.cluster.tell()
        self.refuse("does not own", b, a, slots="0-10")
        self.request(b, a, slots="0-9")

    def test_import__by_a_replica__refused(self):
        a, _, c = self.open(3, replica_of={"c": "b"})
        self.refuse("Slave", c, a)

    def test_import__of_slots_that_were_taken_over_already__refused(self):
        a, b = self.open()
        self.migrate(a, b)
        self.refuse("taken over", b, a)

    def test_import__name_of_no_job__refused(self):
        a, b = self.open()
        self.refuse("no such job", b, a, job=(UNKNOWN,))
        with self.assertRaisesRegex(Error, "no such job"):
            b.call("haul", "endpoint", UNKNOWN)

    def test_import__name_of_a_job_that_was_cancelled__refused(self):
        a, b = self.open()
        job = self.request(b, a, "7")
        b.call("cluster", "import", "7", 2)
        b.wait_for(lambda: "has ended" in self.error_of(b, "haul", "endpoint", job), "the end")
        self.refuse("no such job", b, a, "7", job=(job,))

    def test_import__name_of_a_job_that_has_ended_well__answered_at_any_version(self):
        """The source missed the last message. It may ask after a restart of the destination."""
        a, b = self.open()
        self.migrate(a, b, "0-99")
        job = job_of(b, "target")
        b.kill()
        b.start()
        self.assertEqual(self.request(b, a, "0-99", version=0, job=(job,)), job)
        self.endpoint(b, job)

    def test_import__name_of_a_job_that_has_ended_well_before_others__refused_and_confirmed(self):
        """Its secret is gone, so nothing can listen for it; a source asks first whether it was taken over."""
        a, b = self.open()
        self.migrate(a, b, "0-99")
        job = job_of(b, "target")
        self.migrate(a, b, "100-199")
        self.assertNotEqual(job_of(b, "target"), job)
        self.refuse("no such job", b, a, "0-99", job=(job,))
        self.assertEqual(b.call("haul", "confirm", "0-99", job, a.id), b"haul taken")

    # --- the listener ------------------------------------------------------------------------------------

    def test_import__by_the_same_source_again__the_same_job(self):
        a, b = self.open()
        job = self.request(b, a)
        self.endpoint(b, job)
        self.assertEqual(self.request(b, a), job)
        self.cluster.tell()
        self.assertEqual(self.request(b, a, version=0, job=(job,)), job)

    def test_import__of_other_slots_at_once__refused(self):
        a, b = self.open()
        self.endpoint(b, self.request(b, a, "1"))
        self.refuse("only one importing job", b, a, "2")

    def test_import__source_does_not_come__another_takes_its_place(self):
        a, b, c = self.open(3)
        self.cluster.slots = {a.id: "0-8000", c.id: "8001-16383"}
        self.cluster.tell()
        self.endpoint(b, self.request(b, a, "0-8000"))
        self.migrate_when_free(c, b, "9000-9100")

    def migrate_when_free(self, source, target, slots):
        def moved():
            return self.cluster.migrate(source, target, slots, "sync") == b"OK"
        source.wait_for(moved, "a free destination", 30)

    def test_endpoint__default_port_is_taken__any_free_one(self):
        a, b = self.open()
        with socket.create_server(("127.0.0.1", b.port + LISTEN_ABOVE)):
            port = self.endpoint(b, self.request(b, a))
            self.assertNotEqual(port, b.port + LISTEN_ABOVE)
            b.call("cluster", "import", ALL, 2)
            b.wait_for(lambda: b.cluster_info()["import_state"] == "error", "the end")
            a.call("set", "k", "v")
            self.migrate(a, b)

    def test_endpoint__listen_setting_is_taken__says_so(self):
        with socket.create_server(("127.0.0.1", 0)) as busy:
            listen = f"127.0.0.1:{busy.getsockname()[1]}"
            a, b = self.open(settings={"b": {"migrate-rdma-listen": listen}})
            job = self.request(b, a)
            with self.assertRaisesRegex(Error, "in use"):
                deadline = time.monotonic() + 30
                while time.monotonic() < deadline:
                    b.call("haul", "endpoint", job)
                    time.sleep(0.02)
            self.assertEqual(b.cluster_info()["import_state"], "error")

    # --- the lane ----------------------------------------------------------------------------------------

    def lane_after(self, nodes):
        a, b = nodes[:2]
        a.client().pipeline([("set", f"k:{i}", i) for i in range(1000)])
        self.migrate(a, b)
        return a.log().rsplit("lane: ", 1)[1].split(",", 1)[0]

    def test_lane__nobody_reads_the_log__table_files(self):
        self.assertEqual(self.lane_after(self.open()), "ingest")

    def test_lane__somebody_polls_for_updates__write_batches(self):
        a, b = self.open()
        b.call("pollupdates", 0)
        self.assertEqual(self.lane_after([a, b]), "writebatch")

    def test_lane__the_topology_has_replicas__write_batches(self):
        self.assertEqual(self.lane_after(self.open(3, replica_of={"c": "b"})), "writebatch")


class ImportBesideUpstream(SlotCase):
    """Kvrocks' own import was begun on the destination, over a connection that is still open."""

    def begin_import(self, node, slots, name):
        link = node.client()
        self.assertEqual(link.call("client", "setname", name), b"OK")
        self.assertEqual(link.call("cluster", "import", slots, 0), b"OK")
        return link

    def wait_for_end(self, node, name):
        """The node has done what it does when a connection ends."""
        node.wait_for(lambda: f"name={name} " not in node.call("client", "list").decode(), f"the end of {name}")

    def test_import__upstreams_of_the_same_slots_runs__takes_its_place(self):
        """As upstream does, for example when the source of that import is lost."""
        a, b = self.open()
        a.call("set", "k", "v")
        link = self.begin_import(b, ALL, "link")
        self.migrate(a, b)
        self.wait_for_end(b, "link")
        self.assertEqual(b.call("get", "k"), b"v")
        self.cluster.raises = False
        self.assertEqual(b.call("cluster", "import", ALL, 1), b"OK")
        self.assertEqual(b.cluster_info()["import_state"], "success")
        link.close()

    def test_import__upstreams_of_other_slots_runs__refused(self):
        a, b = self.open()
        link = self.begin_import(b, "1", "link")
        with self.assertRaisesRegex(Error, "only one importing job"):
            self.cluster.migrate(a, b, "2", "sync")
        self.assertEqual(b.cluster_info()["importing_slot(s)"], "1")
        link.close()

    def test_import__connections_of_upstreams_have_stayed__they_neither_write_nor_remove(self):
        a, b = self.open(settings={"b": {"migrate-rdma-lane": "writebatch"}})
        # A topology would take the right to write from them.
        self.cluster.raises = False
        earlier = self.begin_import(b, "0-100", "earlier")
        b.call("cluster", "import", "0-100", 2)
        last = self.begin_import(b, ALL, "last")
        b.call("cluster", "import", ALL, 2)
        self.begin_slow(a, b, keys=8000)
        self.wait_for_end(b, "last")
        last.close()
        asking = b.client()
        asking.call("asking")
        with self.assertRaisesRegex(Error, "MOVED"):
            asking.call("set", "fill:1", "foreign")
        earlier.close()
        self.wait_for_end(b, "earlier")
        self.assertEqual(b.cluster_info()["import_state"], "start")
        self.wait_for_state(a, "success")
        self.assertEqual(b.client().pipeline([("exists", f"fill:{i}") for i in range(8000)]), [1] * 8000)


class Outcome(SlotCase, ImportAnswers):
    """What a source answers to HAUL OUTCOME."""

    def ask(self, source, job):
        try:
            return source.call("haul", "outcome", job).decode()
        except Error as error:
            return str(error).split()[0]

    def test_outcome__name_of_no_job__void(self):
        a, _ = self.open()
        self.assertEqual(self.ask(a, UNKNOWN), "haul void")

    def test_outcome__job_that_was_handed_over__decided_also_after_a_restart_and_when_published(self):
        a, b = self.open()
        self.migrate(a, b)
        job = job_of(a, "source")
        self.assertEqual(self.ask(a, job), "haul decided")
        a.kill()
        a.start()
        self.assertEqual(self.ask(a, job), "haul decided")
        self.cluster.slots = {b.id: ALL}
        self.cluster.tell()
        self.assertEqual(self.ask(a, job), "haul decided")

    def test_outcome__job_that_runs__try_again_and_it_goes_on(self):
        a, b = self.open()
        self.begin_slow(a, b, keys=3000)
        self.assertEqual(self.ask(a, job_of(a, "source")), "TRYAGAIN")
        self.wait_for_state(a, "success")

    def test_outcome__job_that_was_cancelled__void(self):
        a, b = self.open()
        self.begin_slow(a, b)
        job = job_of(a, "source")
        self.assertEqual(a.call("haul", "cancel", ALL), b"OK")
        self.wait_for_state(a, "fail")
        self.assertEqual(self.ask(a, job), "haul void")

    def test_outcome__job_that_is_kept__given_up_for_good(self):
        a, b = self.open()
        self.begin_slow(a, b)
        job = job_of(a, "source")
        a.kill()
        a.start()
        self.assertEqual(a.info("migration")["migrate_kept_slot(s)"], ALL)
        self.assertEqual(self.ask(a, job), "TRYAGAIN")
        a.wait_for(lambda: self.ask(a, job) == "haul void", "the end of the job")
        self.assertEqual(a.info("migration")["migrate_kept_slot(s)"], "")
        a.kill()
        a.start()
        self.assertEqual(a.info("migration")["migrate_kept_slot(s)"], "")
        self.assertEqual(self.ask(a, job), "haul void")

    def test_outcome__job_that_is_kept_and_the_disk_refuses__given_up_when_it_does_not(self):
        a, b, c = self.open(3)
        self.begin_slow(a, b, slots="0-8000")
        job = job_of(a, "source")
        a.kill()
        a.start()
        self.cluster.tell()
        in_the_way = os.path.join(a.database(), "haul", "slots-source.tmp")
        os.mkdir(in_the_way)
        self.assertEqual(self.ask(a, job), "TRYAGAIN")
        a.wait_for(lambda: "cannot be given up yet" in a.log(), "the disk's refusal")
        with self.assertRaisesRegex(Error, "create .*slots-source.tmp"):
            self.cluster.migrate(a, c, "8001-16383", "sync")
        self.assertEqual(self.ask(a, job), "TRYAGAIN")
        os.rmdir(in_the_way)
        a.wait_for(lambda: self.ask(a, job) == "haul void", "the end of the job")
        self.migrate(a, c, "8001-16383")

    def test_outcome__void_and_the_destination_has_the_job_again__not_continued(self):
        a, b = self.open()
        job = name_of(request_import(b, a, ALL, self.cluster.version))
        self.assertEqual(self.ask(a, job), "haul void")
        with self.assertRaisesRegex(Error, "about to end this job"):
            self.cluster.migrate(a, b, ALL, "sync")
        b.call("cluster", "import", ALL, 2)
        b.wait_for(lambda: b.cluster_info()["import_state"] == "error", "the end")
        self.migrate(a, b)

    def test_outcome__by_a_replica__try_again(self):
        _, _, c = self.open(3, replica_of={"c": "b"})
        self.assertEqual(self.ask(c, UNKNOWN), "TRYAGAIN")


class DoubtfulImport(ProxiedCase, ImportAnswers):
    """The destination is prepared, and its source is gone: only the source's record shows who owns the slots."""

    MOVING, OTHERS = "0-9000", "12001-16383"

    def prepare_and_lose_the_source(self):
        """"a" dies when "b" has everything of MOVING; "c" has OTHERS."""
        a, b, c = self.open_with_proxy(3)
        self.cluster.raises = False
        self.cluster.slots = {a.id: "0-12000", c.id: self.OTHERS}
        self.cluster.tell()
        self.key = self.key_of(0, 9000)
        a.call("set", self.key, "v")

        def lose():
            a.kill()
            return "drop"
        reached = self.proxy.at("prepared", lose)
        threading.Thread(target=self.try_to_migrate, args=(a, b), daemon=True).start()
        self.assertTrue(reached.wait(60))
        return a, b, c

    def try_to_migrate(self, a, b):
        try:
            self.cluster.migrate(a, b, self.MOVING)
        except (OSError, Error):
            pass

    def give_up_by_operator(self, b):
        self.assertEqual(b.call("haul", "abandon", self.MOVING, "force"), b"OK")
        b.wait_for(lambda: b.cluster_info()["import_state"] == "error", "the end")

    def test_import__in_doubt__no_other_and_no_cancel_until_the_operator_gives_it_up(self):
        _, b, c = self.prepare_and_lose_the_source()
        with self.assertRaisesRegex(Error, "TRYAGAIN .*wait here for the decision .*HAUL ABANDON"):
            self.cluster.migrate(c, b, "13000-13100", "sync")
        self.assertRegex(self.error_of(b, "cluster", "import", self.MOVING, 2), "may have decided; HAUL ABANDON")
        self.give_up_by_operator(b)
        self.migrate(c, b, "13000-13100")

    def test_import__in_doubt_and_another_owns_the_slots__it_may_come(self):
        """Its source is lost, and the topology has given the slots to "c"."""
        _, b, c = self.prepare_and_lose_the_source()
        self.cluster.slots = {c.id: ALL}
        self.cluster.tell([b, c])
        c.call("set", self.key, "newer")
        self.migrate(c, b, self.MOVING)
        self.assertEqual(b.call("get", self.key), b"newer")

    def test_import__in_doubt_and_another_owns_a_part_of_the_slots__waits(self):
        """The source may have decided, and a part of the slots is nobody else's."""
        _, b, c = self.prepare_and_lose_the_source()
        self.cluster.slots = {self.cluster.nodes[0].id: "0-1000", c.id: "1001-16383"}
        self.cluster.tell([b, c])
        with self.assertRaisesRegex(Error, "TRYAGAIN .*wait here for the decision"):
            self.cluster.migrate(c, b, "13000-13100", "sync")

    def test_import__in_doubt_and_restarted__waits_for_its_source(self):
        a, b, _ = self.prepare_and_lose_the_source()
        b.kill()
        b.start()
        self.cluster.tell([b])
        a.start()
        self.cluster.tell()
        self.migrate(a, b, self.MOVING)
        self.assertEqual(b.call("get", self.key), b"v")
        with self.assertRaisesRegex(Error, "MOVED"):
            a.call("set", self.key, "a")

    def test_import__in_doubt_and_its_source_has_lost_the_job__begins_anew(self):
        """The source's state was removed, as an operator may do: it names no job."""
        a, b, _ = self.prepare_and_lose_the_source()
        self.restart(b)
        job = job_of(b, "target")
        os.remove(state_of(a, "source"))
        a.start()
        self.cluster.tell()
        self.migrate(a, b, self.MOVING)
        self.assertEqual(b.call("get", self.key), b"v")
        self.assertNotEqual(job_of(b, "target"), job)


if __name__ == "__main__":
    run_suite("kvrocks_import_request")
