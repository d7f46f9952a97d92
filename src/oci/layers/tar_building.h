#pragma once

#include <archive.h>
#include <archive_entry.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

/// Archives for tests, also such as no tool would write.
namespace skerry::oci::testing_tar {

class Tar {
public:
    enum class Compression { none, gzip, zstd };

    Tar& file(const std::string& name, const std::string& text, unsigned mode = 0644) { return add(name, AE_IFREG, mode, text); }
    Tar& zeros(const std::string& name, std::size_t size) { return add(name, AE_IFREG, 0644, std::string(size, '\0')); }
    Tar& folder(const std::string& name, unsigned mode = 0755) { return add(name, AE_IFDIR, mode); }
    Tar& fifo(const std::string& name) { return add(name, AE_IFIFO, 0600); }
    Tar& device(const std::string& name) { return add(name, AE_IFBLK, 0600); }
    Tar& symlink(const std::string& name, const std::string& target) { return add(name, AE_IFLNK, 0777, {}, target); }
    Tar& link(const std::string& name, const std::string& target) { return add(name, AE_IFREG, 0644, {}, {}, target); }
    /// For all that follow.
    Tar& with_time(std::int64_t seconds) {
        time_ = seconds;
        return *this;
    }
    Tar& owner(std::int64_t uid, std::int64_t gid) {
        uid_ = uid, gid_ = gid;
        return *this;
    }
    /// For the next entry.
    Tar& attribute(const std::string& name, const std::string& value) {
        attributes_.emplace_back(name, value);
        return *this;
    }

    std::string bytes(Compression compression = Compression::none) const {
        std::string out;
        archive* a = archive_write_new();
        archive_write_set_format_pax_restricted(a);
        archive_write_set_bytes_in_last_block(a, 1);
        if (compression == Compression::gzip) archive_write_add_filter_gzip(a);
        if (compression == Compression::zstd) archive_write_add_filter_zstd(a);
        archive_write_open(
            a, &out, nullptr,
            [](archive*, void* to, const void* from, std::size_t size) -> la_ssize_t {
                static_cast<std::string*>(to)->append(static_cast<const char*>(from), size);
                return static_cast<la_ssize_t>(size);
            },
            nullptr);
        for (auto& item : items_) {
            archive_entry* entry = archive_entry_new();
            archive_entry_set_pathname(entry, item.name.c_str());
            archive_entry_set_filetype(entry, item.type);
            archive_entry_set_perm(entry, static_cast<__LA_MODE_T>(item.mode));
            archive_entry_set_uid(entry, item.uid);
            archive_entry_set_gid(entry, item.gid);
            archive_entry_set_mtime(entry, item.time, 0);
            if (!item.symlink.empty()) archive_entry_set_symlink(entry, item.symlink.c_str());
            if (!item.link.empty()) archive_entry_set_hardlink(entry, item.link.c_str());
            if (item.type == AE_IFREG && item.link.empty())
                archive_entry_set_size(entry, static_cast<la_int64_t>(item.text.size()));
            for (auto& [name, value] : item.attributes)
                archive_entry_xattr_add_entry(entry, name.c_str(), value.data(), value.size());
            archive_write_header(a, entry);
            if (!item.text.empty()) archive_write_data(a, item.text.data(), item.text.size());
            archive_entry_free(entry);
        }
        archive_write_close(a);
        archive_write_free(a);
        return out;
    }

private:
    struct Item {
        std::string name;
        unsigned type = 0;
        unsigned mode = 0;
        std::string text, symlink, link;
        std::int64_t time = 0, uid = 0, gid = 0;
        std::vector<std::pair<std::string, std::string>> attributes;
    };

    Tar& add(const std::string& name, unsigned type, unsigned mode, std::string text = {}, std::string symlink = {},
             std::string link = {}) {
        items_.push_back({name, type, mode, std::move(text), std::move(symlink), std::move(link), time_, uid_, gid_,
                          std::exchange(attributes_, {})});
        return *this;
    }

    std::vector<Item> items_;
    std::vector<std::pair<std::string, std::string>> attributes_;
    std::int64_t time_ = 1'700'000'000, uid_ = 0, gid_ = 0;
};

} // namespace skerry::oci::testing_tar
