#!/usr/bin/env python3
"""A site on a computer of its own (Debian's cloud kernel, cgroups of version 2): the plug is pulled in the middle of updates, and each boot comes back by
itself, cut off, with what was acknowledged."""
import os
import random
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import *
import box

ROUNDS = 3


def body(world):
    box.check_needs()
    box.kernel()
    chance = random.Random(int(os.environ.get("SKERRY_SEED", "7")))
    wan = world.network()
    core = world.core(wan)
    token = site_token(core, "store-1", profile="lan")
    site = box.Box(world, "store-1", wan)
    site.install(token)
    say("the disk is made")
    site.boot()
    site.wait_up()
    say("the computer is up")
    wait_until("the site is in touch", lambda: in_touch(core, "store-1"), 30)
    core.apply(till("4.2"))
    for version in ("4.2", "4.3"):
        push(core, world, version)
    url = f"http://{site.guest}:8080/"
    serves = lambda *versions: any(f"till {version} at store-1" in site.curl(url, timeout=2) for version in versions)
    wait_until("the till answers", lambda: serves("4.2"), 90)
    say("the till answers, in a container on that kernel")
    wished, other = "4.2", "4.3"
    for number in range(1, ROUNDS + 1):
        wait_until("the till is in touch and well", lambda: in_touch(core, "store-1") and app_ready(core), 60)
        # What the site has shown is on its disk.
        before = {each["metadata"]["name"]: each["metadata"]["generation"] for each in site.get("allocations")}
        wished, other = other, wished
        core.apply(till(wished))
        pause = chance.uniform(0, 3)
        time.sleep(pause)
        shown = {each["metadata"]["name"]: each["metadata"]["generation"] for each in site.get("allocations")}
        site.pull_the_plug()
        say(f"round {number}: the plug is pulled {pause:.1f} s into the update")
        site.cut()
        site.boot()
        began = time.monotonic()
        site.wait_up()
        up = time.monotonic()
        wait_until("the till is back, with no parent", lambda: serves("4.2", "4.3"), 60)
        say(f"   up {up - began:.1f} s after power, the till answers {time.monotonic() - up:.1f} s after that")
        after = {each["metadata"]["name"]: each["metadata"]["generation"] for each in site.get("allocations")}
        for name, generation in {**before, **shown}.items():
            if after.get(name, 0) < generation:
                raise Failure(f"allocation {name} was shown in generation {generation}, and is {after.get(name)} after the boot")
        if len(instances(site)) != 1:
            raise Failure(f"one instance was wanted: {instances(site)}")
        site.heal()
        wait_until("the site is in touch", lambda: in_touch(core, "store-1"), 60)
        wait_until(f"the till is at {wished}", lambda: serves(wished), 60)
        say(f"   healed, and at {wished}")


scenario(body)
