#!/usr/bin/env python3
"""A core, a region, two sites of the region. An app goes down through it and its image too; cut off, the region heals itself; updated meanwhile at the core, healed, all agree."""
import os
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import *


def body(world):
    wan, lan = world.network(), world.network("emea", "10.98")
    core = world.core(wan)
    region = world.region(core, wan, "emea", ("tier=store",), lan)
    sites = [world.site(region, lan, name, labels=()) for name in ("paris", "rome")]
    say("two sites have joined the region, the region has joined the core")
    for wrong, remedy in ((["token", "create", "--region", "south"], "a region below a region"), (["token", "create", "--site", "emea"], "this cell itself"),
                          (["token", "create", "--node", "box"], "not nodes")):
        done = region.skerry(*wrong, check=False)
        if done.returncode == 0 or remedy not in done.stderr:
            raise Failure(f"{wrong} at the region: {done.stdout}{done.stderr}")

    core.apply(till("4.2"))
    push(core, world, "4.2")
    for site in sites:
        wait_until(f"the till answers at {site.name}", lambda site=site: till_serves(site, "4.2"), 60)
    wait_until("the core knows", lambda: app_ready(core), 30)
    status = core.get("app", "till", "retail")["status"]
    if status["readyReplicas"] != 2 or status["sites"] != 1:
        raise Failure(f"the core does not show the sum: {status}")
    emea = core.get("site", "emea")
    if emea["spec"].get("tier") != "region" or emea["status"].get("readyNodes") != 2:
        raise Failure(f"the region's Site at the core: {emea}")
    if len(instances(region)) != 2 or instances(core):
        raise Failure("the region knows two instances, the core sums")
    size = os.path.getsize(make_image(world, "4.2"))
    say(f"applied at the core, answers at both sites; the image of {size} bytes came once over the region's uplink ({region.links[0].total()} bytes)")
    name = instances(region)[0]["metadata"]["name"]
    wait_until("logs through the region", lambda: "serving on" in region.skerry("logs", name, "-n", "retail").stdout, 20)
    edit = region.skerry("apply", "-f", "-", stdin=app_of(till("4.9")), check=False)
    if edit.returncode == 0 or "edit it there" not in edit.stderr + edit.stdout:
        raise Failure(f"an edit at the region of what the core decides: {edit.stdout}{edit.stderr}")

    region.links[0].cut()
    say("the region is cut off from the core")
    before = [only(site) for site in sites]
    wait_until("the core sees that", lambda: not in_touch(core, "emea"), 60)
    os.kill(before[0][0], signal.SIGKILL)
    wait_until("a killed container is back", lambda: only(sites[0]) != before[0] and till_serves(sites[0], "4.2"), 30)
    region.restart("kill")
    wait_until("the region's API is back", lambda: len(instances(region)) == 2, 20)
    sites.append(world.site(region, lan, "oslo", labels=()))
    wait_until("a site that joins the cut-off region gets the app, image and all", lambda: till_serves(sites[2], "4.2"), 60)
    core.apply(till("4.3"))
    push(core, world, "4.3")
    if only(sites[1]) != before[1] or not till_serves(sites[1], "4.2"):
        raise Failure("the cut reached a site")
    say("cut off: a container came back, the region crashed and came back, a site joined and got the app; the core updated it")

    region.links[0].heal()
    for site in sites:
        wait_until(f"{site.name} has the new revision", lambda site=site: till_serves(site, "4.3"), 60)
    wait_until("the core knows", lambda: app_ready(core) and core.get("app", "till", "retail")["status"]["readyReplicas"] == 3, 30)
    after = [only(site) for site in sites]
    stays("nothing restarts", lambda: [only(site) for site in sites] == after, 3)
    say("healed: three sites run the new revision, and the core knows")
    core.skerry("delete", "app", "till", "-n", "retail")
    wait_until("deleted everywhere", lambda: not any(site.containers() for site in sites) and not core.get("allocations"), 40)


def only(site):
    found = list(site.containers().values())
    if len(found) != 1:
        raise Failure(f"one container was wanted: {found}")
    return found[0]


scenario(body)
