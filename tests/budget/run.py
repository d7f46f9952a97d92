#!/usr/bin/env python3
"""An uplink with a budget and with windows: an image larger than the budget waits and beats go on, also over a crash; a larger budget lets the rest
through; outside of a window images wait, and the Site says why each time."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import *

WEIGHT = 10 << 20
# What is asked for at once, and so the most that may lie behind a gap when a process is killed (main/images/blob_fetch.cc): that much
# comes a second time.
AHEAD = 1 << 20


def uplink(core, **more):
    core.apply({"apiVersion": "skerry/v1", "kind": "Site", "metadata": {"name": "store-1", "labels": {"tier": "store"}},
                "spec": {"parents": ["core"], "uplinks": [{"name": "wan", "beat": "2s", "costPerGigabyte": 20, **more}]}})


def lanes(machine):
    """Bytes both ways by lane, as that machine's API tells them."""
    link = machine.get("site", "store-1")["status"].get("link", {})
    return {lane["name"]: int(lane.get("sent", 0)) + int(lane.get("received", 0)) for lane in link.get("lanes", [])}


def site_condition(machine, kind):
    return condition(machine.get("site", "store-1"), kind)


def phase(site):
    return next(((each["status"].get("phase"), each["status"].get("message", "")) for each in instances(site)), None)


def body(world):
    wan = world.network()
    core = world.core(wan)
    site = world.site(core, wan, "store-1")
    uplink(core, budget="16M")
    wait_until("the budget is there", lambda: site_condition(site, "WithinBudget").get("status") == "True", 10)
    start = site.links[0].total()
    core.apply(till("4.2"))
    push(core, world, "4.2", weight=str(WEIGHT))
    wait_until("images wait for the budget", lambda: site_condition(core, "WithinBudget").get("reason") == "BulkBudgetUsed", 30)
    why = site_condition(core, "WithinBudget")
    if "spec.uplinks[name=wan].budget" not in why["message"] or why["status"] != "False":
        raise Failure(f"the condition does not say what helps: {why}")
    wait_until("an Event tells of it", lambda: "BulkBudgetUsed" in json.dumps(core.get("events")), 10)
    wait_until("the instance says that it waits", lambda: "waiting for the uplink's budget" in str(phase(site)), 10)
    # A lane is shown once something has crossed on it: the first beat may still be to come.
    def not_told():
        told = core.skerry("describe", "site", "store-1").stdout
        return [part for part in ("name: bulk", "name: lease", "roundTrip:", "cost:", "BulkBudgetUsed") if part not in told]
    wait_until("skerry describe site shows all of the link", lambda: not not_told(), 10)
    first = lanes(core)
    crossed = site.links[0].total() - start
    say(f"{crossed:,} bytes crossed, by lane {first}; then images wait: {why['message']}")
    if crossed > 16_000_000:
        raise Failure("more than the budget crossed")
    stays("beats go on, images do not", lambda: in_touch(core, "store-1") and site.links[0].total() - start - crossed < 150_000, 5)
    later = lanes(core)
    if later["lease"] <= first["lease"] or later["bulk"] > first["bulk"] + 50_000:
        raise Failure(f"lanes went from {first} to {later}")

    site.restart()
    wait_until("the site is back", lambda: lanes(site).get("lease"), 20)
    stays("a crash gives no second budget", lambda: site.links[0].total() - start - crossed < 300_000, 4)
    say(f"killed and restarted: still waits; lanes at the site {lanes(site)}")

    before = site.links[0].total()
    uplink(core, budget="64M")
    wait_until("a larger budget lets the image through", lambda: till_serves(site, "4.2"), 40)
    rest, whole = site.links[0].total() - before, site.links[0].total() - start
    say(f"budget raised: runs; {rest:,} more bytes, {whole:,} in all for an image of {WEIGHT:,}")
    if whole > WEIGHT * 1.15 + 300_000 + AHEAD:
        raise Failure("what had come before the wait was fetched again")
    wait_until("the condition is over", lambda: site_condition(core, "WithinBudget").get("status") == "True", 10)

    later = time.gmtime(time.time() + 12 * 3600)
    uplink(core, windows=[{"start": f"0 {later.tm_hour} * * *", "lasts": "1h"}])
    wait_until("the window is closed", lambda: site_condition(core, "WindowOpen").get("reason") == "OutsideWindow", 10)
    core.apply(till("4.3"))
    push(core, world, "4.3", weight=str(3 << 20))
    before = site.links[0].total()
    wait_until("an Event tells that the update waits", lambda: "OutsideWindow" in json.dumps(site.get("events")), 20)
    stays("outside of the window no image comes", lambda: site.links[0].total() - before < 200_000, 3)
    uplink(core, windows=[{"start": "* * * * *", "lasts": "1h"}])
    wait_until("in a window it does", lambda: till_serves(site, "4.3"), 40)
    say("outside of the window the update waited; within one it ran")


scenario(body)
