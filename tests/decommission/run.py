#!/usr/bin/env python3
"""A site with an app of its own is decommissioned: the core has the app and its Secret, and runs it elsewhere when told to. Another is lost, and abandoned."""
import base64
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import *


def body(world):
    wan = world.network()
    core = world.core(wan)
    first, second = world.site(core, wan, "store-1"), world.site(core, wan, "store-2")
    core.apply(till("4.2"))
    push(core, world, "4.2")
    wait_until("the till answers at both sites", lambda: till_serves(first, "4.2") and till_serves(second, "4.2"), 60)
    image = make_image(world, "4.2")
    first.skerry("image", "push", image, "retail/kiosk:1", timeout=120)
    first.apply(kiosk("here"))
    wait_until("the site's own app answers", lambda: till_serves(first, "4.2", "here", 8090), 60)
    wait_until("the core shows it", lambda: home(core, "kiosk") not in ("", home(core, "till")), 30)
    boxes = first.containers()
    if secret(core, "kiosk-key"):
        raise Failure("a Secret of the site's own left it though nobody asked")
    say("store-1 runs an app of its own, with a Secret that nobody else has")

    refused = core.skerry("site", "decommission", "store-1", check=False)
    says(refused.stderr, "app/kiosk", "secret/kiosk-key", "image retail/kiosk:1: no copy here", "skerry image push")
    if refused.returncode != 1 or "annotations" in str(core.get("site", "store-1")["metadata"]):
        raise Failure(f"it began though an image is missing: {refused.stderr}")
    core.skerry("image", "push", image, "retail/kiosk:1", timeout=120)
    says(core.skerry("site", "decommission", "store-1", "--dry-run").stderr, "app/kiosk")
    refused = core.skerry("site", "decommission", "store-1", "--abandon", check=False)
    says(refused.stderr, "is in touch")
    done = core.skerry("site", "decommission", "store-1", "--reason", "shop closes")
    says(done.stdout, "has handed over what it decided", "site/store-1 revoked", "site/store-1 deleted")
    if home(core, "kiosk") != home(core, "till"):
        raise Failure("the core does not decide about the site's app")
    if secret(core, "kiosk-key") != "seven77":
        raise Failure("the app's Secret is not at the core")
    if first.containers() != boxes or not till_serves(first, "4.2", "here", 8090):
        raise Failure("what ran at the site was restarted or stopped")
    wait_until("its machine hears that it is out", lambda: "takes this cell's key no more" in read(first.daemon.log) or "was deleted here" in read(first.daemon.log), 30)
    says(first.skerry("apply", "-f", "-", stdin=kiosk("no"), check=False).stderr, "is being decommissioned")
    say("decommissioned: the app, its Secret and its Revision are the core's, and nothing was restarted")

    stays("the app starts nowhere else by itself", lambda: not instances(second, "kiosk") and not instances(core, "kiosk"), 3)
    wait_until("it says why", lambda: "skerry/only-site" in core.skerry("describe", "app", "kiosk", "-n", "retail").stdout, 20)
    first.power_off()
    core.apply(app_of(kiosk("here")).replace("namespace: retail}", "namespace: retail, annotations: {skerry/only-site: store-2}}"))
    wait_until("the core runs it at store-2", lambda: till_serves(second, "4.2", "here", 8090), 60)
    say("told so, the core runs it at store-2, with the Secret that came with it")

    second.skerry("image", "push", image, "retail/kiosk:1", timeout=120)
    second.apply(kiosk("own").replace("kiosk", "stand").replace("8090", "8091").replace("retail/stand", "retail/kiosk"))
    wait_until("the core shows the app of store-2", lambda: any(each["metadata"]["name"] == "stand" for each in core.get("apps")), 30)
    second.power_off()
    wait_until("store-2 is out of touch", lambda: not in_touch(core, "store-2"), 60)
    refused = core.skerry("site", "decommission", "store-2", check=False)
    says(refused.stderr, "is out of touch", "--abandon")
    done = core.skerry("site", "decommission", "store-2", "--abandon", "--reason", "burnt down")
    says(done.stderr, "never left the site")
    says(done.stdout, "site/store-2 revoked", "site/store-2 deleted", "app/stand taken over")
    if home(core, "stand") != home(core, "till"):
        raise Failure("the core does not decide about the app of the site that is lost")
    say("lost and abandoned: the core took over the copy that it had")


def home(machine, app):
    return next((each["metadata"]["home"] for each in machine.get("apps") if each["metadata"]["name"] == app), "")


def secret(machine, name):
    found = [each for each in machine.get("secrets") if each["metadata"]["name"] == name]
    return base64.b64decode(found[0]["data"]["token"]).decode() if found else ""


def says(text, *words):
    for each in words:
        if each not in text:
            raise Failure(f"nothing of “{each}” in: {text[-800:]}")


scenario(body)
