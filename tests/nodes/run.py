#!/usr/bin/env python3
"""A site with two nodes loses one while it is cut off: the site heals itself; when the node returns, what is too much drains."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import *

REPLICAS = 2


def two(version):
    """The till without a published port, twice at each site."""
    text = till(version).replace("      replicas: 1\n", f"      replicas: {REPLICAS}\n").replace("      publish: 8080\n", "")
    if "publish" in text or f"replicas: {REPLICAS}" not in text:
        raise Failure("examples/till.yaml has another shape than this scenario expects")
    return text


def body(world):
    wan, lan = world.network(), world.network("lan", "10.98")
    core = world.core(wan)
    site = world.site(core, wan, "store-1", ("tier=store",), lan)
    second = world.node(site, lan, "back-room")
    wait_until("the site has two ready nodes", lambda: ready_nodes(site) == 2, 30)
    core.apply(two("4.2"))
    push(core, world, "4.2")
    wait_until("both instances are ready", lambda: ready(site) == REPLICAS, 60)
    if len(site.containers()) != 1 or len(second.containers()) != 1:
        raise Failure(f"two replicas on two empty nodes were wanted one each: {site.containers()} {second.containers()}")
    name = next(each["metadata"]["name"] for each in instances(core) if each["spec"]["node"] != "store-1")
    wait_until("logs from the core through the site", lambda: "serving on" in core.skerry("logs", name, "-n", "retail").stdout, 20)
    say("one replica on each node; logs of the second node's reach the core")

    site.cut()
    first = set(site.containers().values())
    second.power_off()
    begin = time.monotonic()
    say("cut off, and the second node is gone")
    wait_until("the site runs both replicas itself", lambda: len(site.containers()) == REPLICAS, 60)
    took = time.monotonic() - begin
    say(f"healed after {took:.1f} s")
    if took < 5:
        raise Failure("a silent node was given up in less than its patience (10 s)")
    if not first <= set(site.containers().values()):
        raise Failure("healing restarted the instance that was well")
    healed = site.containers()

    second.power_on()
    second.start("node", "--listen", "127.0.0.1:7445")
    wait_until("the site has two ready nodes again", lambda: ready_nodes(site) == 2, 30)
    wait_until("the surplus is gone", lambda: len(site.containers()) + len(second.containers()) == REPLICAS and ready(site) == REPLICAS, 60)
    stays("and stays so", lambda: len(site.containers()) + len(second.containers()) == REPLICAS, 5)
    if not set(site.containers().values()) <= set(healed.values()):
        raise Failure("draining the surplus restarted something")
    say(f"the node is back, the surplus drained: {len(site.containers())} and {len(second.containers())}")
    site.heal()
    wait_until("the core sees two ready replicas", lambda: core.get("app", "till", "retail")["status"].get("readyReplicas") == REPLICAS, 60)

    # Wishes for nodes: a join token made at the site while it is cut off.
    site.cut()
    third = world.node(site, lan, "cellar")
    wait_until("a third node joined the cut-off site", lambda: ready_nodes(site) == 3, 30)
    say("a third node joined while the site was cut off")
    third.daemon.kill()


def ready(site):
    return sum(bool(each.get("status", {}).get("ready")) for each in instances(site))


scenario(body)
