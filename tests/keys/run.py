#!/usr/bin/env python3
"""Certificates that end while a site is away renew without a human; revoked keys stay out until a new token; the authority changes its key, twice, while a
site is away, and old kubeconfigs go on working."""
import os
import shutil
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import *

LIFE = 9


def body(world):
    wan, lan = world.network(), world.network("lan", "10.98")
    core = world.machine("core", wan)
    core.start("core", "--name", "core", "--listen", "0.0.0.0:7443", "--advertise", core.address, "--certificate-life", f"{LIFE}s")
    site = world.site(core, wan, "store-1", (), lan)
    other = world.site(core, wan, "store-2", ())
    node = world.node(site, lan, "box-2")
    wait_until("both nodes work", lambda: ready_nodes(site) == 2, 60)
    say(f"a core whose sites' certificates last {LIFE} s, two sites, a further node")

    first = ends(core, "store-1")
    wait_until("renewed while in touch", lambda: ends(core, "store-1") > first, LIFE)
    site.cut()
    cell = core.get("site", "store-2")["status"]["cell"]
    # Revoked while the other's certificate runs out.
    old_config = world.folder + "/old.kubeconfig"
    shutil.copy(core.kubeconfig, old_config)
    early = word(core.skerry("token", "create", "--site", "store-2", "--profile", "lan", "--replace").stdout, "skerry1.")
    core.skerry("site", "revoke", "store-2", "--reason", "stolen")
    wait_until("the revoked site is out", lambda: not in_touch(core, "store-2"), 20)
    if condition(core.get("site", "store-2"), "Revoked").get("status") != "True":
        raise Failure("the site does not show that it was revoked")
    other.restart()
    for round in (1, 2):
        core.skerry("ca", "rotate", "--dry-run")
        before = authority(core)["key"]
        core.skerry("ca", "rotate")
        if authority(core)["key"] == before:
            raise Failure("the authority's key did not change")
        core.restart("kill" if round == 1 else "stop")
    say("a site was revoked; the authority has changed its key twice; the core crashed in between")
    # kubectl and skerry with what they had before.
    core.skerry("--kubeconfig", old_config, "get", "sites")
    for version, path in kubectls()[0][-1:]:
        core.run(path, "--kubeconfig", old_config, "get", "sites")
        say(f"the old kubeconfig works with kubectl {version}")
    # The site's own nodes do not notice.
    if ready_nodes(site) != 2:
        raise Failure("the cut-off site lost a node")
    site.skerry("node", "revoke", "box-2", "--reason", "sold")
    wait_until("the cut-off site's revoked node is out", lambda: node_touch(site) == "False", 20)

    wait_until("its certificate is over", lambda: ends(core, "store-1") < stamp(), LIFE + 5)
    site.heal()
    wait_until("the site renewed, followed both changes, and is in touch", lambda: in_touch(core, "store-1"), 30)
    wait_until("its certificate is by the newest key", lambda: member(core, "store-1")["follows"] and member(core, "store-1")["issued"], 20)
    say("healed: the ended certificate was renewed and both changes were followed by themselves")
    site.skerry("get", "nodes")
    other.daemon.stop()
    other.start("site", "--join", early, "--listen", "0.0.0.0:7444")
    stays("the revoked site stays out, also with a token of before", lambda: not in_touch(core, "store-2"), 3)

    token = site_token(core, "store-2", ())
    other.daemon.stop()
    other.start("site", "--join", token, "--listen", "0.0.0.0:7444")
    wait_until("joined anew, it is in touch", lambda: in_touch(core, "store-2"), 30)
    now = wait_until("it says which cell it is", lambda: (site := core.get("site", "store-2"))["status"].get("cell") and site, 10)
    if now["status"]["cell"] != cell or condition(now, "Revoked"):
        raise Failure(f"joining again made another cell of it, or left it revoked: {now['status']}")
    other.daemon.stop()
    other.start("site", "--join", token, "--listen", "0.0.0.0:7444")
    wait_until("the same token again changes nothing", lambda: in_touch(core, "store-2"), 30)
    # Asked of the core, the site hears of it: here of the node that comes back with a new token.
    node.daemon.stop()
    node.start("node", "--join", word(site.skerry("token", "create", "--node", "box-2").stdout, "skerry1."))
    wait_until("the node joined anew", lambda: node_touch(site) == "True", 30)
    core.skerry("node", "revoke", "store-1.box-2", "--reason", "sold again")
    wait_until("the site heard of its node", lambda: node_touch(site) == "False", 20)
    wait_until("the site is in touch all the same", lambda: in_touch(core, "store-1"), 20)
    say("the revoked site joined again with a new token, and is the same cell")

    core.skerry("ca", "rotate", "--compromised")
    wait_until("an authority in wrong hands is believed by nobody", lambda: not in_touch(core, "store-1"), 20)
    cell = core.get("site", "store-1")["status"]["cell"]
    token = site_token(core, "store-1", ())
    site.daemon.stop()
    site.start("site", "--join", token, "--listen", "0.0.0.0:7444", "--advertise", site.links[1].address)
    wait_until("joined anew under the new key", lambda: in_touch(core, "store-1"), 30)
    if core.get("site", "store-1")["status"]["cell"] != cell:
        raise Failure("joining again made another cell of it")
    say("after a compromise, a site joined again and kept its cell")


def authority(machine):
    return parse(machine.skerry("ca", "status", "-o", "json").stdout)


def member(core, name):
    return next(each for each in authority(core)["members"] if each["name"] == "site/" + name)


def ends(core, name):
    return member(core, name)["ends"]


def stamp():
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def node_touch(site):
    return condition(next(each for each in site.get("nodes") if each["metadata"]["name"].endswith("box-2")), "InTouch").get("status")


scenario(body)
