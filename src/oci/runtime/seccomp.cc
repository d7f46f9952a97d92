#include "oci/runtime/seccomp.h"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <linux/netlink.h>
#include <sys/socket.h>

namespace skerry::oci {

namespace {

/// What every program may call: names separated by blanks, by what they are about. Names that a machine's libseccomp does not
/// know are skipped by the runtimes.
constexpr std::string_view allowed[] = {
    // opening, reading, writing
    "open openat openat2 creat close close_range read readv pread64 preadv preadv2 write writev pwrite64 pwritev pwritev2 lseek "
    "_llseek "
    "sendfile sendfile64 splice tee copy_file_range readahead fadvise64 fadvise64_64 fallocate truncate truncate64 ftruncate "
    "ftruncate64 "
    "sync syncfs fsync fdatasync sync_file_range dup dup2 dup3 fcntl fcntl64 flock ioctl pipe pipe2 memfd_create",
    // names and what is known of files
    "access faccessat faccessat2 stat stat64 lstat lstat64 fstat fstat64 fstatat64 newfstatat statx statfs statfs64 fstatfs "
    "fstatfs64 "
    "readlink readlinkat readdir getdents getdents64 getcwd chdir fchdir mkdir mkdirat rmdir link linkat symlink symlinkat "
    "unlink unlinkat "
    "rename renameat renameat2 mknod mknodat chmod fchmod fchmodat fchmodat2 chown chown32 fchown fchown32 lchown lchown32 "
    "fchownat umask "
    "utime utimes futimesat utimensat utimensat_time64 name_to_handle_at "
    "getxattr lgetxattr fgetxattr setxattr lsetxattr fsetxattr listxattr llistxattr flistxattr removexattr lremovexattr "
    "fremovexattr",
    // waiting for files
    "select _newselect pselect6 pselect6_time64 poll ppoll ppoll_time64 epoll_create epoll_create1 epoll_ctl epoll_ctl_old "
    "epoll_wait "
    "epoll_wait_old epoll_pwait epoll_pwait2 eventfd eventfd2 inotify_init inotify_init1 inotify_add_watch inotify_rm_watch "
    "fanotify_mark "
    "io_setup io_destroy io_submit io_cancel io_getevents signalfd signalfd4",
    // mounts: the kernel asks for rights over the mount namespace besides
    "mount umount umount2 pivot_root open_tree move_mount fsopen fsconfig fsmount fspick",
    // sockets (`socket` itself is below)
    "socketcall socketpair bind listen accept accept4 connect shutdown getsockname getpeername getsockopt setsockopt "
    "send sendto sendmsg sendmmsg recv recvfrom recvmsg recvmmsg recvmmsg_time64",
    // memory
    "brk mmap mmap2 munmap mremap mprotect msync madvise mincore mlock mlock2 mlockall munlock munlockall remap_file_pages "
    "pkey_alloc pkey_free pkey_mprotect membarrier",
    // processes and threads
    "clone clone3 fork vfork execve execveat exit exit_group wait4 waitid waitpid unshare getpid getppid gettid getpgid getpgrp "
    "setpgid getsid "
    "setsid pidfd_open pidfd_getfd pidfd_send_signal prctl seccomp set_tid_address set_thread_area get_thread_area "
    "set_robust_list "
    "get_robust_list rseq futex futex_time64 futex_waitv futex_wait futex_wake futex_requeue restart_syscall getcpu uname "
    "sysinfo "
    "getpriority setpriority getrlimit setrlimit ugetrlimit prlimit64 getrusage ioprio_get ioprio_set times "
    "sched_yield sched_getaffinity sched_setaffinity sched_getattr sched_setattr sched_getparam sched_setparam "
    "sched_getscheduler "
    "sched_setscheduler sched_get_priority_max sched_get_priority_min sched_rr_get_interval sched_rr_get_interval_time64",
    // who one is
    "getuid getuid32 geteuid geteuid32 getgid getgid32 getegid getegid32 getresuid getresuid32 getresgid getresgid32 getgroups "
    "getgroups32 "
    "setuid setuid32 setgid setgid32 setreuid setreuid32 setregid setregid32 setresuid setresuid32 setresgid setresgid32 "
    "setgroups setgroups32 "
    "setfsuid setfsuid32 setfsgid setfsgid32 capget capset keyctl getrandom landlock_create_ruleset landlock_add_rule "
    "landlock_restrict_self",
    // signals
    "kill tkill tgkill rt_sigaction rt_sigprocmask rt_sigpending rt_sigqueueinfo rt_tgsigqueueinfo rt_sigreturn rt_sigsuspend "
    "rt_sigtimedwait "
    "rt_sigtimedwait_time64 sigaltstack sigreturn pause alarm",
    // time: setting it needs CAP_SYS_TIME, which the kernel asks for
    "time gettimeofday clock_gettime clock_gettime64 clock_getres clock_getres_time64 clock_nanosleep clock_nanosleep_time64 "
    "nanosleep adjtimex "
    "clock_adjtime clock_adjtime64 getitimer setitimer timer_create timer_delete timer_getoverrun timer_gettime timer_gettime64 "
    "timer_settime "
    "timer_settime64 timerfd_create timerfd_gettime timerfd_gettime64 timerfd_settime timerfd_settime64",
    // System V and POSIX messages, semaphores, shared memory
    "ipc msgctl msgget msgrcv msgsnd semctl semget semop semtimedop semtimedop_time64 shmat shmctl shmdt shmget mq_open "
    "mq_unlink mq_notify "
    "mq_getsetattr mq_timedreceive mq_timedreceive_time64 mq_timedsend mq_timedsend_time64",
    // without the capability they ask for, the kernel refuses them itself
    "reboot syslog",
};

/// Fails with EPERM rather than ENOSYS, since programs take a missing call for an old kernel and go on to something worse.
constexpr std::string_view refused = "bdflush io_pgetevents kexec_file_load kexec_load migrate_pages move_pages nfsservctl nice "
                                     "oldfstat oldlstat oldolduname oldstat olduname "
                                     "pciconfig_iobase pciconfig_read pciconfig_write sgetmask ssetmask swapoff swapon sysfs "
                                     "uselib userfaultfd ustat vm86 vm86old "
                                     "vmsplice";

struct Privileged {
    std::string_view capability;
    std::string_view calls;
};

/// Allowed with the capability, EPERM without.
constexpr Privileged privileged[] = {
    {"CAP_DAC_READ_SEARCH", "open_by_handle_at"},
    {"CAP_SYS_ADMIN", "bpf fanotify_init lookup_dcookie perf_event_open quotactl setdomainname sethostname setns"},
    {"CAP_SYS_CHROOT", "chroot"},
    {"CAP_SYS_MODULE", "delete_module init_module finit_module query_module"},
    {"CAP_SYS_NICE", "get_mempolicy mbind set_mempolicy"},
    {"CAP_SYS_PACCT", "acct"},
    {"CAP_SYS_PTRACE", "kcmp process_madvise process_vm_readv process_vm_writev ptrace"},
    {"CAP_SYS_RAWIO", "iopl ioperm"},
    {"CAP_SYS_TIME", "settimeofday stime clock_settime clock_settime64"},
    {"CAP_SYS_TTY_CONFIG", "vhangup"},
};

void add_words(Json& list, std::string_view words) {
    while (!words.empty()) {
        auto word = words.substr(0, words.find(' '));
        words.remove_prefix(std::min(words.size(), word.size() + 1));
        if (!word.empty()) list.push(word);
    }
}

Json words(std::string_view text) {
    Json list = Json::array();
    add_words(list, text);
    return list;
}

Json rule(Json names, std::string_view action, Json conditions = Json::array()) {
    Json json;
    json.set("names", std::move(names));
    json.set("action", action);
    json.set("args", std::move(conditions));
    return json;
}

Json allow(Json names, Json conditions = Json::array()) {
    return rule(std::move(names), "SCMP_ACT_ALLOW", std::move(conditions));
}

Json refuse(Json names, int error, Json conditions = Json::array()) {
    Json json = rule(std::move(names), "SCMP_ACT_ERRNO", std::move(conditions));
    json.set("errnoRet", error);
    return json;
}

Json condition(int argument, std::int64_t value, std::string_view comparison) {
    Json json;
    json.set("index", argument);
    json.set("value", value);
    json.set("op", comparison);
    return json;
}

Json architectures(std::string_view architecture) {
    if (architecture == "amd64") return words("SCMP_ARCH_X86_64 SCMP_ARCH_X86 SCMP_ARCH_X32");
    if (architecture == "386") return words("SCMP_ARCH_X86");
    if (architecture == "arm64") return words("SCMP_ARCH_AARCH64 SCMP_ARCH_ARM");
    if (architecture == "arm") return words("SCMP_ARCH_ARM");
    if (architecture == "ppc64le") return words("SCMP_ARCH_PPC64LE");
    if (architecture == "s390x") return words("SCMP_ARCH_S390X SCMP_ARCH_S390");
    if (architecture == "riscv64") return words("SCMP_ARCH_RISCV64");
    return Json::array(); // the runtime takes the machine's own
}

} // namespace

Json seccomp_profile(std::string_view architecture, std::span<const std::string> capabilities) {
    Json common = Json::array();
    for (auto group : allowed) add_words(common, group);
    if (architecture == "amd64" || architecture == "386") add_words(common, "arch_prctl modify_ldt");
    if (architecture == "arm" || architecture == "arm64")
        add_words(common, "arm_fadvise64_64 arm_sync_file_range sync_file_range2 breakpoint cacheflush set_tls");
    if (architecture == "ppc64le") add_words(common, "sync_file_range2 swapcontext");
    if (architecture == "riscv64") add_words(common, "riscv_flush_icache riscv_hwprobe");
    if (architecture == "s390x") add_words(common, "s390_pci_mmio_read s390_pci_mmio_write s390_runtime_instr");

    Json rules = Json::array();
    rules.push(refuse(words(refused), EPERM));
    rules.push(allow(std::move(common)));
    // personality(2): Linux, 32 bit, UTS26 and the question what it is.
    for (std::int64_t persona : {0x0L, 0x8L, 0x20000L, 0x20008L, 0xffffffffL})
        rules.push(allow(words("personality"), Json::array({condition(0, persona, "SCMP_CMP_EQ")})));
    for (auto& [capability, calls] : privileged)
        rules.push(std::ranges::find(capabilities, capability) != capabilities.end() ? allow(words(calls))
                                                                                     : refuse(words(calls), EPERM));
    if (std::ranges::find(capabilities, "CAP_AUDIT_WRITE") != capabilities.end()) {
        rules.push(allow(words("socket")));
    } else {
        // Login programs take EINVAL for a kernel without auditing and go on.
        rules.push(refuse(words("socket"), EINVAL,
                          Json::array({condition(0, AF_NETLINK, "SCMP_CMP_EQ"), condition(2, NETLINK_AUDIT, "SCMP_CMP_EQ")})));
        rules.push(allow(words("socket"), Json::array({condition(0, AF_NETLINK, "SCMP_CMP_NE")})));
        rules.push(allow(words("socket"), Json::array({condition(2, NETLINK_AUDIT, "SCMP_CMP_NE")})));
    }
    Json json;
    json.set("defaultAction", "SCMP_ACT_ERRNO");
    json.set("defaultErrnoRet", ENOSYS);
    if (Json list = architectures(architecture); !list.array_items()->empty()) json.set("architectures", std::move(list));
    json.set("syscalls", std::move(rules));
    return json;
}

} // namespace skerry::oci
