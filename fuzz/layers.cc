// Layers of images from anywhere, unpacked with root's rights into a folder: nothing may appear or change beside it, and limits
// hold. Inputs are tar streams, plain or compressed; sums of headers are put right first, or no mutation would get past them.
#include "base/check.h"
#include "oci/layers/tar_building.h"
#include "oci/layers/unpack.h"
#include "os/fd.h"
#include "seeds.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <sys/stat.h>
#include <unistd.h>

using namespace skerry;
using oci::testing_tar::Tar;
namespace fs = std::filesystem;

namespace {

constexpr std::int64_t most_bytes = 1 << 20;
constexpr std::int64_t most_entries = 200;

/// A folder to unpack into and a neighbour that must stay as it is.
class Ground {
public:
    Ground() {
        char pattern[] = "/dev/shm/skerry-fuzz-XXXXXX";
        char fallback[] = "/tmp/skerry-fuzz-XXXXXX";
        const char* made = ::mkdtemp(pattern);
        if (!made) made = ::mkdtemp(fallback);
        CHECK(made);
        base_ = made;
        fs::create_directory(base_ / "inside");
        fs::create_directory(base_ / "outside");
        FILE* file = std::fopen((base_ / "outside/precious").c_str(), "w");
        CHECK(file);
        std::fputs("mine", file);
        std::fclose(file);
        before_ = look();
    }
    ~Ground() { fs::remove_all(base_); }

    os::Fd open() const {
        os::Fd fd(::open((base_ / "inside").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        CHECK(fd.number() >= 0);
        return fd;
    }
    void check_and_clear() {
        CHECK(look() == before_, "unpacking changed something outside its folder");
        std::int64_t bytes = 0;
        for (auto& entry : fs::recursive_directory_iterator(base_ / "inside", fs::directory_options::skip_permission_denied)) {
            struct stat facts {};
            CHECK(::lstat(entry.path().c_str(), &facts) == 0);
            CHECK(!S_ISBLK(facts.st_mode), "a block device");
            CHECK(!S_ISCHR(facts.st_mode) || facts.st_rdev == 0, "a character device that is no whiteout");
            if (S_ISREG(facts.st_mode)) bytes += facts.st_blocks * 512 / static_cast<std::int64_t>(facts.st_nlink);
        }
        CHECK(bytes <= most_bytes + most_entries * 4096, "more bytes than the limit");
        fs::remove_all(base_ / "inside");
        fs::create_directory(base_ / "inside");
        struct stat facts {};
        (void)::stat(base_.c_str(), &facts);
    }

private:
    std::string look() const {
        std::string seen;
        for (auto& path : {base_, base_ / "outside", base_ / "outside/precious"}) {
            struct stat facts {};
            CHECK(::lstat(path.c_str(), &facts) == 0);
            seen += std::to_string(facts.st_mode) + " " + std::to_string(facts.st_uid) + " " + std::to_string(facts.st_gid) +
                    " " + std::to_string(facts.st_nlink) + " " + std::to_string(path == base_ ? 0 : facts.st_size) + " " +
                    std::to_string(path == base_ ? 0 : facts.st_mtim.tv_nsec) + "\n";
        }
        for (auto& folder : {base_, base_ / "outside"})
            seen += std::to_string(std::distance(fs::directory_iterator(folder), fs::directory_iterator())) + "\n";
        return seen;
    }
    fs::path base_;
    std::string before_;
};

/// Rights the checksum of every block that looks like a header (POSIX ustar and GNU).
void right_sums(std::string& tar) {
    for (std::size_t at = 0; at + 512 <= tar.size(); at += 512) {
        char* block = tar.data() + at;
        if (std::memcmp(block + 257, "ustar", 5) != 0) continue;
        std::memset(block + 148, ' ', 8);
        unsigned sum = 0;
        for (int i = 0; i < 512; ++i) sum += static_cast<unsigned char>(block[i]);
        std::snprintf(block + 148, 8, "%06o", sum & 0777777);
    }
}

} // namespace

extern "C" int LLVMFuzzerInitialize(int* count, char*** arguments) {
    Tar plain;
    plain.folder("bin")
        .file("bin/sh", "#!", 04755)
        .link("bin/ls", "bin/sh")
        .symlink("lib", "usr/lib")
        .folder("usr/lib")
        .file("lib/x", "y");
    Tar hostile;
    hostile.symlink("a", "../outside")
        .file("a/b", "x")
        .symlink("r", "/")
        .file("r/etc/passwd", "root")
        .file("../up", "x")
        .device("sda");
    Tar whiteouts;
    whiteouts.folder("etc")
        .file("etc/.wh.hosts", "")
        .file("etc/.wh..wh..opq", "")
        .attribute("user.a", "b")
        .file("etc/f", "g")
        .fifo("p");
    Tar links;
    links.symlink("x", "../outside/precious")
        .link("y", "x")
        .file("y", "overwritten")
        .link("z", "../outside/precious")
        .file("f", "1")
        .folder("f");
    Tar deep;
    deep.file("a/b/c/d/e/f/g", "x")
        .zeros("zeros", 8192)
        .owner(1000, 1000)
        .file(std::string(180, 'n') + "/" + std::string(90, 'm'), "long");
    using C = Tar::Compression;
    fuzz::start_from({plain.bytes(), hostile.bytes(), whiteouts.bytes(), links.bytes(), deep.bytes(), plain.bytes(C::gzip),
                      deep.bytes(C::zstd), hostile.bytes(C::gzip)},
                     count, arguments);
    return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* bytes, std::size_t size) {
    static Ground ground;
    std::string tar(reinterpret_cast<const char*>(bytes), size);
    right_sums(tar);
    {
        os::Fd folder = ground.open();
        auto done = oci::unpack_bytes(
            tar, folder.number(),
            {.limits = {.bytes = most_bytes, .entries = most_entries, .path = 1024, .ratio = 1200}, .owners = oci::Owners::ours});
        if (done)
            CHECK(done->bytes <= most_bytes && done->entries <= most_entries);
        else
            CHECK(!done.error().message.empty());
    }
    ground.check_and_clear();
    return 0;
}
