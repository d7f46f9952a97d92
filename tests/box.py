"""A computer with a kernel of its own: Debian's cloud kernel in QEMU, on a disk that keeps what reached it when the plug is pulled.

    wan ─ port ═══ eth0 ─┐
                         br0 ─ tap0 ═══ eth0 of the computer     the machine's own network namespace stands for the site's LAN: it reaches
    machine (harness) ───┘                                       the computer also while the cable to the wan is pulled

Cgroups are version 2 only; overlay, bridge, veth and nftables come as modules; the disk is ext4 over virtio. QEMU emulates the processor (TCG) unless the
processor says that it can virtualise: /dev/kvm alone says nothing.
"""
import glob
import os
import re
import shutil
import signal
import subprocess
import time

from harness import Failure, Missing, Machine, ROOT, child_of, die_with_parent, program, read, run, tail, wait_until

MODULES = ["virtio_pci", "virtio_blk", "virtio_net", "overlay", "bridge", "veth", "nf_tables", "nft_chain_nat", "nft_nat", "nft_masq", "nft_ct", "nft_fib_ipv4"]
PROGRAMS = ["runc", "conmon", "nft"]

# What a small distribution does at boot, down to the service that starts skerry and starts it again.
INIT = """#!/bin/busybox sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
mount -t proc proc /proc && mount -t sysfs sys /sys && mount -t devtmpfs dev /dev
mkdir -p /dev/pts /dev/shm && mount -t devpts devpts /dev/pts && mount -t tmpfs shm /dev/shm
mount -t tmpfs -o mode=755 run /run && mount -t tmpfs tmp /tmp && mount -t cgroup2 cgroup /sys/fs/cgroup
mount -o remount,rw /
for module in {modules}; do modprobe $module || echo "no module $module"; done
hostname {name}
ip link set lo up
ip addr add {address}/16 dev eth0 && ip link set eth0 up && ip route add default via {gateway}
echo "boot {name} $(cat /proc/sys/kernel/random/boot_id)"
(while [ ! -s {state}/admin.kubeconfig ]; do sleep 0.1; done; cat {state}/admin.kubeconfig > /dev/ttyS1) &
while :; do
    skerry site $([ -e {state}/store.db ] || echo --join $(cat /etc/skerry.token)) --state {state} --listen 0.0.0.0:7444 --advertise {address}
    echo "skerry ended with status $?"
    sleep 1
done
"""


def check_needs():
    for name, package in {"qemu-system-x86_64": "qemu-system-x86", "mkfs.ext4": "e2fsprogs", "depmod": "kmod", "cpio": "cpio"}.items():
        if not shutil.which(name):
            raise Missing(f"{name} is missing: apt-get install {package} (or tools/bootstrap)")
    if not os.path.exists("/dev/net/tun"):
        raise Missing("/dev/net/tun is missing: modprobe tun")


def kernel():
    """(vmlinuz, folder with lib/modules, release) of Debian's cloud kernel, unpacked from its package and kept under build/."""
    cache = ROOT + "/build/kernel-debian"
    if not glob.glob(cache + "/boot/vmlinuz-*-cloud-amd64"):
        depends = run("apt-cache", "depends", "linux-image-cloud-amd64", check=False).stdout
        found = re.search(r"Depends: (linux-image-\S+-cloud-amd64)", depends)
        if not found:
            raise Missing("Debian's cloud kernel is in no package list: apt-get update")
        shutil.rmtree(cache, ignore_errors=True)
        os.makedirs(cache)
        for refresh in (False, True):
            if refresh:
                subprocess.run(["apt-get", "update", "-qq"], capture_output=True)
            subprocess.run(["apt-get", "download", "-q", found.group(1)], cwd=cache, capture_output=True, timeout=300)
            packages = glob.glob(cache + "/*.deb")
            if packages:
                break
        else:
            raise Missing(f"apt-get download {found.group(1)} failed")
        run("dpkg-deb", "-x", packages[0], cache, timeout=300)
        os.unlink(packages[0])
    image = glob.glob(cache + "/boot/vmlinuz-*-cloud-amd64")[0]
    release = os.path.basename(image)[len("vmlinuz-"):]
    if not os.path.exists(f"{cache}/lib/modules/{release}/modules.dep"):
        run("depmod", "-b", cache, release, timeout=120)
    return image, cache, release


