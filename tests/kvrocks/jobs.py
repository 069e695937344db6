# SPDX-License-Identifier: Apache-2.0
"""jobs.py: what a node has written down of its newest job, for tests that speak as the other node does."""
import hashlib
import os


def state_of(node, role):
    """Where a node has the running job, or the last one, of "source" or "target"."""
    return os.path.join(node.database(), "haul", f"slots-{role}")


def secret_of(node, role):
    """The only place where it is written down."""
    with open(state_of(node, role), encoding="ascii") as file:
        return dict(line.split(" ", 1) for line in file if " " in line)["token"].strip()


def name_of(secret):
    """The job's public name."""
    return hashlib.sha1(secret.encode()).hexdigest()[:16]


def job_of(node, role):
    return name_of(secret_of(node, role))


def request_import(target, source, slots, version, job=()):
    """The secret, or the name of the job to continue."""
    return target.call("haul", "import", slots, version, source.id, "keyed", *job).split()[-1].decode()
