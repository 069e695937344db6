# SPDX-License-Identifier: Apache-2.0
"""slot_owners.py: who serves which slot: by the topologies of nodes, and by what they do."""
import collections

from cluster_client import slot_of
from kvrocks_node import Error

SLOTS = 16384


def owners_of(node):
    """{slot: id of its master} as the node knows it."""
    owners = {}
    for first, last, master, *_ in node.call("cluster", "slots"):
        owners.update(dict.fromkeys(range(first, last + 1), master[2].decode()))
    return owners


def version_of(node, **limits):
    return int(node.call("clusterx", "version", **limits))


def tags():
    """A hash tag for each slot."""
    found, number = {}, 0
    while len(found) < SLOTS:
        found.setdefault(slot_of(str(number)), str(number))
        number += 1
    return [found[slot] for slot in range(SLOTS)]


def wrong_owners(masters, owners):
    """Exactly one master takes a write to each slot, and it is the one of `owners`, {slot: id}. Problems, in words."""
    commands = [("incr", f"{{{tag}}}owner") for tag in tags()]
    takers = collections.defaultdict(list)
    for master in masters:
        client = master.client()
        for slot, reply in enumerate(client.pipeline(commands)):
            if not isinstance(reply, Error):
                takers[slot].append(master)
        client.close()
    problems = [f"slot {slot} is served by {[node.name for node in takers[slot]]}" for slot in range(SLOTS)
                if [node.id for node in takers[slot]] != [owners.get(slot)]]
    return problems[:5] + ([f"... {len(problems)} such slots"] if len(problems) > 5 else [])