def copy(path, root, to=None):
    target = root + (to or path)
    os.makedirs(os.path.dirname(target), exist_ok=True)
    shutil.copy2(os.path.realpath(path), target)


def copy_program(path, root, to=None):
    """A program and the shared libraries it needs."""
    copy(path, root, to)
    for line in run("ldd", path, check=False).stdout.splitlines():
        library = re.search(r"(/\S+) \(0x", line)
        if library and not os.path.exists(root + library.group(1)):
            copy(library.group(1), root)


def copy_modules(root, names):
    """These modules and all they need, in an order that modprobe finds."""
    _, cache, release = kernel()
    folder = f"/lib/modules/{release}"
    needs = {}
    for line in read(f"{cache}{folder}/modules.dep").splitlines():
        file, _, others = line.partition(":")
        needs[re.sub(r"\.ko.*", "", os.path.basename(file)).replace("-", "_")] = [file, *others.split()]
    for name in names:
        for file in needs[name]:
            copy(f"{cache}{folder}/{file}", root, f"{folder}/{file}")
    for file in ("modules.order", "modules.builtin", "modules.builtin.modinfo"):
        copy(f"{cache}{folder}/{file}", root, f"{folder}/{file}")
    run("depmod", "-b", root, release)


def add_busybox(root):
    copy("/bin/busybox", root)
    for applet in ("sh", "mount", "ip", "hostname", "sleep", "cat", "mkdir", "modprobe", "echo", "switch_root", "ls", "ps"):
        os.symlink("busybox", f"{root}/bin/{applet}")


