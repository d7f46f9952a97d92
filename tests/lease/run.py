#!/usr/bin/env python3
"""Policy atMostOnce at a site whose link goes down: the app is gone before its lease is over, also when the daemon is stopped; it runs again by itself."""
import os
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import *

LEASE = 6
# What the leash may be late on a busy machine; the parent waits two seconds and a hundredth of the lease (rule F4).
LATE = 1.0


def once():
    """The till, at most once."""
    text = till("4.2").replace("policy: keep", "policy: atMostOnce")
    if "atMostOnce" not in text:
        raise Failure("examples/till.yaml has another shape than this scenario expects")
    return text


def gone_within(site, what, seconds, begin):
    wait_until(what, lambda: not site.containers(), seconds + 5, every=0.02)
    took = time.monotonic() - begin
    if took > seconds:
        raise Failure(f"{what}: after {took:.2f} s, which is more than {seconds} s")
    return took


def leash_of(site):
    """Pid of the machine's leash, as this process sees it; None without one."""
    return next((pid for pid in site.processes() if read(f"/proc/{pid}/comm").strip() == "skerry-leash"), None)


def instance(machine):
    found = instances(machine)
    return found[0] if found else {}


def runs(site):
    return len(site.containers()) == 1 and till_serves(site, "4.2")


def body(world):
    wan = world.network()
    core = world.core(wan)
    site = world.site(core, wan, "store-1")
    core.apply({"apiVersion": "skerry/v1", "kind": "Site", "metadata": {"name": "store-1", "labels": {"tier": "store"}},
                "spec": {"parents": ["core"], "uplinks": [{"name": "wan", "profile": "lan", "beat": "1s", "lease": f"{LEASE}s"}]}})
    if leash_of(site):
        raise Failure("there is a leash with nothing to keep")
    core.apply(once())
    push(core, world, "4.2")
    wait_until("the till runs", lambda: runs(site), 40)
    first = site.containers()
    leash = leash_of(site)
    if not leash:
        raise Failure("it runs, and there is no leash")
    pss = int(re.search(r"^Pss:\s*(\d+)", read(f"/proc/{leash}/smaps_rollup"), re.M).group(1))
    say(f"it runs under a lease of {LEASE} s; the leash takes {pss} KiB")
    if pss > 1024:
        raise Failure("the leash takes more than 1 MiB")
    wait_until("the condition says what fences it", lambda: condition(instance(core), "FencedByLeaseOnly").get("status") == "True", 10)

    core.restart()
    site.restart()
    stays("neither a restart of the parent nor of the daemon ends it", lambda: site.containers() == first, LEASE + 4)
    if leash_of(site) != leash:
        raise Failure("the restarted daemon did not find the leash again")
    say("parent and daemon were killed and restarted; the same process runs, on the same leash")

    site.cut()
    begin = time.monotonic()
    took = gone_within(site, "it stops when the link is down", LEASE, begin)
    say(f"cut off: gone after {took:.2f} s")
    wait_until("its condition says why", lambda: condition(instance(site), "Leased").get("status") == "False", 10)
    why = condition(instance(site), "Leased")["message"]
    if "rule F1" not in why:
        raise Failure(f"the condition does not name the rule: {why}")
    wait_until("an Event tells of it", lambda: "LeaseEnded" in json.dumps(site.get("events")), 5)
    wait_until("the leash is gone, too", lambda: leash_of(site) is None, 10)
    site.reboot()
    stays("after a restart of the machine it stays stopped (rule F2)", lambda: not site.containers(), 3)
    site.heal()
    begin = time.monotonic()
    wait_until("it runs again without a human", lambda: runs(site), 40)
    say(f"healed: runs again after {time.monotonic() - begin:.1f} s")

    # A daemon that hangs: the leash alone.
    stopped = site.daemon
    stopped.send(signal.SIGSTOP)
    begin = time.monotonic()
    took = gone_within(site, "the leash ends it under a stopped daemon", LEASE + LATE, begin)
    say(f"daemon stopped: gone after {took:.2f} s")
    stopped.send(signal.SIGCONT)
    os.kill(stopped.process.pid, signal.SIGCONT)  # nsenter stops along with what it started
    wait_until("it runs again", lambda: runs(site), 40)
    core.skerry("delete", "app", "till", "-n", "retail")
    wait_until("nothing runs, and no leash is left", lambda: not site.containers() and leash_of(site) is None, 30)
    say("runs again under the daemon that went on; deleted, and the leash is gone")


scenario(body)
