/// The leash (rule F3): a process of its own, of a few pages, that kills the groups it holds when their time has come. It stands
/// on the kernel alone, without the C library, so that it costs next to nothing and depends on nothing.
///
/// Descriptor 3 is a listening SOCK_SEQPACKET socket. Whoever connects, the last one counting, is sent what is held; each message
/// it sends replaces that, and is answered with one byte:
///
///     8 bytes  the moment, nanoseconds of CLOCK_BOOTTIME; 0: nothing is held any more, and the leash ends
///     8 bytes  remembered for the daemon
///     words, each ended by a zero byte: those that begin with '/' are folders of cgroups; others are remembered for the daemon
///
/// After the moment it kills again and again, ten times a second, whatever comes up in those groups, until it is told otherwise;
/// or, with nobody connected, until nothing has come up for ten seconds. The timer is the kernel's and runs through suspend.
namespace {

using u64 = unsigned long;
using u32 = unsigned int;

#if defined(__x86_64__)
enum Call : long {
    call_read = 0,
    call_write = 1,
    call_close = 3,
    call_accept4 = 288,
    call_kill = 62,
    call_getdents64 = 217,
    call_openat = 257,
    call_exit_group = 231,
    call_ppoll = 271,
    call_timerfd_create = 283,
    call_timerfd_settime = 286,
    call_prctl = 157,
    call_mlockall = 151,
    call_setpriority = 141
};
long call(long number, long a = 0, long b = 0, long c = 0, long d = 0, long e = 0) {
    long result;
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8) : "rcx", "r11", "memory");
    return result;
}
#elif defined(__aarch64__)
enum Call : long {
    call_read = 63,
    call_write = 64,
    call_close = 57,
    call_accept4 = 242,
    call_kill = 129,
    call_getdents64 = 61,
    call_openat = 56,
    call_exit_group = 94,
    call_ppoll = 73,
    call_timerfd_create = 85,
    call_timerfd_settime = 86,
    call_prctl = 167,
    call_mlockall = 230,
    call_setpriority = 140
};
long call(long number, long a = 0, long b = 0, long c = 0, long d = 0, long e = 0) {
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    register long x4 __asm__("x4") = e;
    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4) : "memory");
    return x0;
}
#else
#error "the leash knows the system calls of amd64 and arm64"
#endif

long call(long number, long a, const void* b, long c = 0, long d = 0, long e = 0) {
    return call(number, a, reinterpret_cast<long>(b), c, d, e);
}

constexpr long here = -100; // AT_FDCWD
constexpr long read_only = 0, write_only = 1, close_on_exec = 02000000;
#if defined(__aarch64__)
constexpr long directory = 040000;
#else
constexpr long directory = 0200000;
#endif

constexpr unsigned listening = 3;
constexpr u64 most_bytes = 128 << 10;
constexpr int deepest = 16;

alignas(8) char held[most_bytes];
u64 held_bytes = 0;

void put(long folder, const char* name, const char* text, u64 size) {
    long file = call(call_openat, folder, name, write_only | close_on_exec);
    if (file < 0) return;
    call(call_write, file, text, static_cast<long>(size));
    call(call_close, file);
}

/// How many processes it found and killed.
unsigned kill_listed(long folder) {
    long file = call(call_openat, folder, "cgroup.procs", read_only | close_on_exec);
    if (file < 0) return 0;
    char buffer[512];
    unsigned killed = 0;
    long pid = 0, n = 0;
    while ((n = call(call_read, file, buffer, sizeof buffer)) > 0)
        for (long i = 0; i < n; ++i) {
            if (buffer[i] >= '0' && buffer[i] <= '9') {
                pid = pid * 10 + (buffer[i] - '0');
                continue;
            }
            // 0 is a process outside our view of process numbers.
            if (pid > 1) call(call_kill, pid, 9L), ++killed;
            pid = 0;
        }
    call(call_close, file);
    return killed;
}

unsigned kill_tree(long folder, int depth) {
    unsigned killed = kill_listed(folder);
    if (depth >= deepest) return killed;
    alignas(8) char entries[1024];
    long n = 0;
    while ((n = call(call_getdents64, folder, entries, sizeof entries)) > 0)
        for (long at = 0; at < n;) {
            // struct linux_dirent64: inode, offset, length, kind, name.
            unsigned short length = *reinterpret_cast<unsigned short*>(entries + at + 16);
            const char* name = entries + at + 19;
            if (entries[at + 18] == 4 && name[0] != '.') {
                long below = call(call_openat, folder, name, read_only | directory | close_on_exec);
                if (below >= 0) {
                    killed += kill_tree(below, depth + 1);
                    call(call_close, below);
                }
            }
            at += length;
        }
    return killed;
}

