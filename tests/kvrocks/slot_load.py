# SPDX-License-Identifier: Apache-2.0
"""slot_load.py: for tests of faults: a load and a referee while slots move, and the checks at the end."""
import itertools
import os
import shutil
import tempfile
import threading
import time

from cluster_client import slot_of
from haul_proxy import HaulProxy
from kvrocks_node import Error, Node
from slot_case import SlotCase, Writer, fill_every_type, read_every_type


class Referee(threading.Thread):
    """Asks both nodes for a write in turn: once the destination has taken one, the source must not take another."""

    def __init__(self, source, target):
        super().__init__(daemon=True)
        self.nodes = (target, source)
        self.ended = threading.Event()
        self.target_took, self.both = False, []
        self.asked = 0

    def takes(self, node):
        try:
            return node.call("set", "referee", self.asked) == b"OK"
        except (OSError, Error, ValueError):
            return False

    def run(self):
        target, source = self.nodes
        while not self.ended.is_set():
            self.asked += 1
            self.target_took = self.takes(target) or self.target_took
            if self.takes(source) and self.target_took:
                self.both.append(self.asked)
            time.sleep(0.005)

    def stop(self):
        self.ended.set()
        self.join(60)


class LoadedCase(SlotCase):
    def under_load(self, a, b):
        fill_every_type(a.client(), "t")
        self.before = read_every_type(a.client(), "t")
        a.call("set", "fill", "x" * 200000)
        self.writer, self.referee = Writer([a, b]), Referee(a, b)
        self.writer.start()
        self.referee.start()
        a.wait_for(lambda: self.writer.acknowledged > 50, "the load")

    def start_job(self, a, b):
        """Migrate asynchronously, with some lag of the log, so that there are deltas."""
        a.call("config", "set", "migrate-rdma-rate-limit-mb", 1)
        self.assertEqual(self.cluster.migrate(a, b), b"OK")

    def settle(self, a, b):
        """Wait until no job runs on the source; start one if the slots are still there."""
        def ended():
            info = a.info("migration")
            if "migrate_phase" in info or info["migrate_unconfirmed"] != "0":
                return False
            return a.cluster_info().get("migrating_state") != "start"
        a.wait_for(ended, "the end of the job")
        try:
            a.call("set", "probe", "a")
        except Error as error:
            self.assertRegex(str(error), "MOVED")
            return
        self.migrate(a, b)

    def conclude(self, a, b):
        self.settle(a, b)
        b.wait_for(lambda: b.call("set", "probe", "b") == b"OK", "the destination's ownership")
        count = self.writer.acknowledged
        b.wait_for(lambda: self.writer.acknowledged > count + 50, "the load on the destination")
        self.writer.stop()
        self.referee.stop()
        self.assertEqual(self.referee.both, [], "two owners")
        self.assertTrue(self.referee.target_took)
        with self.assertRaisesRegex(Error, "MOVED"):
            a.call("set", "probe", "a")
        self.writer.check(self, b)
        self.assertEqual(read_every_type(b.client(), "t"), self.before)


class ProxiedCase(LoadedCase):
    """The source reaches the destination through a proxy."""

    proxy = None

    def setUp(self):
        super().setUp()
        self.secrets = tempfile.mkdtemp(prefix="haul-keylog-")
        self.keylog = os.path.join(self.secrets, "keylog")
        library = os.path.join(os.path.dirname(self.HAUL), "..", "tests", "kvrocks", "libkvrocks_keylog.so")
        Node.environment = {"LD_PRELOAD": os.path.abspath(library), "HAUL_TEST_KEYLOG": self.keylog}

    def tearDown(self):
        Node.environment = {}
        shutil.rmtree(self.secrets)
        if self.proxy is not None:
            self.proxy.close()
            self.proxy = None
        super().tearDown()

    def assert_moved(self, node, owner, key="k"):
        """The source knows the destination by the proxy's port."""
        with self.assertRaises(Error) as caught:
            node.call("set", key, "x")
        ports = {owner.port} | ({self.proxy.port} if self.proxy else set())
        self.assertRegex(str(caught.exception), f"^MOVED .*:({'|'.join(map(str, ports))})$")

    def open_with_proxy(self, count=2, settings=None, replica_of=None):
        """Give the source, "a", the proxy's port for the destination, "b"."""
        nodes = self.open(count, settings, replica_of)
        a, b = nodes[:2]
        self.proxy = HaulProxy(b.port, self.keylog)
        self.cluster.ports_told = {a: {b: self.proxy.port}}
        self.cluster.tell()
        return nodes

    def assert_handed_over(self, a, b):
        self.assert_moved(a, b)
        self.assert_takes(b)

    def restart(self, *nodes):
        for node in nodes:
            node.kill()
        for node in nodes:
            node.settings.pop("migrate-rdma-rate-limit-mb", None)
            node.start()

    @staticmethod
    def key_of(first, last):
        """A key of a slot from `first` to `last`."""
        return next(key for key in (f"key:{i}" for i in itertools.count()) if first <= slot_of(key) <= last)