class Box(Machine):
    """A machine whose skerry runs on a kernel of its own. Made, then `install`ed with a join token, then started."""

    def __init__(self, world, name, network):
        self.qemu, self.boots = None, 0
        super().__init__(world, name, [network])
        self.guest = f"{network.subnet}.1.{network.next}"
        self.state_inside = "/var/lib/skerry"
        self.console, self.second = f"{self.folder}/console.log", f"{self.folder}/kubeconfig.raw"
        self.disk, self.initrd = f"{self.folder}/disk.img", f"{self.folder}/initrd.img"

    def install(self, token):
        """Makes the disk."""
        root = self.folder + "/root"
        for folder in ("bin", "etc", "proc", "sys", "dev", "run", "tmp", "usr/bin", "usr/sbin", "var/lib", "var/tmp", "root"):
            os.makedirs(f"{root}/{folder}", exist_ok=True)
        add_busybox(root)
        stripped = self.folder + "/skerry"
        run("strip", "-o", stripped, program())
        copy_program(stripped, root, "/usr/bin/skerry")
        for name in PROGRAMS:
            copy_program(shutil.which(name), root, "/usr/bin/" + name)
        copy_modules(root, MODULES)
        files = {"/init": INIT.format(modules=" ".join(MODULES), name=self.name, address=self.guest, gateway=self.links[0].network.subnet + ".0.1", state=self.state_inside),
                 "/etc/skerry.token": token + "\n", "/etc/passwd": "root:x:0:0:root:/root:/bin/sh\n", "/etc/group": "root:x:0:\n",
                 "/etc/hosts": f"127.0.0.1 localhost\n{self.guest} {self.name}\n", "/etc/nsswitch.conf": "hosts: files\n", "/etc/resolv.conf": ""}
        for path, text in files.items():
            with open(root + path, "w", encoding="ascii") as file:
                file.write(text)
        os.chmod(root + "/init", 0o755)
        run("mkfs.ext4", "-q", "-d", root, self.disk, "1G", timeout=120)
        shutil.rmtree(root)
        self.make_initrd()

    def make_initrd(self):
        root = self.folder + "/initrd"
        for folder in ("bin", "dev", "proc", "root"):
            os.makedirs(f"{root}/{folder}")
        add_busybox(root)
        copy_modules(root, ["virtio_pci", "virtio_blk"])
        with open(root + "/init", "w", encoding="ascii") as file:
            file.write("#!/bin/busybox sh\nmount -t proc proc /proc && mount -t devtmpfs dev /dev\nmodprobe virtio_pci && modprobe virtio_blk\n"
                       "while [ ! -b /dev/vda ]; do sleep 0.05; done\nmount -t ext4 -o ro /dev/vda /root\numount /proc 2>/dev/null\nexec switch_root /root /init\n")
        os.chmod(root + "/init", 0o755)
        run("sh", "-c", f"cd {root} && find . | cpio -o -H newc --quiet > {self.initrd}")
        shutil.rmtree(root)

    def boot(self):
        """Plugs it in."""
        image, _, _ = kernel()
        subnet = self.links[0].network.subnet
        self.run("sh", "-c", f"ip link add br0 type bridge forward_delay 0 && ip addr flush dev eth0 && ip link set eth0 master br0 && ip tuntap add tap0 mode tap && "
                 f"ip link set tap0 master br0 && ip addr add {self.address}/16 dev br0 && ip link set br0 up && ip link set tap0 up && ip route add default via {subnet}.0.1"
                 if self.boots == 0 else "true")
        self.boots += 1
        can_virtualise = re.search(r"^flags\s*:.*\b(vmx|svm)\b", read("/proc/cpuinfo"), re.M) and os.access("/dev/kvm", os.W_OK)
        cpu = ["-accel", "kvm", "-cpu", "host"] if can_virtualise else ["-accel", "tcg,thread=multi", "-cpu", "qemu64"]
        self.seen = os.path.getsize(self.console) if os.path.exists(self.console) else 0
        self.qemu = subprocess.Popen(
            [*self.inside("-p"), "qemu-system-x86_64", "-nodefaults", "-no-reboot", "-display", "none", "-M", "pc", *cpu, "-m", "512", "-smp", "1", "-kernel", image,
             "-initrd", self.initrd, "-append", "console=ttyS0 quiet panic=-1 random.trust_cpu=on mitigations=off systemd.unified_cgroup_hierarchy=1",
             "-chardev", f"file,id=console,path={self.console},append=on", "-serial", "chardev:console", "-serial", f"file:{self.second}",
             "-drive", f"file={self.disk},if=virtio,format=raw,cache=writeback", "-netdev", "tap,id=lan,ifname=tap0,script=no,downscript=no",
             "-device", "virtio-net-pci,netdev=lan,romfile=", "-device", "virtio-rng-pci"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, preexec_fn=die_with_parent)
        self.qemu_pid = child_of(self.qemu.pid)

    def said(self):
        """On its console, since it was last plugged in."""
        if not os.path.exists(self.console):
            return ""
        with open(self.console, "rb") as file:
            file.seek(self.seen)
            return file.read().decode(errors="replace")

    def is_up(self):
        if self.qemu.poll() is not None:
            raise Failure(f"QEMU ended with status {self.qemu.returncode}: {self.qemu.stdout.read()}\n{tail(self.console, 20)}")
        return " is up (" in self.said()

    def wait_up(self, timeout=60):
        wait_until(f"skerry on {self.name} says that it is up", self.is_up, timeout)
        text = wait_until("the kubeconfig", lambda: "kind: Config" in read(self.second) and read(self.second), 10)
        os.makedirs(self.state, exist_ok=True)
        with open(self.kubeconfig, "w", encoding="utf-8") as file:
            file.write(re.sub(r"server: https://\S+", f"server: https://{self.guest}:7444", text.replace("\r", "")))

    def pull_the_plug(self):
        """No shutdown, no flush: what the computer had in memory is gone."""
        os.kill(self.qemu_pid, signal.SIGKILL)
        self.qemu.wait()
        time.sleep(0.1)

    def power_off(self):
        if self.qemu and self.qemu.poll() is None:
            self.pull_the_plug()
        super().power_off()