unsigned strike() {
    unsigned killed = 0;
    for (u64 at = 16; at < held_bytes;) {
        const char* word = held + at;
        while (at < held_bytes && held[at] != 0) ++at;
        ++at;
        if (word[0] != '/') continue;
        long folder = call(call_openat, here, word, read_only | directory | close_on_exec);
        if (folder < 0) continue;
        // Standing still, a v1 group can bear no children while it is read; in v2 one write kills all at once.
        put(folder, "freezer.state", "FROZEN", 6);
        killed += kill_tree(folder, 0);
        put(folder, "cgroup.kill", "1", 1);
        put(folder, "freezer.state", "THAWED", 6);
        call(call_close, folder);
    }
    return killed;
}

struct Poll {
    int descriptor;
    short events;
    short found;
};
struct Span {
    long seconds, nanoseconds;
};

[[noreturn]] void leave() {
    for (;;) call(call_exit_group, 0L);
}

void run() {
    put(here, "/proc/self/oom_score_adj", "-1000", 5);
    call(call_prctl, 15, "skerry-leash"); // PR_SET_NAME
    call(call_setpriority, 0, 0L, -10);
    call(call_mlockall, 5L);                                                     // MCL_CURRENT | MCL_ONFAULT
    long timer = call(call_timerfd_create, 7, static_cast<long>(close_on_exec)); // CLOCK_BOOTTIME
    if (timer < 0) leave();
    long peer = -1;
    bool is_due = false;
    unsigned still = 0; // tenths of a second without anything to kill and anybody connected
    for (;;) {
        Poll polls[3] = {{static_cast<int>(listening), 1, 0}, {static_cast<int>(peer), 1, 0}, {static_cast<int>(timer), 1, 0}};
        bool waits = is_due || (held_bytes == 0 && peer < 0);
        Span tenth{0, 100'000'000};
        call(call_ppoll, reinterpret_cast<long>(polls), 3L, waits ? reinterpret_cast<long>(&tenth) : 0);
        if (polls[2].found != 0) {
            u64 times = 0;
            is_due = call(call_read, timer, &times, sizeof times) > 0 || is_due;
        }
        if (is_due && strike() > 0) still = 0;
        if (waits && peer < 0 && ++still > 100) leave();
        if (polls[1].found != 0) {
            alignas(8) static char message[most_bytes];
            long n = call(call_read, peer, message, sizeof message);
            if (n < 16) {
                call(call_close, peer);
                peer = -1;
                continue;
            }
            u64 until = *reinterpret_cast<u64*>(message);
            for (long i = 0; i < n; ++i) held[i] = message[i];
            held_bytes = static_cast<u64>(n);
            held[n < static_cast<long>(most_bytes) ? n : n - 1] = 0;
            still = 0;
            is_due = false;
            Span spec[2] = {{0, 0}, {static_cast<long>(until / 1'000'000'000), static_cast<long>(until % 1'000'000'000)}};
            call(call_timerfd_settime, timer, 1L, reinterpret_cast<long>(spec)); // TFD_TIMER_ABSTIME
            char answer = 1;
            call(call_write, peer, &answer, 1);
            if (until == 0) leave();
        }
        if (polls[0].found != 0) {
            long other = call(call_accept4, listening, 0L, 0, close_on_exec);
            if (other < 0) continue;
            if (peer >= 0) call(call_close, peer);
            peer = other;
            still = 0;
            static const char nothing[16] = {};
            if (held_bytes > 0)
                call(call_write, peer, held, static_cast<long>(held_bytes));
            else
                call(call_write, peer, nothing, sizeof nothing);
        }
    }
}

} // namespace

extern "C" {
// What compilers make of loops and initialisers.
void* memset(void* to, int value, u64 size) {
    auto* at = static_cast<volatile char*>(to);
    while (size-- > 0) *at++ = static_cast<char>(value);
    return to;
}
void* memcpy(void* to, const void* from, u64 size) {
    auto* at = static_cast<volatile char*>(to);
    const auto* source = static_cast<const char*>(from);
    while (size-- > 0) *at++ = *source++;
    return to;
}
#if defined(__x86_64__)
__asm__(".globl _start\n_start:\n xor %ebp, %ebp\n and $-16, %rsp\n call skerry_leash\n hlt\n");
#else
__asm__(".globl _start\n_start:\n mov x29, #0\n bl skerry_leash\n");
#endif
__attribute__((used)) void skerry_leash() { run(); }
}
