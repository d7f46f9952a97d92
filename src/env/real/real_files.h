#pragma once

#include "env/files.h"

#include <string>

namespace skerry::env {

/// The machine's file system. Paths are used as they are given; new files have mode 0600, folders 0700. Thread-safe.
class RealFiles final : public Files {
public:
    /// `free` speaks of the file system that holds this folder.
    explicit RealFiles(std::string folder) : folder_(std::move(folder)) {}

    Result<std::unique_ptr<File>> open(const std::string& path, Mode) override;
    Result<bool> exists(const std::string& path) override;
    Result<void> remove(const std::string& path) override;
    Result<void> rename(const std::string& from, const std::string& to) override;
    Result<void> make_folder(const std::string& path) override;
    Result<std::vector<std::string>> list(const std::string& folder) override;
    Result<void> sync_folder(const std::string& path) override;
    Result<std::uint64_t> free() override;

private:
    std::string folder_;
};

} // namespace skerry::env
