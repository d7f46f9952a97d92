#!/usr/bin/env python3
"""A site is deleted, replaced, revoked: its machine loses its link and reads nothing more of the name, and what it had reported goes; tokens of before are refused."""
import base64
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import *


def body(world):
    wan = world.network()
    core = world.core(wan)
    old = world.site(core, wan, "store-1")
    core.apply(till("4.2"))
    push(core, world, "4.2")
    wait_until("the till answers at the site", lambda: till_serves(old, "4.2"), 60)
    wait_until("the core knows", lambda: app_ready(core) and len(instances(core)) == 1, 30)
    boxes = old.containers()
    say("store-1 runs the till")

    # A name that a machine has joined by is not taken by mistake.
    refused = core.skerry("token", "create", "--site", "store-1", check=False)
    says(refused.stderr, "site store-1 has joined and is in touch", "skerry token create --site store-1 --replace")
    early = site_token(core, "store-2", ())
    core.skerry("delete", "site", "store-2")
    stranger = world.machine("store-2", wan)
    stranger.start("site", "--join", early, "--listen", "0.0.0.0:7444", ready=False)
    wait_until("a token of a deleted site is refused", lambda: not stranger.daemon.runs(), 20)
    says(read(stranger.daemon.log), "was deleted since this token was made", "skerry token create --site store-2")
    say("no token takes a name that was joined, or joins for a Site that is gone")

    says(core.skerry("delete", "site", "store-1", "--dry-run").stderr, "site store-1 has joined", "its link ends")
    if not in_touch(core, "store-1"):
        raise Failure("a dry run deleted the site")
    says(core.skerry("delete", "site", "store-1").stderr, "may read nothing more here")
    core.restart("kill")
    wait_until("what it had reported is gone", lambda: not core.get("nodes") and not instances(core), 30)
    wait_until("its machine hears why", lambda: "site store-1 was deleted here" in read(old.daemon.log), 30)
    # The Secrets of the name are for whoever joins now.
    token = site_token(core, "store-1")
    core.apply(till("4.2").replace("not-a-real-key", "core2"))
    new = world.machine("store-1b", wan)
    stays("the old machine gets nothing of the new Site", lambda: not in_touch(core, "store-1") and not pins(old, "core2"), 3)
    if old.containers() != boxes:
        raise Failure("what ran at the deleted site was restarted or stopped")
    new.start("site", "--join", token, "--listen", "0.0.0.0:7444")
    wait_until("another machine joined for the name, and runs the till", lambda: till_serves(new, "4.2", "store-1"), 60)
    wait_until("with the new Secret", lambda: pins(new, "core2"), 20)
    wait_until("the core shows what runs there, once", lambda: len(instances(core)) == 1 and len(core.get("nodes")) == 1, 20)
    if pins(old, "core2"):
        raise Failure("the machine of the deleted Site got a Secret of the new one")
    say("deleted, with a crash in between: its machine is out, another joined for the name")

    # Back again, in the place of the other.
    token = word(core.skerry("token", "create", "--site", "store-1", "--replace").stdout, "skerry1.")
    old.daemon.stop()
    old.start("site", "--join", token, "--listen", "0.0.0.0:7444")
    wait_until("the first machine took its place back", lambda: pins(old, "core2"), 30)
    wait_until("the other hears that it is out", lambda: "takes this cell's key no more" in read(new.daemon.log), 30)
    cell = wait_until("the Site says which cell it is", lambda: core.get("site", "store-1")["status"].get("cell"), 20)
    wait_until("only what it has is shown", lambda: {each["metadata"]["home"] for each in core.get("nodes")} == {cell}, 30)
    say("replaced, and back: one machine speaks for the name")

    core.skerry("site", "revoke", "store-1", "--reason", "stolen")
    wait_until("the revoked site is out", lambda: not in_touch(core, "store-1"), 20)
    wait_until("it says that its key was revoked and what it needs", lambda: "takes this cell's key no more: it was revoked there" in read(old.daemon.log), 30)
    if "another authority than the pinned one" in read(old.daemon.log):
        raise Failure("a revoked site is told of another authority")
    say("revoked, it says so")


def pins(site, token):
    """Whether a Secret with this token is at the site."""
    return any(base64.b64decode(each.get("data", {}).get("token", "")).decode() == token for each in site.get("secrets"))


def says(text, *words):
    for each in words:
        if each not in text:
            raise Failure(f"nothing of “{each}” in: {text[-600:]}")


scenario(body)
