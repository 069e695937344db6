# SPDX-License-Identifier: Apache-2.0
"""answers.py: for tests of what waits under a lock: how soon a node answers, compared with an idle one."""
import time

from kvrocks_node import DEADLINE_S, Error
from slot_load import ProxiedCase

ANSWER_S = 0.2
PROBE_S = 4


class AnswersCase(ProxiedCase):
    def probe(self, node, *arguments):
        """How long the answer takes; an error reply is an answer, too."""
        start = time.monotonic()
        try:
            node.call(*arguments, timeout=30)
        except Error:
            pass
        return time.monotonic() - start

    def assert_answers(self, node, idle, until=None):
        """INFO, CLUSTER INFO, a read and SETNODES, for some seconds or until a condition; "idle" shows what the
        machine itself needs."""
        slowest = {"info": 0.0, "cluster": 0.0, "get": 0.0, "clusterx": 0.0}
        machine = 0.0
        end = time.monotonic() + (DEADLINE_S if until else PROBE_S)
        while not (until and until()):
            if time.monotonic() > end:
                self.assertIsNone(until, "the condition did not come")
                break
            self.cluster.version += 1
            for command in (("info",), ("cluster", "info"), ("get", "own"),
                            ("clusterx", "setnodes", self.cluster.text(node), self.cluster.version)):
                machine = max(machine, self.probe(idle, "info"))
                slowest[command[0]] = max(slowest[command[0]], self.probe(node, *command))
            time.sleep(0.02)
        late = {command: f"{s:.2f}" for command, s in slowest.items() if s > ANSWER_S + machine}
        self.assertEqual(late, {}, f"slower than {ANSWER_S} s (the idle node: {machine:.2f} s)")
