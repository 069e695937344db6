#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""cluster_run.py: `haul cluster run`, `status`, `pause`, `resume`, `abort` and `rate` on a real cluster: masters with a
replica each, and an empty one that a plan fills.

    cluster_run.py HAUL_TOOL [unittest arguments]
"""
import json
import os
import pty
import random
import shutil
import subprocess
import time
import unittest

from controller import Controller, Shard
from controller_http import ControllerHttp
from kvrocks_node import DEADLINE_S, Cluster
from slot_case import BINARY, SlotCase, Writer, run_suite

KEYS = 3000
# Bytes that nobody can compress: a move takes seconds at the smallest limit.
VALUE_BYTES = 8000
SLOW_MB = 1


class ClusterRun(unittest.TestCase):
    def setUp(self):
        self.running, self.controller, self.http = [], None, None

    def tearDown(self):
        if self.controller is not None:
            self.controller.stop()
            self.http.close()
        for process in self.running:
            if process.poll() is None:
                process.kill()
            process.wait()
            process.stdout.close()
        self.cluster.close(keep="KVROCKS_KEEP" in os.environ)

    # --- the cluster -----------------------------------------------------------------------------------------

    def make(self, masters="abc", replica_of=None, spare="g"):
        """Masters with equal parts, their replicas, and a master without slots; a plan that gives it its part."""
        self.cluster = Cluster(BINARY, 0, replica_of=replica_of or {})
        for name in masters + "".join(replica_of or {}) + spare:
            self.cluster.add_node(name)
        self.nodes = {node.name: node for node in self.cluster.nodes}
        bounds = [16384 * i // len(masters) for i in range(len(masters) + 1)]
        self.cluster.slots = {self.nodes[name].id: f"{bounds[i]}-{bounds[i + 1] - 1}" for i, name in enumerate(masters)}
        self.cluster.tell()
        for name in replica_of or {}:
            node = self.nodes[name]
            node.wait_for(lambda node=node: node.info("replication").get("master_link_status") == "up", "its master")
        self.masters = masters
        self.plan = os.path.join(self.cluster.directory, "plan.json")
        code, output = self.tool("plan", "--nodes", self.name("a"), "--add", self.nodes[spare].id, self.plan)
        self.assertEqual(code, 0, output)
        with open(self.plan, encoding="utf-8") as file:
            self.moves = json.load(file)["plan"]["moves"]
        self.assertEqual(len(self.moves), len(masters))

    def name(self, node):
        return f"127.0.0.1:{self.nodes[node].port}"

    def fill(self):
        """Keys in every part of the slots, each written where its slot is."""
        clients = {node: node.client() for node in self.cluster.nodes}
        owners = self.owners()
        self.values = {f"key:{i}": os.urandom(VALUE_BYTES) for i in range(KEYS)}
        batches = {node: [] for node in self.cluster.nodes}
        for key, value in self.values.items():
            slot = clients[self.nodes["a"]].call("cluster", "keyslot", key)
            batches[self.by_id(owners[slot])].append(("set", key, value))
        for node, commands in batches.items():
            self.assertEqual({reply for reply in clients[node].pipeline(commands)} - {b"OK"}, set())

    def by_id(self, node_id):
        return next(node for node in self.cluster.nodes if node.id == node_id)

    def owners(self, node=None):
        """{slot: id} as the node knows it."""
        owners = {}
        for first, last, master, *_ in (node or self.nodes["a"]).call("cluster", "slots"):
            owners.update(dict.fromkeys(range(first, last + 1), master[2].decode()))
        return owners

    def version(self, node):
        return int(node.call("clusterx", "version"))

    def slow(self, megabytes=SLOW_MB):
        for name in self.masters:
            self.nodes[name].call("config", "set", "migrate-rdma-rate-limit-mb", megabytes)

    # --- the tool --------------------------------------------------------------------------------------------

    @staticmethod
    def tool(command, *arguments):
        done = subprocess.run([SlotCase.HAUL, "cluster", command, *arguments], capture_output=True, text=True,
                              timeout=DEADLINE_S, check=False)
        return done.returncode, done.stdout + done.stderr

    def start(self, *arguments, probe=False):
        process = subprocess.Popen([SlotCase.HAUL, "cluster", "run", "--json", "--timeout", "2s", *arguments,
                                    *([] if probe else ["--no-probe"]), self.plan], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.running.append(process)
        return process

    @staticmethod
    def wait_event(process, event):
        """The lines up to this event; the process must not end before."""
        seen = []
        for line in process.stdout:
            seen.append(line)
            if line.startswith("{") and json.loads(line).get("event") == event:
                return seen
        raise AssertionError(f"no event '{event}': {seen}")

    def wait_copying(self, process):
        """A move has begun, and its source copies. Returns the source."""
        move = json.loads(self.wait_event(process, "begun")[-1])["move"]
        source = self.by_id(move["from"])
        source.wait_for(lambda: source.cluster_info().get("migrate_phase") == "copying", "the copy")
        return source

    @staticmethod
    def finish(process):
        """Exit code, events, and the document at the end."""
        lines = [json.loads(line) for line in process.stdout if line.startswith("{")]
        return process.wait(DEADLINE_S), [line.get("event") for line in lines[:-1]], lines[-1]

    def run_to_end(self, *arguments):
        code, events, document = self.finish(self.start(*arguments))
        self.assertEqual((code, document["status"]), (0, "ok"), document)
        return events

    def status(self, expected=0):
        code, output = self.tool("status", "--json", self.plan)
        self.assertEqual(code, expected, output)
        return json.loads(output.splitlines()[-1])

    def states(self):
        return sorted(move["state"] for move in self.status()["moves"])

    # --- the end ---------------------------------------------------------------------------------------------

    def check_done(self, bumps=0):
        """Every node has one version and the plan's owners; every key is where its slot is, and on its replica."""
        expected = 1 + len(self.moves) + bumps
        self.assertEqual({node.name: self.version(node) for node in self.cluster.nodes},
                         {node.name: expected for node in self.cluster.nodes})
        owners = self.owners()
        for move in self.moves:
            first, _, last = move["slots"].partition("-")
            self.assertEqual({owners[slot] for slot in range(int(first), int(last or first) + 1)}, {move["to"]})
        for node in self.cluster.nodes:
            self.assertEqual(self.owners(node), owners, node.name)
        self.check_keys(owners)
        code, output = self.tool("check", "--nodes", self.name("a"))
        self.assertEqual(code, 0, output)

    def check_keys(self, owners):
        clients = {node.id: node.client() for node in self.cluster.nodes}
        slots = [clients[self.nodes["a"].id].call("cluster", "keyslot", key) for key in self.values]
        for (key, value), slot in zip(self.values.items(), slots):
            self.assertEqual(clients[owners[slot]].call("get", key), value, key)

    # --- tests -----------------------------------------------------------------------------------------------

    def test_run__a_spare_master__filled_under_writes(self):
        self.make(replica_of={"d": "a", "e": "b", "f": "c"})
        self.fill()
        writer = Writer([self.nodes["a"]], keys=50, rate=200)
        writer.start()
        events = self.run_to_end()
        writer.stop()
        self.assertEqual(writer.errors, [])
        self.assertGreater(writer.acknowledged, 0)
        self.assertEqual([events.count(event) for event in ("begun", "handed over", "published")], [3, 3, 3], events)
        self.check_done()
        self.assertEqual(self.states(), ["done"] * 3)
        self.assertEqual(self.run_to_end(), ["done before"] * 3)

    def events(self, process):
        output = process.communicate(timeout=DEADLINE_S)[0]
        self.assertEqual(process.returncode, 0, output)
        return [json.loads(line) for line in output.splitlines() if '"event"' in line]

    def test_run__before_the_first_move__each_line_is_measured_once(self):
        self.make()
        events = self.events(self.start("--rate", "20M", probe=True))
        names = [event["event"] for event in events]
        lines = [event for event in events if event["event"] == "line"]
        self.assertEqual(names[:4], ["line"] * 3 + ["estimate"])
        self.assertNotIn("line", names[4:])
        self.assertEqual({line["subject"] for line in lines},
                         {f"{self.name(node)} -> {self.name('g')}" for node in "abc"})
        for line in lines:
            self.assertRegex(line["detail"], r"^round trip \d+\.\d ms, (1\d|2[0-6])\.\d MB a second$")

    def test_run__killed_at_each_event__goes_on(self):
        self.make(replica_of={"d": "a"})
        self.fill()
        self.slow()
        for event in ("begun", "runs already", "published", "begun", "published", "begun", "handed over"):
            process = self.start()
            self.wait_event(process, event)
            process.kill()
            process.wait()
        self.slow(0)
        self.run_to_end()
        self.check_done()

    def test_run__killed_at_random_moments__goes_on(self):
        """Between any two commands, also between those that publish: the moments are in the output."""
        seed = int.from_bytes(os.urandom(4), "big")
        moments, kills = random.Random(seed), 0
        self.make(replica_of={"d": "a"})
        self.fill()
        self.slow(2)
        while True:
            process = self.start("--parallel", "1")
            events = ("begun", "handed over", "published", "progress")
            for line in process.stdout if kills % 2 else ():
                if json.loads(line).get("event") in events:
                    break
            try:
                wait_s = moments.uniform(0, 0.02 if kills % 2 else 0.4)
                self.assertEqual(process.wait(wait_s), 0, f"seed {seed}: {process.stdout.read()}")
                break
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                kills += 1
                self.assertLess(kills, 300, f"seed {seed}")
        print(f"    seed {seed}: {kills} kills")
        self.check_done()

    def test_run__a_foreign_version__stops_and_can_be_repeated(self):
        self.make(masters="ab")
        self.fill()
        self.slow()
        process = self.start()
        self.wait_copying(process)
        self.cluster.version = self.version(self.nodes["a"])
        self.cluster.tell()
        self.slow(0)
        code, events, document = self.finish(process)
        self.assertEqual((code, document["error"]["code"]), (7, "FENCED"), document)
        self.assertIn("kvrocks-controller", document["error"]["hint"])
        self.assertNotIn("published", events)
        self.assertNotIn("begun", events)
        self.run_to_end()
        self.check_done(bumps=1)

    def test_run__a_failover__stops_and_asks_for_a_new_plan(self):
        self.make(masters="ab", replica_of={"d": "a", "e": "b"})
        self.fill()
        self.slow()
        process = self.start("--parallel", "1")
        lines = self.wait_event(process, "begun")
        first = json.loads(lines[-1])["move"]["from"]
        lost = next(node for node in (self.nodes["a"], self.nodes["b"]) if node.id != first)
        heir = self.nodes["d" if lost.name == "a" else "e"]
        self.cluster.version = max(self.version(node) for node in self.cluster.nodes)
        self.cluster.replica_of = {"a": "d", "e": "b"} if lost.name == "a" else {"d": "a", "b": "e"}
        self.cluster.slots[heir.id] = self.cluster.slots.pop(lost.id)
        self.cluster.tell()
        self.slow_one(first, 0)
        code, _, document = self.finish(process)
        self.assertEqual((code, document["error"]["code"]), (7, "FENCED"), document)
        code, _, document = self.finish(self.start())
        self.assertEqual((code, document["error"]["code"]), (3, "MISMATCH"), document)
        self.assertIn("haul cluster plan", document["error"]["hint"])
        # What was handed over is published before the run ends; the rest is as the failover left it.
        owners = self.owners()
        self.assertEqual({self.version(node) for node in self.cluster.nodes}, {self.version(heir)})
        self.check_keys(owners)

    def slow_one(self, node_id, megabytes):
        self.by_id(node_id).call("config", "set", "migrate-rdma-rate-limit-mb", megabytes)

    def test_run__a_node_falls_out__stops_and_names_it(self):
        self.make(masters="ab", replica_of={"d": "a"})
        self.fill()
        self.slow()
        process = self.start("--parallel", "1")
        self.wait_event(process, "begun")
        self.nodes["d"].kill()
        self.assertEqual(self.status(5)["silent"], [self.name("d")])
        self.wait_event(process, "waiting for a node that does not answer")
        self.slow(0)
        code, events, document = self.finish(process)
        self.assertEqual((code, document["error"]["code"]), (5, "UNREACHABLE"), document)
        self.assertIn(self.name("d"), document["error"]["message"])
        self.assertEqual((events.count("published"), events.count("begun")), (1, 0), events)
        self.nodes["d"].start()
        self.run_to_end()
        self.check_done()

    def forbid_storing(self, node):
        """As with a full disk: the node cannot replace nodes.conf."""
        file = os.path.join(node.directory, "nodes.conf")
        os.rename(file, file + ".old")
        os.makedirs(os.path.join(file, "full"))

    def allow_storing(self, node):
        file = os.path.join(node.directory, "nodes.conf")
        shutil.rmtree(file)
        os.rename(file + ".old", file)

    def test_run__a_node_cannot_store_the_topology__stops_and_nothing_is_lost(self):
        """Kvrocks has the topology nevertheless, until it starts again."""
        for stubborn in "agb":
            with self.subTest(stubborn):
                self.make(masters="ab")
                self.fill()
                node = self.nodes[stubborn]
                self.forbid_storing(node)
                code, _, document = self.finish(self.start("--parallel", "1"))
                self.assertEqual((code, document["error"]["code"]), (5, "REFUSED"), document)
                self.assertIn(self.name(stubborn), document["error"]["message"])
                self.assertIn("did not store", document["error"]["message"])
                self.allow_storing(node)
                node.kill()
                node.start()
                code, _, document = self.finish(self.start())
                self.assertEqual(code, 0, document)
                self.check_done()
                self.cluster.close()

    def test_abort__a_source_hangs__no_word_of_success(self):
        self.make(masters="ab")
        self.fill()
        self.slow()
        process = self.start("--parallel", "1")
        self.wait_copying(process)
        source = next(self.nodes[name] for name in "ab" if self.nodes[name].cluster_info().get("migrating_state"))
        source.pause()
        code, output = self.tool("abort", "--json", self.plan)
        self.assertEqual(code, 0, output)
        code, _, document = self.finish(process)
        self.assertEqual((code, document["error"]["code"]), (5, "UNREACHABLE"), document)
        source.resume()
        code, output = self.tool("abort", "--json", self.plan)
        self.assertEqual((code, output.count('"exit_code":0')), (0, 1), output)
        self.slow(0)
        self.assertIn(source.cluster_info()["migrating_state"], ("fail", "success"))
        self.assertNotIn("running", self.states())
        self.assertNotIn("handed over", self.states())

    def test_run__the_source_is_killed__continues_when_it_is_back(self):
        self.make(masters="ab")
        self.fill()
        self.slow()
        process = self.start("--parallel", "1")
        source = self.wait_copying(process)
        source.kill()
        source.start()
        events = self.finish(process)[1]
        self.assertIn("failed", events)
        self.check_done()

    def test_run__the_destination_is_killed__continues_when_it_is_back(self):
        self.make(masters="ab")
        self.fill()
        self.slow()
        process = self.start("--parallel", "1")
        self.wait_copying(process)
        self.nodes["g"].kill()
        self.wait_event(process, "waiting for a node that does not answer")
        self.nodes["g"].start()
        self.slow(0)
        code, _, document = self.finish(process)
        self.assertEqual((code, document["status"]), (0, "ok"), document)
        self.check_done()

    def test_pause__no_move_begins__until_resume(self):
        self.make(masters="ab")
        self.fill()
        self.slow()
        process = self.start("--parallel", "1")
        self.wait_event(process, "begun")
        code, output = self.tool("pause", self.plan)
        self.assertEqual((code, "follows" in output), (0, True), output)
        self.wait_event(process, "paused")
        self.slow(0)
        self.wait_event(process, "published")
        status = self.status()
        self.assertEqual((status["order"], status["running"]), ("pause", True))
        self.assertEqual(self.states(), ["done", "waiting"])
        self.assertEqual(self.tool("run", self.plan)[0], 5, "a second process for the plan")
        self.assertEqual(self.tool("resume", self.plan)[0], 0)
        code, events, _ = self.finish(process)
        self.assertEqual((code, events[:2]), (0, ["resumed", "begun"]), events)
        self.check_done()

    def test_abort__what_runs_is_cancelled__and_resume_takes_it_back(self):
        self.make(masters="ab")
        self.fill()
        self.slow()
        process = self.start("--parallel", "1")
        self.wait_copying(process)
        self.assertEqual(self.tool("abort", self.plan)[0], 0)
        code, events, document = self.finish(process)
        self.assertEqual((code, document["error"]["code"]), (9, "CANCELLED"), document)
        self.assertIn("cancelled", events)
        self.assertEqual(self.states(), ["waiting", "waiting"])
        self.assertEqual(self.finish(self.start())[0], 9)
        code, output = self.tool("check", "--nodes", self.name("a"))
        self.assertEqual(code, 0, output)
        self.slow(0)
        self.assertEqual(self.tool("resume", self.plan)[0], 0)
        self.run_to_end()
        self.check_done()

    def test_abort__nobody_runs_the_plan__cancels_by_itself(self):
        self.make(masters="ab")
        self.fill()
        self.slow()
        process = self.start("--parallel", "1")
        self.wait_copying(process)
        process.kill()
        process.wait()
        self.assertEqual(self.states(), ["running", "waiting"])
        code, output = self.tool("abort", self.plan)
        self.assertEqual(code, 0, output)
        self.assertEqual(self.states(), ["waiting", "waiting"])
        self.check_keys(self.owners())

    def test_rate__changed_while_it_runs__the_source_has_it(self):
        self.make(masters="ab")
        self.fill()
        process = self.start("--parallel", "1", "--rate", "1M")
        source = self.wait_copying(process)
        limit = lambda: source.call("config", "get", "migrate-rdma-rate-limit-mb")[1]
        self.assertEqual(limit(), b"1")
        self.assertEqual(self.tool("rate", "--rate", "300M", "--rate-total", "200M", self.plan)[0], 0)
        source.wait_for(lambda: limit() == b"200", "the new limit")
        self.assertEqual(self.finish(process)[0], 0)
        self.check_done()

    def test_run__the_same_slots_there_back_and_there_again__moved_each_time(self):
        """The success of the first time, which the source may still show, is not taken for that of the third."""
        self.make(masters="a")
        self.fill()
        a, g = self.nodes["a"], self.nodes["g"]
        for number, (source, target) in enumerate(((a, g), (g, a), (a, g))):
            client = source.client()
            for key in [key for key in self.values if client.call("cluster", "keyslot", key) < 8000]:
                self.values[key] = f"{key} of round {number}".encode()
                self.assertEqual(client.call("set", key, self.values[key]), b"OK")
            self.plan = os.path.join(self.cluster.directory, f"plan{number}.json")
            code, output = self.tool("plan", "--nodes", self.name("a"), "--from", source.id, "--to", target.id,
                                     "--slots", "0-7999", self.plan)
            self.assertEqual(code, 0, output)
            self.assertEqual(self.run_to_end().count("begun"), 1)
            owners = self.owners()
            self.assertEqual(owners[7999], target.id)
            self.check_keys(owners)

    def test_run__on_a_terminal__a_bar_a_job_and_one_for_the_whole(self):
        self.make(masters="ab")
        self.fill()
        self.slow()
        terminal, its_end = pty.openpty()
        process = subprocess.Popen([SlotCase.HAUL, "cluster", "run", self.plan], stdout=subprocess.PIPE, stderr=its_end,
                                   text=True, env={**os.environ, "TERM": "xterm"})
        self.running.append(process)
        os.close(its_end)
        shown = b""
        while True:
            try:
                shown += os.read(terminal, 65536)
            except OSError:  # the other end is closed
                break
        os.close(terminal)
        self.assertEqual(process.wait(DEADLINE_S), 0)
        text = shown.decode()
        for move in self.moves:
            self.assertRegex(text, rf"{move['slots']} +\[#*\.+\] +\d+ %  copying")
        self.assertRegex(text, r"all +\[#*\.+\] +\d+ %  1 of 2 moves")
        self.assertEqual(process.stdout.read().count("published"), 2)
        self.check_done()

    def test_run__a_password__from_a_file_or_the_environment(self):
        self.make(masters="ab")
        self.fill()
        for node in self.cluster.nodes:
            node.call("config", "set", "masterauth", "secret")
            node.call("config", "set", "requirepass", "secret")
            node.password = "secret"
        self.assertEqual(self.tool("run", self.plan)[0], 4, "they want a password")
        path = os.path.join(self.cluster.directory, "password")
        with open(path, "w", encoding="ascii", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            file.write("secret\n")
        self.run_to_end("--password-file", path)
        os.environ["HAUL_CLUSTER_PASSWORD"] = "secret"
        try:
            self.check_done()
            self.assertEqual(self.run_to_end(), ["done before"] * 2)
        finally:
            del os.environ["HAUL_CLUSTER_PASSWORD"]

    # --- with a controller -----------------------------------------------------------------------------------

    def control(self):
        """The double of kvrocks-controller takes the cluster over, at the version that its nodes have."""
        shards = []
        for name in self.masters + "g":
            replicas = [self.nodes[replica] for replica, master in self.cluster.replica_of.items() if master == name]
            slots = [slot for slot, owner in self.owners().items() if owner == self.nodes[name].id]
            shards.append(Shard([self.nodes[name], *replicas], slots))
        self.controller = Controller(shards)
        self.controller.version = self.version(self.nodes["a"])
        self.http = ControllerHttp(self.controller)
        self.controller.start()

    def check_controlled(self):
        """Nobody but the controller has made a version: two a move."""
        for node in self.cluster.nodes:
            node.wait_for(lambda node=node: self.version(node) == self.controller.version, "the last version")
        self.check_done(bumps=len(self.controller.migrations))
        self.assertEqual(len(self.http.requests), len(self.controller.migrations))

    def test_controller__begins_and_publishes(self):
        self.make(masters="ab", replica_of={"d": "a"})
        self.fill()
        self.control()
        events = self.run_to_end("--controller", self.http.follower_url)
        self.assertEqual([events.count(event) for event in ("begun", "published")], [2, 2], events)
        self.check_controlled()
        self.assertEqual(self.controller.results(), {"success": 2, "fail": 0, "unknown": 0})

    def test_controller__killed_tool__goes_on_without_naming_it_again(self):
        self.make(masters="ab")
        self.fill()
        self.slow()
        self.control()
        process = self.start("--controller", self.http.url)
        self.wait_copying(process)
        process.kill()
        process.wait()
        self.slow(0)
        self.run_to_end()
        self.check_controlled()

    def test_controller__abort__cancels_and_publishes_nothing(self):
        self.make(masters="ab")
        self.fill()
        self.slow()
        self.control()
        process = self.start("--controller", self.http.url)
        self.wait_copying(process)
        process.kill()
        process.wait()
        code, output = self.tool("abort", self.plan)
        self.assertEqual(code, 0, output)
        self.nodes["a"].wait_for(lambda: self.controller.results()["fail"] == 1, "the controller to notice")
        self.assertEqual(self.states(), ["waiting", "waiting"])

    def test_controller__away__stops_and_can_be_repeated(self):
        self.make(masters="ab")
        self.fill()
        self.slow()
        self.control()
        process = self.start("--controller", self.http.url)
        self.wait_copying(process)
        self.http.down = True
        code, _, document = self.finish(process)
        self.assertEqual((code, document["error"]["code"]), (5, "UNREACHABLE"), document)
        self.assertIn("controller", document["error"]["message"])
        self.http.down = False
        self.slow(0)
        self.run_to_end()
        self.check_controlled()

    def test_controller__not_told_of__noticed(self):
        """It raises the version for reasons of its own."""
        self.make(masters="ab")
        self.fill()
        self.slow()
        self.control()
        process = self.start()
        self.wait_copying(process)
        self.controller.update("somebody asked for it")
        self.slow(0)
        code, events, document = self.finish(process)
        self.assertEqual((code, document["error"]["code"]), (7, "FENCED"), document)
        self.assertIn("--controller", document["error"]["hint"])
        self.assertNotIn("published", events)

    def test_controller__another_url__refused(self):
        self.make(masters="ab")
        self.control()
        for url, code in (("ftp://x/clusters/c", 2), (self.http.url + "x", 3), ("http://127.0.0.1:1/clusters/c", 5)):
            self.assertEqual(self.tool("run", "--controller", url, self.plan)[0], code, url)
        self.assertEqual(self.http.requests, [])
        self.assertEqual({self.version(node) for node in self.cluster.nodes}, {1})

    # --- hours, and nothing at all ---------------------------------------------------------------------------

    def test_run__outside_its_window__no_move_begins(self):
        self.make(masters="ab")
        self.fill()
        hour = time.localtime().tm_hour
        process = self.start("--window", f"{(hour + 2) % 24:02}:00-{(hour + 3) % 24:02}:00")
        self.wait_event(process, "outside the window")
        self.assertEqual(self.states(), ["waiting", "waiting"])
        process.terminate()
        code, _, document = self.finish(process)
        self.assertEqual((code, document["error"]["code"]), (143, "STOPPED"), document)
        self.run_to_end("--window", f"{hour:02}:00-{(hour + 2) % 24:02}:00")
        self.check_done()

    def test_run__dry__prints_commands_and_sends_none(self):
        self.make(masters="ab", replica_of={"d": "a"})
        self.fill()
        code, output = self.tool("run", "--dry-run", self.plan)
        lines = output.splitlines()
        self.assertEqual((code, len(lines)), (0, 2 * 5), output)
        move = self.moves[0]
        to = self.by_id(move["to"])
        source = self.by_id(move["from"]).name
        self.assertEqual(lines[0], f"{self.name(source)}: CLUSTERX MIGRATE {move['slots']} {to.id} ASYNC")
        self.assertEqual(lines[1], f"{self.name('g')}: CLUSTERX SETSLOT {move['slots']} NODE {to.id} 2")
        self.assertEqual(sum("SETNODES <topology> 2" in line for line in lines), 3, output)
        self.assertEqual({self.version(node) for node in self.cluster.nodes}, {1})
        self.assertEqual(self.states(), ["waiting", "waiting"])


if __name__ == "__main__":
    run_suite("kvrocks_cluster_run")
