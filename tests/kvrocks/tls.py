#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""tls.py: a node whose data must travel by TLS refuses haul, whose secret would come without.

    tls.py HAUL_TOOL [unittest arguments]
Skipped where the program was built without TLS (-DENABLE_OPENSSL=ON), or where there is no openssl to make a
certificate.
"""
import os
import shutil
import subprocess

from jobs import request_import
from kvrocks_node import Error
from slot_case import ALL, SlotCase, run_suite

SENTENCE = "may not travel without TLS, as HAUL IMPORT does: set migrate-transport redis"


class Tls(SlotCase):
    def open_with_tls(self, settings):
        """Node "b" has TLS, with these settings."""
        a = self.open(1)[0]
        if not a.call("config", "get", "tls-port"):
            self.skipTest("KVROCKS_BIN was built without TLS")
        if not shutil.which("openssl"):
            self.skipTest("openssl is not installed")
        key, certificate = (os.path.join(self.cluster.directory, name) for name in ("key.pem", "certificate.pem"))
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=b",
                        "-keyout", key, "-out", certificate], check=True, capture_output=True)
        common = {"tls-key-file": key, "tls-cert-file": certificate, "tls-ca-cert-file": certificate}
        b = self.cluster.add_node("b", {**common, **settings})
        self.cluster.tell()
        self.cluster.raises = False  # upstream's own migration does not survive that
        return a, b

    def assert_untouched(self, a, b):
        self.assertNotIn("import_state", b.cluster_info())
        self.assertFalse(os.path.exists(os.path.join(b.database(), "haul", "slots-target")))
        self.assert_takes(a)
        self.assert_moved(b, a)

    def test_import__destination_replicates_by_tls__refused_by_a_sentence(self):
        a, b = self.open_with_tls({"tls-replication": "yes"})
        with self.assertRaisesRegex(Error, SENTENCE):
            request_import(b, a, ALL, self.cluster.version)
        self.assert_untouched(a, b)

    def test_migrate__destination_replicates_by_tls__fails_by_a_sentence_and_the_slots_stay(self):
        a, b = self.open_with_tls({"tls-replication": "yes"})
        self.assertEqual(self.cluster.migrate(a, b), b"OK")
        self.wait_for_state(a, "fail")
        self.assertRegex(a.info("migration")["migrate_last_error"], SENTENCE)
        self.assert_untouched(a, b)
        a.call("config", "set", "migrate-transport", "redis")
        self.migrate(a, b)
        self.assert_takes(b)

    def test_migrate__source_replicates_by_tls__fails_by_a_sentence_before_it_asks(self):
        a, b = self.open_with_tls({"tls-replication": "yes"})
        self.cluster.slots = {b.id: ALL}
        self.cluster.tell()
        self.assertEqual(self.cluster.migrate(b, a), b"OK")
        self.wait_for_state(b, "fail")
        self.assertRegex(b.info("migration")["migrate_last_error"], SENTENCE)
        self.assertNotIn("cmdstat_haul", a.info("commandstats"))
        self.assert_takes(b)

    def test_migrate__destination_only_offers_tls__haul(self):
        """TLS for those clients that want it is not a wish about the cluster's own traffic."""
        a, b = self.open_with_tls({})
        self.migrate(a, b)
        self.assert_takes(b)


if __name__ == "__main__":
    run_suite("kvrocks_tls")
