#!/usr/bin/env python3
"""kill -9 of core, site and node daemons at random while an app is updated. At the end exactly the wanted instances run, and none was restarted but for
its own update. SKERRY_CHAOS_SECONDS (default 30) and SKERRY_SEED choose how long and which."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import *

SECONDS = int(os.environ.get("SKERRY_CHAOS_SECONDS", "30"))
SEED = int(os.environ.get("SKERRY_SEED", str(random.SystemRandom().randrange(1 << 32))))


def ballast(version):
    """An app that nobody updates: its containers must never change."""
    text = app_of(till(version)).replace("name: till\n", "name: steady\n").replace("      publish: 8080\n", "")
    return text


def body(world):
    chance = random.Random(SEED)
    say(f"seed {SEED}, {SECONDS} s")
    wan, lan = world.network(), world.network("lan", "10.98")
    core = world.core(wan)
    sites = [world.site(core, wan, "store-1"), world.site(core, wan, "store-2", ("tier=store",), lan)]
    node = world.node(sites[1], lan, "back-room")
    core.apply(till("4.2"))
    push(core, world, "4.2")
    core.apply(ballast("4.2"))
    for site in sites:
        wait_until(f"the till answers at {site.name}", lambda: answers(site, node, "4.2"), 60)
    wait_until("steady runs at both", lambda: len(steady(core, sites, node)) == 2, 60)
    push(core, world, "4.3")
    seen = {key: {value} for key, value in running([*sites, node]).items()}
    untouched = steady(core, sites, node)

    everyone = [core, *sites, node]
    version, kills, updates = "4.2", 0, 0
    deadline = time.monotonic() + SECONDS
    down = {}
    next_update = time.monotonic() + 2
    while time.monotonic() < deadline:
        for machine in [m for m, when in down.items() if when < time.monotonic()]:
            del down[machine]
            last = machine.daemon
            machine.start(last.role, *without_join(last.arguments), ready=chance.random() < 0.5)
        victim = chance.choice(everyone)
        if victim not in down:
            victim.daemon.kill()
            kills += 1
            down[victim] = time.monotonic() + chance.choice([0, 0.05, 0.5, 2])
        if time.monotonic() > next_update and core not in down:
            wanted = "4.3" if version == "4.2" else "4.2"
            try:
                core.apply(app_of(till(wanted)))
                version, updates = wanted, updates + 1
                next_update = time.monotonic() + chance.uniform(3, 8)
            except Failure:
                pass  # killed meanwhile; what was not acknowledged may be lost
        for key, value in running([*sites, node]).items():
            seen.setdefault(key, set()).add(value)
        time.sleep(chance.uniform(0, 0.6))
    for machine in everyone:
        if machine in down or not machine.daemon.runs():
            last = machine.daemon
            machine.start(last.role, *without_join(last.arguments))
    say(f"{kills} kills and {updates} updates; all daemons run again")

    def agreed():
        core.apply(app_of(till(version)))
        return all(answers(site, node, version) for site in sites)
    wait_until(f"both sites serve {version}", agreed, 90)
    wait_until("the core has it all ready", lambda: settled(core), 90)
    found = running([*sites, node])
    if len(found) != 4:
        raise Failure(f"four containers were wanted: {found}")
    if steady(core, sites, node) != untouched:
        raise Failure(f"an app that nobody changed was restarted: {untouched} {steady(core, sites, node)}")
    for each in core.get("instances"):
        if each["status"].get("restarts", 0):
            raise Failure(f"{each['metadata']['name']} counts {each['status']['restarts']} restarts: {each['status']}")
    # Each revision was started once at each site, however often the daemons died. (A start that a kill cut off before it was complete is done again;
    # nobody was told of the first.)
    starts = {}
    for site in sites:
        for event in site.get("events"):
            if event["spec"]["reason"] == "Started":
                told = re.search(r"revision (\S+), pid (\d+)", event["spec"]["message"])
                starts.setdefault((event["spec"]["regarding"]["name"], told.group(1)), set()).add(told.group(2))
    twice = {key: pids for key, pids in starts.items() if len(pids) > 1}
    if twice:
        raise Failure(f"started more than once: {twice}")
    wishes = core.get("app", "till", "retail")["metadata"]["generation"]
    lives = {key: len(values) for key, values in seen.items()}
    say(f"{wishes} wishes; processes seen of each instance: {sorted(lives.values())}")
    revisions = {each["status"].get("revision") for each in core.get("instances") if each["spec"]["app"] == "till"}
    if len(revisions) != 1:
        raise Failure(f"instances of one app have several revisions at the end: {revisions}")
    stays("nothing moves any more", lambda: running([*sites, node]) == found, 5)


def running(machines):
    return {(machine.name, group): life for machine in machines for group, life in machine.containers().items()}


def apps_by_uid(core):
    """A container's group is named by its instance's uid."""
    return {each["metadata"]["uid"]: each["spec"]["app"] for each in core.get("instances")}


def steady(core, sites, node):
    apps = apps_by_uid(core)
    return {key: life for key, life in running([*sites, node]).items() if apps.get(key[1]) == "steady"}


def answers(site, node, version):
    """Whether the site's till answers, on whichever of its machines it is."""
    if site.name != "store-2":
        return till_serves(site, version)
    return any(serves_quietly(machine, version) for machine in (site, node))


def serves_quietly(machine, version):
    return f"till {version} at store-2" in machine.curl("http://localhost:8080/", check=False)


def settled(core):
    return all(app_ready(core, name) and core.get("app", name, "retail")["status"].get("readyReplicas") == 2 for name in ("till", "steady"))


scenario(body)
