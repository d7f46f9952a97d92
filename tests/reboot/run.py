#!/usr/bin/env python3
"""A site's whole machine goes off and on while it is cut off: its apps come back from its own disk, with no route to anything."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import *


def body(world):
    wan = world.network()
    core = world.core(wan)
    site = world.site(core, wan, "store-1")
    core.apply(till("4.2"))
    push(core, world, "4.2")
    wait_until("the till answers", lambda: till_serves(site, "4.2"), 60)
    boot = site.run("cat", "/proc/sys/kernel/random/boot_id").stdout
    name = instances(site)[0]["metadata"]["name"]

    site.cut()
    for how in ("cut", "cut and without any address"):
        begin = time.monotonic()
        site.power_off()
        if site.containers() or cgroups(site.prefix):
            raise Failure("the machine is off and something of it is there")
        site.power_on()
        if site.run("cat", "/proc/sys/kernel/random/boot_id").stdout == boot:
            raise Failure("the boot id did not change")
        if how != "cut":
            site.run("ip", "link", "del", "eth0")
        site.start("site", "--listen", "0.0.0.0:7444")
        up = time.monotonic()
        wait_until(f"the till is back after a restart of the machine, {how}", lambda: till_serves(site, "4.2"), 60)
        say(f"{how}: off and on in {up - begin:.1f} s, the till answers {time.monotonic() - up:.1f} s after the daemon")
        found = instances(site)
        if [each["metadata"]["name"] for each in found] != [name]:
            raise Failure(f"the instance is another one: {found}")
        if len(site.containers()) != 1:
            raise Failure(f"one container was wanted: {site.containers()}")
        boot = site.run("cat", "/proc/sys/kernel/random/boot_id").stdout
    site.reboot()
    wait_until("back once more", lambda: till_serves(site, "4.2"), 60)
    was = site.containers()
    core.apply(till("4.3"))
    push(core, world, "4.3")
    core.reboot()
    say("the core went off and on, too")
    stays("the site does not care", lambda: site.containers() == was, 2)
    site.heal()
    wait_until("the site is in touch", lambda: in_touch(core, "store-1"), 60)
    wait_until("and converges", lambda: till_serves(site, "4.3"), 60)


scenario(body)
