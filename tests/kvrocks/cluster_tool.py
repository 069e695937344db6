#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""cluster_tool.py: `haul cluster check` and `plan` on a real cluster: three masters with a replica each, and a spare one.

    cluster_tool.py HAUL_TOOL [unittest arguments]
"""
import json
import os
import shutil
import socket
import ssl
import subprocess
import threading
import time
import unittest

from cluster_client import slot_of
from kvrocks_node import Cluster
from slot_case import UNPATCHED, BINARY, SlotCase, run_suite

NAMES = "abcdefg"
REPLICA_OF = {"d": "a", "e": "b", "f": "c"}
# Well below what a test may take, and well above what an answer takes here.
TIMEOUT = "2s"


def thirds(nodes):
    return {nodes[0].id: "0-5461", nodes[1].id: "5462-10922", nodes[2].id: "10923-16383"}


class ClusterTool(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster(BINARY, 0, replica_of=REPLICA_OF)
        for name in NAMES:
            cls.cluster.add_node(name)
        cls.nodes = dict(zip(NAMES, cls.cluster.nodes))
        cls.publish(thirds(cls.cluster.nodes))
        for name in REPLICA_OF:
            node = cls.nodes[name]
            node.wait_for(lambda node=node: node.info("replication").get("master_link_status") == "up", "its master")

    @classmethod
    def tearDownClass(cls):
        cls.cluster.close(keep="KVROCKS_KEEP" in os.environ)

    @classmethod
    def publish(cls, slots):
        cls.cluster.slots = slots
        cls.cluster.tell()

    # --- the tool --------------------------------------------------------------------------------------------

    @staticmethod
    def name(node):
        return f"127.0.0.1:{node.port}"

    def tool(self, *arguments, nodes=None, environment=None):
        """Exit code, and stdout with stderr behind it."""
        names = ",".join(self.name(node) for node in nodes or [self.nodes["a"]])
        done = subprocess.run([SlotCase.HAUL, "cluster", arguments[0], "--nodes", names, "--timeout", TIMEOUT,
                               *arguments[1:]], capture_output=True, text=True, timeout=120, check=False,
                              env={**os.environ, **(environment or {})})
        return done.returncode, done.stdout + done.stderr

    def check_blocked(self, node, text, **more):
        """A finding about this node blocks; the last line says so, and so does the exit code."""
        code, output = self.tool("check", **more)
        self.assertEqual(code, 3, output)
        found = [line for line in output.splitlines() if line.startswith(f"blocks {self.name(node)}: ") and text in line]
        self.assertEqual(len(found), 1, output)
        self.assertGreaterEqual(found[0].count(": "), 2, "a finding has a remedy")
        self.assertIn("no migration may start", output)

    def check_free(self, **more):
        code, output = self.tool("check", **more)
        self.assertEqual((code, "a migration may start" in output), (0, True), output)
        return output

    # --- check -----------------------------------------------------------------------------------------------

    def test_check__sound_cluster__every_node_from_any_seed(self):
        for name in ("a", "d", "g"):
            self.assertIn("4 masters and 3 replicas", self.check_free(nodes=[self.nodes[name]]))
        code, output = self.tool("check", "--json")
        document = json.loads(output.splitlines()[-1])
        self.assertEqual((code, document["status"], len(document["nodes"])), (0, "ok", 7))
        self.assertEqual([n["replica"] for n in document["nodes"]].count(True), 3)
        self.assertTrue(all(n["answers"] and n["haul"] for n in document["nodes"]))

    def test_check__two_names_of_one_node__counted_once(self):
        code, output = self.tool("check", "--json", nodes=[self.nodes["a"]] * 2)
        self.assertEqual((code, len(json.loads(output)["nodes"])), (0, 7))
        done = subprocess.run([SlotCase.HAUL, "cluster", "check", "--json", "--nodes",
                               f"localhost:{self.nodes['a'].port},{self.name(self.nodes['b'])}"],
                              capture_output=True, text=True, timeout=120, check=False)
        self.assertEqual((done.returncode, len(json.loads(done.stdout)["nodes"])), (0, 7), done.stdout)

    def test_check__a_node_that_missed_a_version__named(self):
        behind = self.nodes["b"]
        self.cluster.tell([node for node in self.cluster.nodes if node is not behind])
        self.check_blocked(behind, "version")
        self.cluster.repeat(behind)
        self.check_free()

    def test_check__an_owner_that_differs__named(self):
        other = self.nodes["f"]
        self.cluster.tell([node for node in self.cluster.nodes if node is not other])
        kept, a, b, c = self.cluster.slots, *self.cluster.nodes[:3]
        self.cluster.slots = {a.id: "0-5460", b.id: "5461-10922", c.id: kept[c.id]}
        self.cluster.repeat(other)
        self.check_blocked(other, "owner of 1 slot, the first is 5461")
        self.publish(kept)
        self.check_free()

    def test_check__a_node_that_hangs__named_within_the_timeout(self):
        hung = self.nodes["e"]
        hung.pause()
        try:
            began = time.monotonic()
            self.check_blocked(hung, "does not answer")
            self.assertLess(time.monotonic() - began, 30)
        finally:
            hung.resume()
        self.check_free()

    def test_check__a_node_that_is_down_or_unknown__named(self):
        down = self.nodes["g"]
        down.stop()
        self.check_blocked(down, "does not answer")
        down.start()
        self.cluster.repeat(down)
        self.check_free()

    def test_check__nothing_answers__blocked(self):
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen()
            port = listener.getsockname()[1]
            done = subprocess.run([SlotCase.HAUL, "cluster", "check", "--nodes", f"127.0.0.1:{port}", "--timeout", "200ms"],
                                  capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 3, done.stdout)
        self.assertIn("no answer within 200 ms", done.stdout)

    def test_check__jobs__both_ends_named_until_they_are_over(self):
        a, b = self.nodes["a"], self.nodes["b"]
        client = a.client()
        keys = [("set", f"{{{i}}}{j}", "x" * 1000) for i in range(100) for j in range(100)]
        client.pipeline(keys)
        a.call("config", "set", "migrate-rdma-rate-limit-mb", 1)
        self.assertEqual(a.call("clusterx", "migrate", "0-5461", b.id, "async"), b"OK")
        self.check_blocked(a, "gives slots 0-5461")
        b.wait_for(lambda: b.cluster_info().get("import_state") == "start", "the import")
        self.check_blocked(b, "takes slots 0-5461")
        self.assertEqual(a.call("haul", "cancel", "0-5461"), b"OK")
        a.wait_for(lambda: a.cluster_info().get("migrating_state") == "fail", "the end")
        b.wait_for(lambda: b.cluster_info().get("import_state") != "start", "the end of the import")
        a.call("config", "set", "migrate-rdma-rate-limit-mb", 0)
        self.check_free()

    def test_check__handed_over_and_not_published__named(self):
        b, c = self.nodes["b"], self.nodes["c"]
        self.migrate(b, c, "5462-5500")
        self.check_blocked(b, "handed slots 5462-5500 over")
        kept = self.cluster.slots
        self.publish({**kept, b.id: "5501-10922", c.id: kept[c.id] + " 5462-5500"})
        self.check_free()
        self.migrate(c, b, "5462-5500")
        self.publish(kept)
        self.check_free()

    def test_check__a_password__from_file_or_environment_only(self):
        for node in self.cluster.nodes:
            node.call("config", "set", "masterauth", "secret")
            node.call("config", "set", "requirepass", "secret")
            node.password = "secret"
        path = os.path.join(self.cluster.directory, "password")
        try:
            code, output = self.tool("check")
            self.assertEqual((code, "password" in output), (3, True), output)
            with open(path, "w", encoding="ascii") as file:
                file.write("secret\n")
            os.chmod(path, 0o644)
            self.assertEqual(self.tool("check", "--password-file", path)[0], 4)
            os.chmod(path, 0o600)
            self.assertEqual(self.tool("check", "--password-file", path)[0], 0)
            self.check_free(environment={"HAUL_CLUSTER_PASSWORD": "secret"})
            self.assertEqual(self.tool("check", environment={"HAUL_CLUSTER_PASSWORD": "wrong"})[0], 3)
        finally:
            for node in self.cluster.nodes:
                node.call("config", "set", "requirepass", "")
                node.password = ""
                node.call("config", "set", "masterauth", "")

    def test_check__settings__warned_of(self):
        a = self.nodes["a"]
        a.call("config", "set", "migrate-transport", "redis")
        output = self.check_free()
        self.assertIn(f"warns  {self.name(a)}: has migrate-transport redis", output)
        a.call("config", "set", "migrate-transport", "haul")

    @unittest.skipUnless(UNPATCHED, "KVROCKS_UNPATCHED_BIN is not set")
    def test_check__a_master_without_the_patch__named(self):
        cluster = Cluster(UNPATCHED, 1, {"a": {"migrate-transport": None, "migrate-rdma-transport": None}})
        try:
            self.check_blocked(cluster.nodes[0], "does not know haul", nodes=cluster.nodes)
        finally:
            cluster.close()

    def test_check__a_node_outside_any_cluster__named(self):
        cluster = Cluster(BINARY, 0)
        try:
            node = cluster.add_node("a")
            self.check_blocked(node, "knows no topology", nodes=[node])
        finally:
            cluster.close()

    # --- TLS -------------------------------------------------------------------------------------------------

    @unittest.skipUnless(shutil.which("openssl"), "openssl is not installed")
    def test_check__tls__only_with_the_right_authority_and_name(self):
        cluster = Cluster(BINARY, 0)
        node = cluster.add_node("a")
        files = {name: self.certificate(cluster.directory, name, address)
                 for name, address in (("right", "127.0.0.1"), ("wrong", "127.0.0.2"))}
        try:
            for name, wanted in (("right", 0), ("wrong", 3)):
                with TlsProxy(node.port, *files[name]) as proxy:
                    cluster.ports_told = {node: {node: proxy.port}}
                    cluster.slots = {node.id: "0-16383"}
                    cluster.tell()
                    arguments = [SlotCase.HAUL, "cluster", "check", "--nodes", f"127.0.0.1:{proxy.port}", "--timeout", TIMEOUT]
                    run = lambda *more: subprocess.run([*arguments, *more], capture_output=True, text=True, timeout=60, check=False)
                    done = run("--tls", "--tls-ca", files[name][0])
                    self.assertEqual(done.returncode, wanted, done.stdout)
                    self.assertEqual(run("--tls").returncode, 3, "an authority that the system does not know")
                    self.assertEqual(run().returncode, 3, "a node that wants TLS")
                    self.assertEqual(run("--tls-ca", files[name][0]).returncode, 2, "--tls-ca needs --tls")
        finally:
            cluster.close()

    @staticmethod
    def certificate(directory, name, address):
        paths = os.path.join(directory, f"{name}.crt"), os.path.join(directory, f"{name}.key")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=node",
                        "-addext", f"subjectAltName=IP:{address}", "-out", paths[0], "-keyout", paths[1]],
                       check=True, capture_output=True)
        return paths

    # --- plan ------------------------------------------------------------------------------------------------

    def plan(self, *arguments, code=0):
        done, output = self.tool("plan", "--json", *arguments)
        self.assertEqual(done, code, output)
        return json.loads(output.splitlines()[0])

    def migrate(self, source, target, slots):
        self.assertEqual(source.call("clusterx", "migrate", slots, target.id, "async"), b"OK")
        source.wait_for(lambda: source.cluster_info().get("migrating_state") == "success", f"the migration of {slots}")

    def owned(self):
        """{slot: node} by the topology that node a has."""
        owners = {}
        for first, last, master, *_ in self.nodes["a"].call("cluster", "slots"):
            for slot in range(first, last + 1):
                owners[slot] = master[2].decode()
        return owners

    def carry_out(self, plan):
        owners = self.owned()
        by_id = {node.id: node for node in self.cluster.nodes}
        for move in plan["moves"]:
            first, _, last = move["slots"].partition("-")
            self.migrate(by_id[move["from"]], by_id[move["to"]], move["slots"])
            for slot in range(int(first), int(last or first) + 1):
                self.assertEqual(owners[slot], move["from"])
                owners[slot] = move["to"]
            slots = {node.id: [] for node in self.cluster.nodes}
            for slot, owner in owners.items():
                slots[owner].append(str(slot))
            self.publish({node: " ".join(all_slots) for node, all_slots in slots.items()})

    def count(self):
        owners = list(self.owned().values())
        return [owners.count(self.nodes[name].id) for name in "abcg"]

    def test_plan__a_balanced_cluster__no_move(self):
        self.assertEqual(self.plan()["moves"], [])

    def test_plan__add_then_drain__carried_out_as_it_says(self):
        g = self.nodes["g"]
        path = os.path.join(self.cluster.directory, "plan.json")
        added = self.plan("--add", self.name(g), "--rate", "10MB", path)
        self.assertEqual((len(added["moves"]), added["waves"], added["file"]), (3, 3, path))
        with open(path, encoding="utf-8") as file:
            written = json.load(file)
        self.assertEqual((written["version"], written["plan"]["moves"]), (1, added["moves"]))
        self.assertEqual(self.plan("--add", self.name(g), path, code=3)["error"]["code"], "EXISTS")
        self.carry_out(added)
        self.assertEqual(self.count(), [4096, 4096, 4096, 4096])
        self.check_free()
        drained = self.plan("--drain", g.id)
        self.assertEqual(drained["waves"], 3)
        self.carry_out(drained)
        self.assertEqual((self.count()[3], sum(self.count())), (0, 16384))
        self.publish(thirds(self.cluster.nodes))

    def test_plan__ranges__as_named(self):
        a, b = self.nodes["a"], self.nodes["b"]
        plan = self.plan("--from", self.name(a), "--to", b.id, "--slots", "0-99,200", "--max-slots", "60")
        self.assertEqual(sorted(move["slots"] for move in plan["moves"]), ["0-59", "200", "60-99"])
        code, output = self.tool("plan", "--from", self.name(a), "--to", self.name(b), "--slots", "200")
        self.assertEqual((code, "1 move in 1 wave" in output), (0, True), output)

    def test_plan__by_bytes__the_full_node_gives(self):
        a = self.nodes["a"]
        client = a.client()
        client.pipeline([("set", f"{{{i}}}big{j}", os.urandom(2000)) for i in range(300) for j in range(70)])
        a.wait_for(lambda: int(a.info("keyspace")["used_db_size"]) > 1 << 20, "the size of the database")
        moves = self.plan("--by", "bytes")["moves"]
        self.assertTrue(moves and all(move["from"] == a.id for move in moves), moves)

    def test_plan__by_bytes_of_uneven_slots__within_a_twentieth(self):
        """Slots of an equal part would be far off: those of three hundred hold nearly everything."""
        nodes = self.cluster.nodes[:3]
        a, *others = [self.nodes[name] for name in "abc"]
        tags = [tag for tag in (f"{{{i}}}" for i in range(2000)) if slot_of(tag) < 5461][:300]
        client = a.client()
        client.pipeline([("set", f"{tag}{j}", os.urandom(2000)) for i, tag in enumerate(tags)
                         for j in range(10 * (i % 5))])
        client.close()
        for node in nodes:
            self.compact(node)
        before = self.bytes_of(a)
        moves = self.plan("--by", "bytes")["moves"]
        left = before - sum(move["bytes"] for move in moves)
        mean = (before + sum(self.bytes_of(node) for node in others)) / len(nodes)
        self.assertLess(abs(left - mean), 0.05 * mean)
        given = sum(a.call("haul", "sizes", *[move["slots"] for move in moves]))
        self.assertLess(abs(before - given - mean), 0.05 * mean, "by the node's own word")

    @staticmethod
    def compact(node):
        """Drop what migrations of other tests have deleted: a file of nothing else counts for every slot in it."""
        node.call("flushmemtable")
        node.call("compact")
        node.wait_for(lambda: node.info("rocksdb").get("is_compacting") == "no", "the compaction")

    @staticmethod
    def bytes_of(node):
        return node.call("haul", "sizes", "0-16383")[0]

    def test_plan__impossible_goals__refused(self):
        a, d = self.nodes["a"], self.nodes["d"]
        for arguments in (("--drain", "10.0.0.1:1"), ("--add", self.name(d)), ("--weight", self.name(a)), ("--by", "keys"),
                          ("--from", self.name(a)), ("--weight", f"{self.name(a)}=x"),
                          ("--drain", a.id, "--from", a.id, "--to", d.id, "--slots", "1"),
                          ("--from", a.id, "--to", self.nodes["b"].id, "--slots", "16383")):
            self.assertEqual(self.tool("plan", *arguments)[0], 2, arguments)

    def test_plan__a_cluster_that_is_not_sound__refused_with_the_findings(self):
        behind = self.nodes["c"]
        self.cluster.tell([node for node in self.cluster.nodes if node is not behind])
        code, output = self.tool("plan", "--add", self.nodes["g"].id)
        self.assertEqual((code, f"blocks {self.name(behind)}" in output), (3, True), output)
        self.cluster.repeat(behind)


class TlsProxy:
    """Ends TLS in front of a node."""

    def __init__(self, port, certificate, key):
        self.target = port
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate, key)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]

    def __enter__(self):
        threading.Thread(target=self.accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        """One request at a time is enough here."""
        try:
            with self.context.wrap_socket(client, server_side=True) as secure, \
                    socket.create_connection(("127.0.0.1", self.target)) as node:
                threading.Thread(target=self.copy, args=(node, secure), daemon=True).start()
                self.copy(secure, node)
        except OSError:
            client.close()

    @staticmethod
    def copy(source, target):
        try:
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass


if __name__ == "__main__":
    run_suite("kvrocks_cluster_tool")
