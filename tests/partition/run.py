#!/usr/bin/env python3
"""Three sites, one app for each policy. A site's link goes down: keep waits, atLeastOnce gets a substitute; healed, onHeal decides who stays, nothing restarts.
Then a revision is revoked: what runs of it runs on, and starts nowhere, also after a restart of a machine that is cut off. Last, a neighbour that hears the
silent site holds the substitute back."""
import os
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import *

PROJECT = "retail"
RULES = {"least-original": "keepOriginal", "least-substitute": "keepSubstitute", "least-longest": "longestRunning"}


def app(name, partition, args=""):
    return f"""
apiVersion: skerry/v1
kind: App
metadata: {{name: {name}, namespace: {PROJECT}}}
spec:
  components:
  - name: pos
    image: retail/pos:4.2
    env: [{{name: NOTE, value: "{args}"}}]
    placement: {{mode: spread, replicas: 1, sites: {{matchLabels: {{spare: "yes", home: "yes"}}}}}}
    partition: {partition}
"""


def opened(text):
    """The same, for every store."""
    return text.replace(', home: "yes"', "")


def body(world):
    wan, lan = world.network(), world.network("lan", "10.98")
    core = world.core(wan)
    home = world.site(core, wan, "store-1", ("tier=store", "spare=yes", "home=yes"), lan)
    spare = world.site(core, wan, "store-2", ("tier=store", "spare=yes"), lan)
    core.apply(f"apiVersion: skerry/v1\nkind: Project\nmetadata: {{name: {PROJECT}}}\n")
    push(core, world, "4.2")
    texts = {"keep": app("keep", "{policy: keep}")}
    for name, rule in RULES.items():
        texts[name] = app(name, f"{{policy: atLeastOnce, replaceAfter: 6s, onHeal: {rule}}}")
    # All begin at store-1, and may go elsewhere from then on.
    core.apply("---".join(texts.values()))
    wait_until("all run at store-1", lambda: all(app_ready(core, name) for name in texts), 60)
    core.apply("---".join(opened(text) for text in texts.values()))
    wait_until("all are settled", lambda: all(app_ready(core, name) for name in texts), 60)
    first = home.containers()
    if len(first) != 4 or spare.containers():
        raise Failure(f"four containers at store-1 and none at store-2 were wanted: {first} {spare.containers()}")
    say("four apps run at store-1")

    home.cut()
    wait_until("atLeastOnce has substitutes at store-2", lambda: len(spare.containers()) == 3, 40)
    wait_until("they are ready", lambda: len(ready_at(core, "store-2")) == 3, 30)
    for name in RULES:
        text = core.skerry("describe", "app", name, "-n", PROJECT).stdout
        if "policy atLeastOnce" not in text or RULES[name] not in text or "Substituted" not in text:
            raise Failure(f"describe does not tell the rule and what it did:\n{text}")
    text = core.skerry("describe", "app", "keep", "-n", PROJECT).stdout
    if "policy keep" not in text or "Keep" not in text:
        raise Failure(f"describe does not tell that keep keeps:\n{text}")
    if home.containers() != first:
        raise Failure("the cut reached what runs at store-1")
    substitutes = spare.containers()
    say("cut: three substitutes at store-2, none for keep; describe tells why")

    # Its daemon restarts meanwhile, and the core as well.
    core.restart("kill")
    wait_until("the core is back", lambda: in_touch(core, "store-2"), 30)
    home.heal()
    wait_until("store-1 is back", lambda: in_touch(core, "store-1"), 40)
    wait_until("who is too much is gone", lambda: len(home.containers()) == 3 and len(spare.containers()) == 1, 40)
    for machine, before in ((home, first), (spare, substitutes)):
        for name, pids in machine.containers().items():
            if before.get(name) != pids:
                raise Failure(f"{name} at {machine.name} was restarted: {before.get(name)} then {pids}")
    # What ended there is told here a moment later.
    wanted = [("keep", "store-1"), ("least-longest", "store-1"), ("least-original", "store-1"), ("least-substitute", "store-2")]
    wait_until("the core shows who stayed by onHeal", lambda: sorted((each["spec"]["app"], each["spec"]["site"]) for each in core.get("instances")) == wanted, 20)
    events = core.skerry("get", "events", "-A").stdout
    for word in ("Substituted", "Returned", "Keep"):
        if word not in events:
            raise Failure(f"no event {word}:\n{events}")
    say("healed: the right ones stayed, the others drained, nothing restarted")

    revision = core.get("app", "keep", PROJECT)["status"]["revision"]
    if core.skerry("revision", "revoke", revision, "-n", PROJECT, check=False).returncode == 0:
        raise Failure("a revocation without a reason was taken")
    core.skerry("revision", "revoke", revision, "-n", PROJECT, "--reason", "loses receipts")
    wait_until("the site knows", lambda: "loses receipts" in home.skerry("get", "revision", revision, "-n", PROJECT, "-o", "yaml").stdout, 20)
    stays("what runs of it runs on", lambda: len(home.containers()) == 3, 2)

    # Over a LAN of their own store-2 hears store-1.
    core.apply(f"apiVersion: skerry/v1\nkind: Site\nmetadata: {{name: store-1}}\nspec: {{peers: [{{name: store-2, addresses: ['{spare.links[1].address}:7444']}}]}}\n")
    wait_until("store-2 hears store-1", lambda: "store-1" in core.get("site", "store-2")["status"].get("hears", []), 30)
    home.cut()
    wait_until("the core takes the neighbour's word", lambda: condition(core.get("app", "least-original", PROJECT), "InTouch").get("reason") == "HeardByNeighbour", 40)
    if condition(core.get("site", "store-1"), "InTouch").get("reason") != "HeardByNeighbour":
        raise Failure("the Site does not say that it is alive: " + str(core.get("site", "store-1")))
    stays("no substitute while a neighbour hears it", lambda: len(spare.containers()) == 1, 3)
    say("cut again: a neighbour hears it, so it is alive, and there is no substitute")
    home.reboot()
    wait_until("the others run again, cut off", lambda: len(home.containers()) == 2, 40)
    stays("the revoked one is not started", lambda: len(home.containers()) == 2, 4)
    text = home.skerry("get", "instances", "-A", "-o", "wide").stdout
    if "Revoked" not in text:
        raise Failure(f"the site does not say why:\n{text}")
    say("revoked: it ran on, and after a restart of the cut-off machine it was not started")


def ready_at(core, site):
    return [each for each in core.get("instances") if each["spec"]["site"] == site and each["status"].get("ready")]


scenario(body)
