# SPDX-License-Identifier: Apache-2.0
"""proof_stages.py: brings a move of the plan to a stage, and lets something happen there."""
import collections
import time

from kvrocks_node import DEADLINE_S, Error
from proof_operator import FOREIGN, MISFIT, TEMPORARY

# A move sends so much a second, which makes it last some seconds: there is time to hit it.
SLOW = "1M"
# What a socket takes at once counts as sent, so percents alone do not tell: a move is early up to so many seconds, or
# so many percent; late from both on.
EARLY_S, LATE_S = 0.5, 0.9
# With a long line the tool needs some round trips until it says that a move has begun.
FAR_EARLY_S, FAR_LATE_S = 1.0, 1.4
EARLY_PERCENT, LATE_PERCENT = 50, 60
STAGES = ("before the first begin", "early in a move", "late in a move", "between end and publication",
          "after publication")
BEFORE, EARLY, LATE, BETWEEN, AFTER = STAGES


def all_events(controlled):
    """(stage, what happens); the ones before the first begin come first."""
    victims = ["tool", "source", "destination"] + (["controller"] if controlled else [])
    events = [(stage, f"kill {victim}") for stage in STAGES for victim in victims]
    events += [(stage, "bump") for stage in (EARLY, BETWEEN, AFTER)]
    return events + [(EARLY, "fail over source"), (BETWEEN, "fail over source"), (EARLY, "fail over other"),
                     (EARLY, "lose source"), (LATE, "kill source and destination")]


class Stages:
    def __init__(self, proof, operator, chance):
        self.proof, self.operator, self.chance = proof, operator, chance
        self.done, self.holds = collections.Counter(), False
        self.early_s, self.late_s = (FAR_EARLY_S, FAR_LATE_S) if proof.line else (EARLY_S, LATE_S)

    # --- reaching a stage ------------------------------------------------------------------------------------

    def wait(self, look, what):
        """Until `look` returns something, while the operator runs the plan."""
        deadline = time.monotonic() + DEADLINE_S
        while time.monotonic() < deadline:
            if not self.operator.keep_running():
                self.operator.go_back()
                deadline = time.monotonic() + DEADLINE_S
            run = self.operator.run
            try:
                found = run is not None and look(run)
            except (OSError, Error):
                found = None
            if found:
                return found
            time.sleep(0.01)
        raise AssertionError(f"{what} did not come")

    def job(self, run):
        """The running move, its source, and what that says of it."""
        begun = run.begun()
        if begun is None:
            return None
        move, at = begun
        source = self.proof.by_id[move["from"]]
        info = source.cluster_info(timeout=5)
        first, _, last = move["slots"].partition("-")
        own = info.get("migrating_slot(s)") in (move["slots"], f"{first}-{last or first}")
        # A replica shows its master's job as running.
        runs = own and info.get("migrating_state") == "start" and source in self.proof.masters()
        return (move, source, info, time.monotonic() - at) if runs else None

    def is_early(self, run):
        job = self.job(run)
        return job and job[2].get("migrate_phase") == "copying" and (
            job[3] < self.early_s or float(job[2]["migrate_percent"]) < EARLY_PERCENT) and job[:2]

    def is_late(self, run):
        job = self.job(run)
        return job and job[3] >= self.late_s and float(job[2].get("migrate_percent", 0)) >= LATE_PERCENT and job[:2]

    def reach(self, stage):
        """The move and its source."""
        if stage == EARLY:
            return self.wait(self.is_early, stage)
        if stage == LATE:
            return self.wait(self.is_late, stage)
        if stage == AFTER:
            move, source = self.wait(self.is_late, stage)
            while not self.wait(lambda run: run.published(move) or "again", stage) is True:
                pass
            return move, source
        while True:
            move, source = self.wait(self.is_late, stage)
            self.hold()
            if self.has_ended(source):
                return move, source
            self.release()

    def hold(self):
        """Nobody publishes: the tool, or the controller, stands still."""
        self.holds = True
        if self.proof.controlled:
            self.proof.stop_controller()
        else:
            self.operator.run.freeze()

    def release(self):
        if not self.holds:
            return
        self.holds = False
        if self.proof.controlled:
            self.proof.start_controller()
        elif self.operator.run is not None:
            self.operator.run.thaw()

    def has_ended(self, source):
        """Handed over, and not published."""
        deadline = time.monotonic() + DEADLINE_S
        while time.monotonic() < deadline:
            state = source.cluster_info().get("migrating_state")
            if state != "start":
                return state == "success"
            time.sleep(0.02)
        raise AssertionError("the move did not end")

    # --- what happens ----------------------------------------------------------------------------------------

    def happen(self, stage, what):
        if stage == BEFORE:
            self.before(what)
        else:
            move, source = self.reach(stage)
            self.act(stage, what, move, source)
        self.done[(stage, what)] += 1

    def before(self, what):
        """The run has only just been started, and its victim may be down already."""
        pause_s = self.chance.uniform(0, 1)
        self.operator.kill()
        if what == "kill tool":
            self.operator.start()
            time.sleep(pause_s / 10)
            self.operator.kill()
        elif what == "kill controller":
            self.proof.stop_controller()
            self.operator.start()
            self.operator.run.process.wait(DEADLINE_S)
            assert self.operator.keep_running()
            time.sleep(pause_s)
            self.proof.start_controller()
        else:
            victim = self.proof.spare if what == "kill destination" else self.chance.choice(self.proof.masters()[:-1])
            victim.kill()
            self.operator.start()
            time.sleep(pause_s)
            victim.start()

    def act(self, stage, what, move, source):
        destination = self.proof.by_id[move["to"]]
        if what == "kill tool":
            self.operator.kill()
        elif what == "kill controller" and stage != BETWEEN:
            self.proof.stop_controller()
            time.sleep(self.chance.uniform(0, 3))
            self.proof.start_controller()
        elif what == "kill source":
            self.bounce(stage, source)
        elif what == "kill destination":
            self.bounce(stage, destination)
        elif what == "kill source and destination":
            self.bounce(stage, source, destination)
        elif what != "kill controller":
            self.change_topology(stage, what, source)
        if stage == BETWEEN:
            self.release()

    def bounce(self, stage, *victims):
        """They come back at once, or after whoever publishes has looked."""
        for victim in victims:
            victim.kill()
        if stage == BETWEEN and self.chance.random() < 0.5:
            self.release()
        time.sleep(self.chance.choice((0, self.chance.uniform(0, 2))))
        for victim in victims:
            victim.start()

    def change_topology(self, stage, what, source):
        """The tool has to notice what it was not told of. What it does meanwhile must not be undone by the stranger: so
        it stands still where it publishes."""
        controlled = self.proof.controlled
        if controlled and stage == BETWEEN:
            self.release()
        run = self.operator.run
        if not controlled and stage == AFTER:
            run.freeze()
        if what == "bump":
            # A failover before it may have made the plan unfit already, and the first reason counts.
            self.operator.expected = None if controlled else {FOREIGN, MISFIT}
            self.proof.bump()
        else:
            self.operator.expected = {MISFIT, TEMPORARY, FOREIGN}
            others = [master for master in self.proof.masters() if master not in (source, self.proof.spare)]
            victim = source if what.endswith("source") else self.chance.choice(others)
            (self.proof.lose if what.startswith("lose") else self.proof.fail_over)(victim)
        if not controlled and stage == AFTER:
            run.thaw()
