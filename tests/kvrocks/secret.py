#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""secret.py: the secret of a job: who is kept out by it, where it is, and what somebody on the path sees.

    secret.py HAUL_TOOL [unittest arguments]
"""
import os
import re
import socket
import stat
import subprocess
import threading

from haul_proxy import HaulProxy
from jobs import name_of, request_import, secret_of, state_of
from kvrocks_node import LISTEN_ABOVE, Error
from slot_case import ALL, SlotCase, run_suite

# Not compressible, so that blocks carry it as it is.
PLANTED = os.urandom(4096)
PLANTED_KEY = b"planted-" + os.urandom(32).hex().encode()
TOOL_AUTH = 4
NO_KEYS = "build knows no keys.*install the .*'s build on the .*, or set migrate-transport redis"
DAMAGED = ("", "00", "z" * 64, "A" * 64, "00" * 31 + "0", "00" * 33)


class Listener(HaulProxy):
    """Between the nodes: keeps all that haul's connections carry."""

    def __init__(self, node_port):
        super().__init__(node_port, keylog=None)
        self.heard = bytearray()

    def serve_haul(self, near, far):
        self.both(near, far, self.hear, self.hear)

    def hear(self, source, sink):
        data = source.recv(1 << 16)
        self.heard += data
        return bool(data) and self.send(sink, data)


class Impostor:
    """Answers every command with one line."""

    def __init__(self, line):
        self.line, self.commands = line, b""
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                end = self.listener.accept()[0]
            except OSError:
                return
            with end:
                while data := end.recv(1 << 16):
                    self.commands += data
                    end.sendall(self.line + b"\r\n")

    def close(self):
        self.listener.close()


