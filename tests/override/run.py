#!/usr/bin/env python3
"""A cut-off site makes an app of its own and changes one of the core's, with skerry and kubectl; crashes; healed, the core shows both, and decides."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import *

STORE = "spec.components[name=pos].env[name=STORE].value"


def body(world):
    wan = world.network()
    core = world.core(wan)
    site = world.site(core, wan, "store-1")
    core.apply(till("4.2"))
    push(core, world, "4.2")
    wait_until("the till answers at the site", lambda: till_serves(site, "4.2"), 60)
    wait_until("the core knows", lambda: app_ready(core), 30)
    site.cut()
    wait_until("the core sees that the site is out of touch", lambda: not in_touch(core, "store-1"), 60)
    say("store-1 runs the till, and is cut off")

    # An app of the site's own (W1), image and all.
    site.skerry("image", "push", make_image(world, "4.2"), "retail/kiosk:1", timeout=120)
    site.apply(kiosk("here"))
    wait_until("the site's own app answers", lambda: till_serves(site, "4.2", "here", 8090), 60)
    site.apply(kiosk("still-here"))
    wait_until("it is updated", lambda: till_serves(site, "4.2", "still-here", 8090), 60)
    say("an app of its own is made, answers, and is updated")

    # Edits of the core's app become overrides (W2), and say so.
    done = site.skerry("apply", "-f", "-", stdin=app_of(till("4.2")).replace("value: $(site.name)", "value: harbour"))
    wants(done, "decided at", "this edit holds at site store-1 only", STORE)
    wait_until("the edited till answers", lambda: till_serves(site, "4.2", "harbour"), 60)
    kubectl = kubectl_of(site)
    if kubectl:
        wants(kubectl("label", "app", "till", "shift=night"), "Warning:", "metadata.labels[shift]")
        wants(kubectl("patch", "app", "till", "--type=merge", "-p", '{"metadata":{"annotations":{"note":"ours"}}}'), "Warning:")
        wants(kubectl("patch", "app", "till", "--type=merge", "-p", '{"spec":{"rollout":{"maxUnavailable":"5"}}}', check=False), "App's home decides it")
        editor = f"{world.folder}/editor"
        with open(editor, "w", encoding="utf-8") as file:
            file.write("#!/bin/sh\nsed -i 's/stopGrace: 2s/stopGrace: 3s/' \"$1\"\n")
        os.chmod(editor, 0o755)
        wants(kubectl("edit", "app", "till", editor=editor), "stopGrace")
        say("kubectl label, patch and edit became overrides, and said so; what is not the site's to decide was refused")
    else:
        site.skerry("label", "app", "till", "shift=night", "-n", "retail")
        say("no kubectl here; skerry label became an override")
    shown = site.get("app", "till", "retail")
    if shown["metadata"]["labels"].get("shift") != "night" or variable(shown, "STORE") != "harbour":
        raise Failure(f"the site's API does not show what holds there: {shown}")
    wants(site.skerry("describe", "app", "till", "-n", "retail"), "Overridden", STORE)
    refused = site.skerry("apply", "-f", "-", stdin=app_of(till("4.2")).replace("mode: each", "mode: spread"), check=False)
    if refused.returncode == 0 or "placement" not in refused.stderr:
        raise Failure(f"the placement was overridden: {refused.stdout}{refused.stderr}")

    before = site.containers()
    site.restart("kill")
    wait_until("the site's API is back", lambda: len(overrides(site)) >= 2, 20)
    stays("both apps run on", lambda: site.containers() == before, 2)
    say("its daemon crashed and is back: both apps run on, the overrides are there")

    # The core says a third thing meanwhile (W3).
    core.apply(till("4.2").replace("value: $(site.name)", "value: main"))
    stays("nothing reaches the site", lambda: till_serves(site, "4.2", "harbour"), 1)
    site.heal()
    wait_until("the core shows the site's app", lambda: any(each["metadata"]["name"] == "kiosk" and each["status"].get("readyReplicas") == 1 for each in core.get("apps")), 60)
    name = next(each["metadata"]["name"] for each in overrides(site) if each["spec"]["path"] == STORE)
    for machine in (core, site):
        wait_until(f"the conflict is shown at {machine.name}", lambda: condition(machine.get("override", name, "retail"), "Conflict").get("status") == "True", 30)
    wants(core.skerry("override", "list", "-A"), name, "Conflict")
    wants(core.skerry("describe", "app", "kiosk", "-n", "retail"), "site store-1")
    refused = core.skerry("label", "app", "kiosk", "a=b", "-n", "retail", check=False)
    wants(refused, "decided at site store-1; edit it there")
    if not till_serves(site, "4.2", "harbour"):
        raise Failure("the override does not stand")
    say("healed: the core shows the app, the overrides and the conflict; the override stands")

    # Deciding (W5).
    refused = site.skerry("override", "adopt", name, "-n", "retail", check=False)
    wants(refused, "decide there")
    core.skerry("override", "adopt", name, "-n", "retail", "--dry-run")
    steady = site.containers()
    core.skerry("override", "adopt", name, "-n", "retail")
    wait_until("the site let go of what was adopted", lambda: name not in names(site) and name + ".adopted" in names(site), 30)
    label = next(each["metadata"]["name"] for each in overrides(site) if each["spec"]["path"] == "metadata.labels[shift]")
    core.skerry("override", "promote", label, "-n", "retail")
    wait_until("the site let go of what was promoted", lambda: label not in names(site) and not any(label in each for each in names(core)), 30)
    if core.get("app", "till", "retail")["metadata"]["labels"].get("shift") != "night":
        raise Failure("the core's app does not say what was promoted")
    stays("deciding restarts nothing", lambda: site.containers() == steady and till_serves(site, "4.2", "harbour"), 2)
    core.skerry("override", "drop", name + ".adopted", "-n", "retail")
    wait_until("the core's value holds again", lambda: till_serves(site, "4.2", "main"), 60)
    site.skerry("delete", "app", "kiosk", "-n", "retail")
    wait_until("the site's app is gone at both", lambda: not any("kiosk" in each["metadata"]["name"] for machine in (core, site) for each in machine.get("apps") + machine.get("allocations")), 30)
    say("adopted, promoted and dropped; the site's app is deleted")


def overrides(machine):
    return machine.get("overrides")


def names(machine):
    return [each["metadata"]["name"] for each in overrides(machine)]


def variable(app, name):
    return next(each.get("value") for each in app["spec"]["components"][0]["env"] if each["name"] == name)


def wants(done, *texts):
    for text in texts:
        if text not in done.stdout + done.stderr:
            raise Failure(f"no {text!r} in\n{done.stdout}{done.stderr}")


def kubectl_of(machine):
    """The newest kubectl here, against this machine's own API; None where there is none."""
    found = [path for version, path in kubectls()[0] if not version.startswith("1.20")]
    if not found:
        return None

    def call(*arguments, check=True, editor=None):
        env = {**machine.env(), **({"KUBE_EDITOR": editor} if editor else {})}
        return run(*machine.inside(), found[-1], "--cache-dir", f"{machine.folder}/kube-cache", *arguments, "-n", "retail", check=check, env=env)
    return call


scenario(body)
