#pragma once

#include "base/time.h"
#include "cli/client/blob_upload.h"
#include "env/env.h"

#include <cstdio>
#include <string>

namespace skerry::cli {

/// How an upload gets on: on a terminal a bar that is drawn over, in a pipe one line for each blob when it is done.
class UploadLines {
public:
    UploadLines(const env::Clock&, bool on_terminal, std::FILE* to = stderr);
    void tell(const BlobUpload::Progress&);

    /// "sha256:0123456789ab   12.0 MiB of 40.1 MiB   30%  [#####     ]", without line break.
    static std::string bar(const BlobUpload::Progress&);

private:
    void finish_line(const BlobUpload::Progress&, const char* how);

    const env::Clock& clock_;
    bool on_terminal_;
    std::FILE* to_;
    Instant drawn_{};
    bool open_ = false;
};

/// "sha256:0123456789ab".
std::string short_digest(std::string_view digest);

} // namespace skerry::cli