class Secret(SlotCase):
    between = None

    def tearDown(self):
        if self.between is not None:
            self.between.close()
            self.between = None
        super().tearDown()

    def put_between(self, nodes, stranger):
        """The first node knows the second by the port of `stranger`."""
        self.between = stranger
        self.cluster.ports_told = {nodes[0]: {nodes[1]: stranger.port}}
        self.cluster.tell()
        return stranger

    # --- strangers ----------------------------------------------------------------------------------------

    def send_as(self, node, port, *key):
        """What a stranger who has a database of its own gets for an answer."""
        return subprocess.run(
            [self.HAUL, "send", "--db", node.database(), "--to", f"127.0.0.1:{port}", "--transport", "tcp", "--retry",
             "1s", *key], capture_output=True, text=True, check=False)

    def key_file(self, identity, secret):
        """As `haul keygen` makes it."""
        path = os.path.join(self.cluster.directory, "key")
        subprocess.run([self.HAUL, "keygen", "-q", "--id", identity, path], check=True, stdout=subprocess.DEVNULL)
        with open(path, encoding="ascii") as file:
            self.assertNotIn(secret, file.read())
        return path

    def test_listener__a_stranger_without_the_key_or_with_another__refused_and_the_migration_goes_on(self):
        a, b, c = self.open(3)
        c.stop()
        self.begin_slow(a, b)
        secret, port = secret_of(b, "target"), b.port + LISTEN_ABOVE
        other_key = ("--key", self.key_file(name_of(secret), secret))
        for key, reason in (((), "it does not use the key"), (other_key, "it does not have the key")):
            sent = self.send_as(c, port, *key)
            self.assertEqual(sent.returncode, TOOL_AUTH, sent.stderr)
            self.assertRegex(b.log(), f"refused a connection from .*: {reason}")
        self.assertEqual(a.info("migration")["migrate_phase"], "copying")
        a.call("config", "set", "migrate-rdma-rate-limit-mb", 0)
        self.wait_for_state(a, "success")
        self.assertEqual(a.info("migration")["migrate_last_retries"], "0")
        self.assertEqual(b.call("hget", "fillh:499", "f"), b"499")

    # --- a secret that is none ----------------------------------------------------------------------------

    @staticmethod
    def replace_secret(node, role, secret):
        with open(state_of(node, role), encoding="ascii") as file:
            text = file.read()
        with open(state_of(node, role), "w", encoding="ascii") as file:
            file.write(re.sub("^token .*$", f"token {secret}", text, flags=re.MULTILINE))

    def assert_does_not_start(self, node, role):
        with self.assertRaisesRegex(AssertionError, f"slots-{role} is damaged: the secret of its job is missing"):
            node.start()
        node.process = None

    def test_start__the_secret_of_the_running_job_is_empty_or_damaged__nothing_listens(self):
        a, b = self.open()
        self.begin_slow(a, b)
        secret = secret_of(b, "target")
        for node, role in ((b, "target"), (a, "source")):
            node.kill()
            for damaged in DAMAGED:
                with self.subTest(role=role, secret=damaged):
                    self.replace_secret(node, role, damaged)
                    self.assert_does_not_start(node, role)
            self.replace_secret(node, role, secret)
            node.start()
        self.cluster.tell()
        self.migrate_again(a, b)
        self.assertEqual(a.info("migration")["migrate_last_resumed"], "1")

    def test_import__the_secret_of_an_ended_job_is_damaged__not_listened_for(self):
        a, b = self.open()
        self.migrate(a, b)
        job = name_of(secret_of(b, "target"))
        b.kill()
        self.replace_secret(b, "target", "")
        b.start()
        for name in (job, name_of("")):
            with self.assertRaisesRegex(Error, "no such job"):
                request_import(b, a, ALL, self.cluster.version, (name,))
            with self.assertRaisesRegex(Error, "no such job"):
                b.call("haul", "endpoint", name)

    def test_migrate__the_destination_hands_out_no_secret__refused(self):
        nodes = a, _ = self.open()
        for line in (b"+haul preparing", b"+haul preparing " + b"00" * 16, b"+haul preparing " + b"00" * 31 + b"zz"):
            with self.subTest(answer=line):
                self.put_between(nodes, Impostor(line))
                with self.assertRaisesRegex(Error, "the destination refuses the import"):
                    self.cluster.migrate(a, nodes[1], ALL, "sync")
                self.assertNotIn(b"endpoint", self.between.commands)
                self.between.close()
        self.assert_takes(a)

    # --- builds of the patch that had none ----------------------------------------------------------------

    def test_migrate__the_destination_knows_no_keys__refused_by_a_sentence(self):
        nodes = a, b = self.open()
        for line in (b"-ERR haul: no job with this token", b"-ERR wrong number of arguments"):
            with self.subTest(answer=line):
                self.put_between(nodes, Impostor(line))
                with self.assertRaisesRegex(Error, "the destination's " + NO_KEYS):
                    self.cluster.migrate(a, b, ALL, "sync")
                self.assertRegex(a.info("migration")["migrate_last_error"], NO_KEYS)
                self.between.close()
        self.assert_takes(a)

    def test_import__the_source_knows_no_keys__refused_by_a_sentence(self):
        a, b = self.open()
        for words in ((), ("00" * 16,)):
            with self.assertRaisesRegex(Error, "the source's " + NO_KEYS):
                b.call("haul", "import", ALL, self.cluster.version, a.id, *words)
        self.assertNotIn("import_state", b.cluster_info())

    def test_outcome__asked_by_a_build_without_keys__no_answer_that_it_takes_for_one(self):
        """It would name the job by its token, and take `void` for the end of a job that was decided."""
        a, _ = self.open()
        with self.assertRaisesRegex(Error, "unknown subcommand"):
            a.call("haul", "decision", "00" * 16)

    # --- where it is --------------------------------------------------------------------------------------

    @staticmethod
    def forms(secret):
        return (secret.encode(), secret.upper().encode(), bytes.fromhex(secret))

    def files_with(self, secret):
        """All files of all nodes that contain it, with their modes."""
        found = {}
        for folder, _, names in os.walk(self.cluster.directory):
            for path in (os.path.join(folder, name) for name in names):
                with open(path, "rb") as file:
                    data = file.read()
                if any(form in data for form in self.forms(secret)):
                    found[path] = stat.S_IMODE(os.stat(path).st_mode)
        return found

    def answers(self, node):
        """All that the server shows of itself."""
        client = node.client()
        commands = [("info", "all"), ("cluster", "info"), ("clusterx", "info"), ("slowlog", "get", 10000),
                    ("config", "get", "*"), ("client", "list"), ("keys", "*")]
        shown = [repr(reply).encode() for reply in client.pipeline(commands)]
        client.close()
        return shown

    @staticmethod
    def watch(node):
        monitor = node.client()
        monitor.call("monitor")
        return monitor

    @staticmethod
    def read_until(monitor, mark):
        heard = b""
        while mark not in heard:
            heard += monitor.socket.recv(1 << 20)
        return heard

    def back_up(self, node):
        folder = os.path.join(node.directory, "backup")
        self.assertEqual(node.call("bgsave"), b"OK")
        node.wait_for(lambda: node.info("persistence")["bgsave_in_progress"] == "0" and os.listdir(folder), "the backup")

    def test_secret__after_a_migration_that_broke_off_once__in_two_files_and_nowhere_else(self):
        shows = {"slowlog-log-slower-than": 0, "slowlog-max-len": 100000, "slowlog-dump-logfile-level": "info",
                 "log-level": "debug"}
        a, b, c, d = self.open(4, settings={name: shows for name in "abcd"}, replica_of={"c": "b", "d": "a"})
        monitors = [self.watch(b)]
        self.begin_slow(a, b)
        a.kill()
        a.start()
        monitors.append(self.watch(a))
        self.cluster.tell()
        self.migrate_again(a, b)
        self.assertEqual(a.info("migration")["migrate_last_resumed"], "1")
        secret = secret_of(a, "source")
        for node in (a, b):
            self.back_up(node)
            node.call("echo", "the-end")
        heard = [self.read_until(monitor, b"the-end") for monitor in monitors]
        for shown in (heard[0], repr(b.call("slowlog", "get", 10000)).encode(), b.log().encode()):
            self.assertIn(name_of(secret).encode(), shown)
        for text in heard + [shown for node in (a, b, c, d) for shown in self.answers(node)]:
            for form in self.forms(secret):
                self.assertNotIn(form, text)
        expected = {state_of(a, "source"): 0o600, state_of(b, "target"): 0o600}
        self.assertEqual(self.files_with(secret), expected)
        for node in (a, b, c, d):
            node.stop()
        self.assertEqual(self.files_with(secret), expected)

    # --- the path -----------------------------------------------------------------------------------------

    def plant(self, node):
        client = node.client()
        client.pipeline([("set", PLANTED_KEY + str(i).encode(), PLANTED) for i in range(100)])
        client.close()

    def assert_readable_without_a_key(self, node):
        """What the listener is for: it hears the same data from the tool, which has no key here."""
        node.stop()
        target = subprocess.Popen(
            [self.HAUL, "recv", "--db", os.path.join(self.cluster.directory, "copy"), "--listen", "127.0.0.1:0", "--once",
             "--transport", "tcp"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        port = int(target.stderr.readline().rsplit(":", 1)[1])
        listener = Listener(0)
        listener.haul_port = port
        try:
            sent = self.send_as(node, listener.haul.getsockname()[1])
            self.assertEqual(sent.returncode, 0, sent.stderr)
        finally:
            target.communicate(timeout=60)
            listener.close()
        self.assertTrue(PLANTED in listener.heard and PLANTED_KEY in listener.heard)

    def test_path__each_mode_of_the_wire__the_stronger_of_two_nodes_counts(self):
        for ours, theirs, agreed in (("none", "none", "none"), ("none", "auth", "auth"), ("auth", "secure", "secure")):
            with self.subTest(source=ours, destination=theirs):
                nodes = a, b = self.open()
                self.plant(a)
                a.call("config", "set", "migrate-rdma-wire", ours)
                b.call("config", "set", "migrate-rdma-wire", theirs)
                listener = self.put_between(nodes, Listener(b.port))
                self.migrate(a, b)
                self.assertEqual(a.info("migration")["migrate_last_wire"], agreed)
                self.assertEqual(b.info("migration")["import_last_wire"], agreed)
                self.assertEqual(b.call("get", PLANTED_KEY + b"7"), PLANTED)
                self.assertEqual(PLANTED in listener.heard, agreed != "secure")
                for form in self.forms(secret_of(a, "source")):
                    self.assertFalse(form in listener.heard, f"it hears {form[:32]}")
                self.tearDown()

    def test_path__somebody_listens__sees_neither_data_nor_the_secret(self):
        nodes = a, b, c = self.open(3)
        self.plant(a)
        listener = self.put_between(nodes, Listener(b.port))
        self.migrate(a, b)
        self.assertEqual(b.call("get", PLANTED_KEY + b"7"), PLANTED)
        self.assertGreater(len(listener.heard), 100 * len(PLANTED))
        for form in (PLANTED, PLANTED_KEY, *self.forms(secret_of(a, "source"))):
            self.assertFalse(form in listener.heard, f"it hears {form[:32]}")
        self.cluster.ports_told = {}
        self.cluster.slots = {c.id: ALL}
        self.cluster.tell()
        self.plant(c)
        self.assert_readable_without_a_key(c)


if __name__ == "__main__":
    run_suite("kvrocks_secret")
