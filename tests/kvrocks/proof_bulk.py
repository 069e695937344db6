# SPDX-License-Identifier: Apache-2.0
"""proof_bulk.py: one large move over a long line, and the share of the line that it has."""
import os
import threading
import time

from cluster_client import slot_of
from far_line import LINE_BYTES_PER_S

SLOT_COUNT, KEYS, KEY_BYTES = 400, 30000, 10000
# What the line carries without its headers, as docs/PERFORMANCE.md names it.
RATE = "114M"
SAMPLE_S = 0.5


def fill(source, slots):
    """Bytes that nobody can compress."""
    client, written, number = source.client(), 0, 0
    batch = []
    while written < KEYS:
        key = f"bulk:{number}"
        number += 1
        if slot_of(key) in slots:
            batch.append(("set", key, os.urandom(KEY_BYTES)))
            written += 1
        if len(batch) == 500 or written == KEYS:
            assert set(client.pipeline(batch)) <= {b"OK"}
            batch = []
    client.call("compact")
    source.wait_for(lambda: source.info("rocksdb").get("is_compacting") == "no", "the compaction")
    client.close()


class Meter(threading.Thread):
    """How many bytes come over the line in each half second."""

    def __init__(self, line):
        super().__init__(daemon=True)
        self.line, self.ended, self.rates = line, threading.Event(), []

    def run(self):
        before, at = self.line.arrived(), time.monotonic()
        while not self.ended.wait(SAMPLE_S):
            now, arrived = time.monotonic(), self.line.arrived()
            self.rates.append((arrived - before) / (now - at))
            before, at = arrived, now


def measure(cluster, operator, line):
    """The load goes on meanwhile, and has its part of the line, too."""
    source = next(node for node in cluster.masters() if node.namespace is None)
    shard = cluster.shard_of(source)
    slots = sorted(shard.slots)[:SLOT_COUNT]
    fill(source, set(slots))
    cluster.wait_in_step(shard)
    time.sleep(1)
    operator.options = ["--rate", RATE]
    operator.make_plan("--from", source.id, "--to", cluster.spare.id, "--slots", f"{slots[0]}-{slots[-1]}")
    meter, before, began = Meter(line), line.arrived(), time.monotonic()
    meter.start()
    operator.finish()
    carried, seconds = line.arrived() - before, time.monotonic() - began
    meter.ended.set()
    meter.join()
    info = source.info("migration")
    job_bytes, job_s = int(info["migrate_last_bytes"]), float(info["migrate_last_seconds"])
    share, best = job_bytes / job_s / LINE_BYTES_PER_S, max(meter.rates) / LINE_BYTES_PER_S
    print(f"the line: {job_bytes / 1e6:.0f} MB in {job_s:.2f} s, {share:.2f} of its rate by keys and values; best half "
          f"second {best:.2f} of it, with headers and the load; the run {seconds:.1f} s, {carried / 1e6:.0f} MB",
          flush=True)
