#!/usr/bin/env python3
"""Sites whose machines' clocks say 1970 and 2100: they join, run, stamp what happens with the true time, restart without a link, and come back."""
import os
import sys
import time
from datetime import datetime, timezone

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import *

IN_2100 = 4_102_444_800


def body(world):
    wan = world.network()
    core = world.core(wan)
    core.apply(till("4.2"))
    push(core, world, "4.2")
    early = odd_site(world, core, wan, "store-1", 20 - time.time())
    late = odd_site(world, core, wan, "store-2", IN_2100 - time.time())
    say("two sites have joined: one's clock says 1970, the other's 2100")
    for site, words in ((early, "years behind"), (late, "years ahead")):
        wait_until(f"the till answers at {site.name}", lambda: till_serves(site, "4.2"), 60)
        wait_until("the core knows of the clock", lambda: words in clock_of(core, site)["message"], 30)
        if clock_of(core, site)["status"] != "True":
            raise Failure(f"the corrected clock of {site.name} is not trusted: {clock_of(core, site)}")
        for instance in instances(site):
            check_now(f"instance of {site.name}", instance["metadata"]["creationTimestamp"])
    wait_until("the core sees both tills", lambda: app_ready(core), 30)
    for event in core.get("events"):
        check_now("event " + event["metadata"]["name"], event["metadata"]["creationTimestamp"])
    say("both run the till, and stamp with the true time")

    for site in (early, late):
        site.cut()
    for site in (early, late):
        site.reboot()
    for site in (early, late):
        wait_until(f"{site.name} runs the till again, with no link", lambda: till_serves(site, "4.2"), 60)
    told = wait_until("its clock is known to be wrong", lambda: clock_of(early, early).get("status") == "False" and clock_of(early, early), 10)
    check_now("what the clock of 1970 counts on from", told["lastTransitionTime"])
    if clock_of(late, late).get("status") != "Unknown":
        raise Failure(f"nobody has confirmed the clock of 2100: {clock_of(late, late)}")
    say("both restarted while cut off, and run what they ran")

    for site in (early, late):
        site.heal()
    # Somebody sets the second one's clock meanwhile.
    late.environment.clear()
    late.restart()
    for site in (early, late):
        wait_until(f"{site.name} is in touch", lambda: in_touch(core, site.name), 30)
    wait_until("the clock of 1970 is corrected again", lambda: clock_of(core, early).get("reason") == "Corrected", 30)
    wait_until("the clock that was set agrees", lambda: clock_of(core, late).get("reason") == "Agrees", 30)
    log = read(late.daemon.log)
    if "2100-01-01" not in log or " +" not in log:
        raise Failure("the log does not show both clocks")
    say("healed: one is corrected, the other was set and agrees")


def odd_site(world, core, network, name, error):
    machine = world.machine(name, network)
    machine.environment["SKERRY_TEST_CLOCK_ERROR"] = str(int(error))
    machine.start("site", "--join", site_token(core, name), "--listen", "0.0.0.0:7444")
    wait_until(f"site {name} is in touch", lambda: in_touch(core, name), 30)
    return machine


def clock_of(machine, site):
    return condition(machine.get("site", site.name), "ClockTrusted")


def check_now(what, stamp):
    when = datetime.strptime(stamp, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc).timestamp()
    if abs(time.time() - when) > 300:
        raise Failure(f"{what}: stamped {stamp}")


scenario(body)
