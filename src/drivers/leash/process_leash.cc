#include "drivers/leash/process_leash.h"

#include "base/log.h"
#include "os/files.h"
#include "os/process.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <string_view>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace skerry::drivers::leash {

extern const std::string_view program_bytes;

namespace {

constexpr std::size_t most_bytes = 128 << 10;
constexpr Duration patience = 2s;

struct Header {
    std::uint64_t until = 0;
    std::uint64_t length = 0;
};

/// Socket addresses are short; a path through the folder's descriptor always fits.
struct Address {
    os::Fd folder;
    sockaddr_un name{};
};

Result<Address> address_of(const std::string& folder, const std::string& file) {
    Address address;
    address.folder = TRY(os::open(folder, O_PATH | O_DIRECTORY));
    std::string path = "/proc/self/fd/" + std::to_string(address.folder.number()) + "/" + file;
    address.name.sun_family = AF_UNIX;
    std::memcpy(address.name.sun_path, path.c_str(), std::min(path.size(), sizeof address.name.sun_path - 1));
    return address;
}

Result<os::Fd> seqpacket() {
    os::Fd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    if (!fd) return fail_errno("socket of the leash");
    return fd;
}

Result<std::string> receive(int fd) {
    auto deadline = TRY(os::Deadline::after(patience));
    TRY_VOID(os::wait_for(fd, POLLIN, deadline) | during("the leash does not answer"));
    std::string bytes(most_bytes, '\0');
    ssize_t n = ::recv(fd, bytes.data(), bytes.size(), 0);
    if (n < 0) return fail_errno("read from the leash");
    if (n == 0) return fail(Code::unavailable, "the leash ended");
    bytes.resize(static_cast<std::size_t>(n));
    return bytes;
}

const sockaddr* plain(const sockaddr_un& address) { return reinterpret_cast<const sockaddr*>(&address); }

} // namespace

Result<std::string> ProcessLeash::connect() {
    auto address = TRY(address_of(options_.run, "leash"));
    auto fd = TRY(seqpacket());
    if (::connect(fd.number(), plain(address.name), sizeof address.name) < 0) {
        if (errno == ENOENT || errno == ECONNREFUSED) return fail(Code::not_found, "there is no leash");
        return fail_errno("connect to the leash");
    }
    auto held = TRY(receive(fd.number()));
    if (held.size() < sizeof(Header)) return fail(Code::internal, "the leash answers in another way than this version's");
    peer_ = std::move(fd);
    return held;
}

Result<std::optional<Leash::Hold>> ProcessLeash::recall() {
    auto held = connect();
    if (!held && held.error().code == Code::not_found) return std::nullopt;
    if (!held) return std::unexpected(held.error());
    Header header;
    std::memcpy(&header, held->data(), sizeof header);
    if (header.until == 0) return std::nullopt;
    Hold hold{.until = {Duration(static_cast<Duration::rep>(header.until))},
              .length = Duration(static_cast<Duration::rep>(header.length)),
              .names = {}};
    std::string_view rest = std::string_view(*held).substr(sizeof header);
    while (!rest.empty()) {
        auto end = rest.find('\0');
        std::string_view word = rest.substr(0, end);
        rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
        if (!word.empty() && word[0] != '/') hold.names.emplace_back(word);
    }
    return hold;
}

Result<std::string> ProcessLeash::message(const Hold& hold) const {
    Header header{.until = static_cast<std::uint64_t>(std::max<Duration::rep>(1, hold.until.since_boot.count())),
                  .length = static_cast<std::uint64_t>(hold.length.count())};
    std::string bytes(reinterpret_cast<const char*>(&header), sizeof header);
    auto cgroups = TRY(os::Cgroups::detect());
    for (const InstanceName& name : hold.names) {
        std::string group = options_.cgroup + "/" + name;
        bytes += name + '\0';
        auto folders = cgroups.folders(group);
        auto freezer = cgroups.folder(group, "freezer");
        if (freezer)
            bytes += *freezer + '\0';
        else if (!folders.empty())
            bytes += folders.front() + '\0';
        if (cgroups.layout() == os::Cgroups::Layout::hybrid) bytes += folders.back() + '\0';
    }
    if (bytes.size() > most_bytes)
        return fail(Code::exhausted, "the leash holds no more than " + std::to_string(most_bytes) + " bytes of names, and " +
                                         std::to_string(hold.names.size()) + " instances need " + std::to_string(bytes.size()));
    return bytes;
}

Result<void> ProcessLeash::start() {
    // From memory, so that it needs no file beside the one program.
    os::Fd writable(::memfd_create("skerry-leash", MFD_CLOEXEC));
    if (!writable) return fail_errno("memory for the leash");
    std::string_view rest = program_bytes;
    while (!rest.empty()) {
        ssize_t n = ::write(writable.number(), rest.data(), rest.size());
        if (n <= 0) return fail_errno("memory for the leash");
        rest.remove_prefix(static_cast<std::size_t>(n));
    }
    std::string self = "/proc/self/fd/" + std::to_string(writable.number());
    os::Fd program = TRY(os::open(self, O_RDONLY));
    writable.reset();

    auto address = TRY(address_of(options_.run, "leash"));
    TRY_VOID(os::unlink(socket()));
    auto listener = TRY(seqpacket());
    if (::bind(listener.number(), plain(address.name), sizeof address.name) < 0)
        return fail_errno("bind the socket of the leash");
    if (::listen(listener.number(), 4) < 0) return fail_errno("listen for the leash");
    os::Command command{.argv = {"/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(program.number())}};
    command.inherit = {{listener.number(), 3}};
    auto process = TRY(os::spawn_detached(command) | during("start the leash"));
    // Out of our own group, so that nothing which ends our group ends the leash with it.
    auto moved = [&]() -> Result<void> {
        auto cgroups = TRY(os::Cgroups::detect());
        TRY_VOID(cgroups.create(options_.cgroup + "/monitors"));
        return cgroups.enter(options_.cgroup + "/monitors", process.pid);
    }();
    if (!moved) log(Level::warning, "leash", "it shares the daemon's cgroup, and may end with it: {}", moved.error().message);
    return {};
}

Result<void> ProcessLeash::tell(const std::string& message) {
    if (!peer_) {
        auto there = connect();
        if (!there && there.error().code == Code::not_found) {
            TRY_VOID(start());
            there = connect();
        }
        if (!there) return std::unexpected(there.error());
    }
    if (::send(peer_.number(), message.data(), message.size(), MSG_NOSIGNAL) < 0) {
        int error = errno;
        peer_.reset();
        return fail_errno("tell the leash", error);
    }
    auto answer = receive(peer_.number());
    if (!answer || answer->size() != 1) {
        peer_.reset();
        return answer ? fail(Code::internal, "the leash answers in another way than this version's")
                      : Result<void>(std::unexpected(answer.error()));
    }
    return {};
}

Result<void> ProcessLeash::hold(const Hold& hold) {
    auto bytes = TRY(message(hold));
    bool was_there = static_cast<bool>(peer_);
    auto told = tell(bytes);
    // One that died is started again; whatever it held, this holds now.
    if (!told && was_there) told = tell(bytes);
    return told;
}

Result<void> ProcessLeash::release() {
    if (!peer_)
        if (auto there = connect(); !there)
            return there.error().code == Code::not_found ? Result<void>() : Result<void>(std::unexpected(there.error()));
    Header nothing;
    auto told = tell(std::string(reinterpret_cast<const char*>(&nothing), sizeof nothing));
    peer_.reset();
    return told;
}

} // namespace skerry::drivers::leash
