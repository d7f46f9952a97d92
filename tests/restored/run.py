#!/usr/bin/env python3
"""Stores that go back: a site's disk and a core's are put back from old backups, and a site's disk runs a second time on another machine."""
import glob
import os
import shutil
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import *


def backup(machine):
    """A copy of its store, made while it is stopped."""
    machine.daemon.stop()
    copy = f"{machine.folder}/backup"
    os.makedirs(copy)
    for path in glob.glob(f"{machine.state}/store.db*"):
        shutil.copy2(path, copy)
    again(machine)


def restore(machine):
    machine.daemon.kill()
    for path in glob.glob(f"{machine.state}/store.db*"):
        os.remove(path)
    for path in glob.glob(f"{machine.folder}/backup/*"):
        shutil.copy2(path, machine.state)
    again(machine)


def again(machine):
    machine.start(machine.daemon.role, *without_join(machine.daemon.arguments))


def roll(core, world, site, version):
    core.apply(till(version))
    push(core, world, version)
    wait_until(f"the site runs {version}", lambda: till_serves(site, version), 60)
    wait_until(f"the core knows that {version} runs", lambda: app_ready(core), 60)


def wanted(machine):
    """The version of the till that its App names."""
    return machine.get("app", "till", "retail")["spec"]["components"][0]["image"].rpartition(":")[2]


def body(world):
    wan = world.network()
    core = world.core(wan)
    site = world.site(core, wan, "store-1")
    roll(core, world, site, "4.2")
    backup(site)
    backup(core)
    wait_until("in touch", lambda: in_touch(core, "store-1"), 60)
    roll(core, world, site, "4.3")
    say("backups were made, and the till was updated since")

    restore(site)
    wait_until("the site is in touch", lambda: in_touch(core, "store-1"), 60)
    wait_until("the restored site runs the newest", lambda: till_serves(site, "4.3"), 60)
    wait_until("and only that", lambda: len(site.containers()) == 1 and app_ready(core), 60)
    roll(core, world, site, "4.4")
    known = [(each["metadata"]["uid"], each["spec"]["revision"]) for each in instances(site)]
    wait_until("the core has the site's instances as they are", lambda: known == [(each["metadata"]["uid"], each["spec"]["revision"]) for each in instances(core)], 30)
    say("the site's disk came back from a backup: it runs the newest, and follows")

    was = site.containers()
    restore(core)
    wait_until("the site is in touch", lambda: in_touch(core, "store-1"), 60)
    wait_until("the core is given back what it was told since the backup", lambda: wanted(core) == "4.4", 20)
    if site.containers() != was or not till_serves(site, "4.4"):
        raise Failure("what ran at the site was touched")
    core.apply(till("4.5"))
    push(core, world, "4.5")
    wait_until("the site runs 4.5", lambda: till_serves(site, "4.5"), 90)
    wait_until("the core knows that", lambda: app_ready(core), 30)
    said = core.skerry("get", "events", "-A", "-o", "yaml").stdout
    for word in ("HistoryBehind", "TakenBack"):
        if word not in said:
            raise Failure(f"no event {word} tells that the core's store went back: " + said)
    say("the core's disk came back from a backup: it has what it had forgotten, and is obeyed again")

    copied(world, wan, core, site)


def copied(world, wan, core, site):
    """Rule H1a: somebody copies the site's disk and starts it on another machine."""
    was = site.containers()
    copy = world.machine("copy", wan)
    site.daemon.stop()
    os.makedirs(copy.state, exist_ok=True)
    for each in ("store.db", "keys"):
        path = f"{site.state}/{each}"
        (shutil.copytree if os.path.isdir(path) else shutil.copy2)(path, f"{copy.state}/{each}")
    again(site)
    wait_until("the original is in touch", lambda: in_touch(core, "store-1"), 60)
    copy.start("site", "--listen", "0.0.0.0:7444")
    wait_until("the core says that there are two", lambda: condition(core.get("site", "store-1"), "Duplicated").get("status") == "True", 90)
    wait_until("the copy is told what to do", lambda: "skerry reset" in read(copy.daemon.log), 40)
    stays("the original is in touch", lambda: in_touch(core, "store-1"), 5)
    roll(core, world, site, "4.6")
    if not was:
        raise Failure("nothing ran")
    say("the copy of the site's disk is refused, and the original goes on")


scenario(body)
