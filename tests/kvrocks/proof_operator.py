# SPDX-License-Identifier: Apache-2.0
"""proof_operator.py: an operator who runs a plan, and does what the tool says when it stops: run or plan again."""
import collections
import json
import os
import re
import signal
import subprocess
import threading
import time

from kvrocks_node import DEADLINE_S

# What `haul cluster run` may end with here (docs/COMMANDS.md, "Carry a plan out"), and what to do then.
DONE, MISFIT, TEMPORARY, FOREIGN = 0, 3, 5, 7
TIMEOUT = "2s"
# As good as no limit.
FAST = "1000M"


class ToolRun:
    """One process of `haul cluster run`, and the events that it prints."""

    def __init__(self, tool, log, *arguments):
        self.log = log
        self.process = subprocess.Popen([tool, "cluster", "run", "--json", "--timeout", TIMEOUT, *arguments],
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.lines, self.other = [], []
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            self.log.write(f"{time.monotonic():.3f} {self.process.pid} {line}")
            if line.startswith("{"):
                self.lines.append({**json.loads(line), "at": time.monotonic()})
            else:
                self.other.append(line)
        self.process.stdout.close()

    def is_over(self):
        return self.process.poll() is not None

    def end(self):
        """Exit code, and the document at the end."""
        code = self.process.wait(DEADLINE_S)
        self.reader.join()
        return code, self.lines[-1] if self.lines else {}

    def begun(self):
        """The move that it has begun, or found running: (move, when)."""
        for line in reversed(self.lines):
            if line.get("event") in ("begun", "runs already"):
                return line["move"], line["at"]
            if line.get("event") == "published":
                return None
        return None

    def published(self, move):
        return any(line.get("event") in ("published", "done before") and line["move"] == move for line in self.lines)

    def freeze(self):
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self):
        self.process.send_signal(signal.SIGCONT)

    def kill(self):
        self.process.kill()
        self.process.wait()


class Operator:
    def __init__(self, tool, proof):
        self.tool, self.proof = tool, proof
        self.run, self.plan, self.plans, self.options = None, None, 0, []
        self.log = open(os.path.join(proof.cluster.directory, "operator.log"), "w", encoding="utf-8", buffering=1)
        self.kills, self.codes, self.refusals = 0, collections.Counter(), collections.Counter()
        # What the next end of a run must be.
        self.expected = None

    def call(self, command, *arguments):
        done = subprocess.run([self.tool, "cluster", command, "--json", *arguments], capture_output=True, text=True,
                              timeout=DEADLINE_S, check=False)
        lines = done.stdout.splitlines()
        return done.returncode, json.loads(lines[-1]) if lines else done.stderr

    def name(self, node):
        return f"{node.address}:{node.port}"

    # --- plans -----------------------------------------------------------------------------------------------

    def make_plan(self, *goal):
        """A refused plan says what to wait for. False: there is nothing to move."""
        deadline = time.monotonic() + DEADLINE_S
        seeds = ",".join(self.name(node) for node in self.proof.nodes)
        self.goal, self.plans = goal or self.goal, self.plans + 1
        self.plan = os.path.join(self.proof.cluster.directory, f"plan{self.plans}.json")
        while True:
            code, document = self.call("plan", "--timeout", TIMEOUT, "--nodes", seeds, *self.goal, self.plan)
            if code == DONE:
                return len(document["moves"]) > 0
            if code not in (MISFIT, TEMPORARY) or time.monotonic() > deadline:
                raise AssertionError(f"no plan: {code} {document} {self.call('check', '--nodes', seeds)[1]}")
            self.mend(self.call("check", "--nodes", seeds)[1].get("findings", []))
            time.sleep(0.5)

    def mend(self, findings):
        """What blocks mostly passes; only a copy that nobody continues does not, and its finding names the command."""
        for finding in findings:
            if finding["level"] != "blocks":
                continue
            self.refusals[re.sub(r"\d[\d.:-]*", "N", finding["text"])] += 1
            command = re.search(r"drop it: (CLUSTER IMPORT \S+ 2) on this node", finding["remedy"])
            if command:
                node = next(node for node in self.proof.nodes if self.name(node) == finding["node"])
                assert node.call(*command[1].split()) == b"OK", command[1]

    def states(self):
        code, document = self.call("status", self.plan)
        assert code == DONE, document
        return [move["state"] for move in document["moves"]]

    # --- runs ------------------------------------------------------------------------------------------------

    def start(self):
        controller = ["--controller", self.proof.http.url] if self.proof.controlled else []
        self.run = ToolRun(self.tool, self.log, *self.options, *controller, self.plan)

    def kill(self):
        if self.run is not None:
            self.run.kill()
            self.kills += 1
        # Perhaps it had noticed what the next one takes as it is.
        self.run, self.expected = None, None

    def keep_running(self):
        """False: the plan is done."""
        if self.run is None:
            self.start()
        if not self.run.is_over():
            return True
        code, document = self.run.end()
        return self.obey(code, document)

    def obey(self, code, document):
        error = document.get("error") or {}
        self.codes[(code, error.get("code"))] += 1
        if self.expected is not None and code not in self.expected:
            raise AssertionError(f"exit code {code} instead of {self.expected}: {document} {self.run.other}")
        self.expected, last, self.run = None, self.run, None
        if code == DONE:
            return False
        if code not in (MISFIT, TEMPORARY, FOREIGN) or not error.get("hint") or error["code"] == "BUSY":
            raise AssertionError(f"exit code {code}: {document} {last.other}")
        if code == MISFIT:
            assert "haul cluster plan" in error["hint"], error
            return self.make_plan()
        return True

    def go_back(self):
        """The plan is done before everything has happened: undo it, and plan it again."""
        goal, options = self.goal, self.options
        self.options = ["--rate", FAST]
        if self.make_plan("--drain", self.proof.spare.id):
            self.finish()
        self.options = options
        self.make_plan(*goal)

    def finish(self, limit_s=DEADLINE_S):
        deadline = time.monotonic() + limit_s
        while self.keep_running():
            if time.monotonic() > deadline:
                raise AssertionError(f"the plan does not end: {self.run and self.run.lines[-3:]}")
            time.sleep(0.02)
