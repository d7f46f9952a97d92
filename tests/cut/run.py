#!/usr/bin/env python3
"""A core and a site. The link is cut: the site heals its app, restarts, answers its own API; the app is updated at the core; healed, they agree."""
import os
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import *


def body(world):
    wan = world.network()
    core = world.core(wan)
    site = world.site(core, wan, "store-1")
    say("store-1 has joined")
    core.apply(till("4.2"))
    push(core, world, "4.2")
    wait_until("the till answers at the site", lambda: till_serves(site, "4.2"), 60)
    wait_until("the core knows", lambda: app_ready(core), 30)
    say(f"applied at the core, answers at the site; {site.links[0].total()} bytes so far")
    name = instances(core)[0]["metadata"]["name"]
    wait_until("logs through the link", lambda: "serving on" in core.skerry("logs", name, "-n", "retail").stdout, 20)

    site.cut()
    say("cut")
    first = only(site)
    wait_until("the core sees that the site is out of touch", lambda: not in_touch(core, "store-1"), 60)
    if not till_serves(site, "4.2") or only(site) != first:
        raise Failure("the cut reached the app")
    for arguments in (["get", "apps,allocations,instances,nodes", "-A"], ["describe", "instance", name, "-n", "retail"]):
        text = site.skerry(*arguments).stdout
        if "till" not in text:
            raise Failure(f"while cut off, `skerry {' '.join(arguments)}` at the site shows no till: {text}")
    if "serving on" not in site.skerry("logs", name, "-n", "retail").stdout:
        raise Failure("while cut off, the site has no logs")
    done = core.skerry("logs", name, "-n", "retail", check=False)
    if done.returncode == 0 or not done.stderr:
        raise Failure("logs of a site that is out of reach do not say so")
    say("cut off: the app runs, the site's API answers get, describe, logs")

    os.kill(first[0], signal.SIGKILL)
    second = wait_until("the killed container is back", lambda: another(site, first), 30)
    wait_until("it answers", lambda: till_serves(site, "4.2"), 30)
    say("its container's process was killed and is back")
    for how in ("kill", "stop"):
        site.restart(how)
        wait_until("the site's API is back", lambda: instances(site), 20)
        if only(site) != second:
            raise Failure(f"restarting the daemon ({how}) restarted the container")
    say("its daemon crashed, stopped and started: same container")

    core.apply(till("4.3"))
    push(core, world, "4.3")
    core.restart("kill")
    say("updated at the core, which then crashed and came back")
    stays("the site runs what it was told", lambda: till_serves(site, "4.2") and only(site) == second, 3)
    before = site.links[0].total()
    site.heal()
    wait_until("the site converges to the new revision", lambda: till_serves(site, "4.3"), 60)
    wait_until("the core knows", lambda: app_ready(core), 30)
    third = only(site)
    say(f"healed and converged; {site.links[0].total() - before} bytes, image and all")
    events = core.skerry("get", "events", "-A").stdout
    if "till" not in events:
        raise Failure("the core did not hear what happened at the site:\n" + events)
    # The next cut and heal change nothing, and so they cost next to nothing.
    before = site.links[0].total()
    site.cut()
    wait_until("out of touch", lambda: not in_touch(core, "store-1"), 60)
    site.heal()
    wait_until("in touch", lambda: in_touch(core, "store-1"), 60)
    stays("nothing restarts", lambda: only(site) == third, 5)
    say(f"a cut that missed nothing cost {site.links[0].total() - before} bytes")


def only(site):
    found = list(site.containers().values())
    if len(found) != 1:
        raise Failure(f"one container was wanted: {found}")
    return found[0]


def another(site, first):
    found = only(site)
    return found if found != first else None


scenario(body)
