#pragma once

#include "cli/client/session.h"
#include "oci/read_image.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace skerry::cli {

/// Sends an image's blobs to `/blobs/v1` (api/blobs.h) while they are read: what is there is not sent, what was broken off goes
/// on at the byte behind.
class BlobUpload final : public oci::BlobSink {
public:
    /// `total` 0: not known yet; `sent` counts bytes that are there, resumed ones included.
    struct Progress {
        std::string digest;
        std::int64_t sent = 0;
        std::int64_t total = 0;
        enum class Stage { present, begun, moving, finished, broken } stage = Stage::begun;
    };
    BlobUpload(Session&, std::function<void(const Progress&)>);
    ~BlobUpload() override;

    Result<bool> has(const std::string& digest) override;
    Result<void> begin(const std::string& digest, std::int64_t size, std::string_view media_type) override;
    Result<void> append(std::string_view bytes) override;
    Result<void> finish(const std::string& digest) override;
    void abandon(const std::string& digest) override;

    /// Bytes that went over the wire.
    std::int64_t sent() const { return sent_; }

private:
    struct Sending;
    Result<void> wait_for_reader();
    Result<void> end_body(const std::string& digest);
    void tell(Progress::Stage);

    Session& session_;
    std::function<void(const Progress&)> progress_;
    std::int64_t resume_at_ = 0;
    std::string resume_digest_;
    std::int64_t sent_ = 0;
    std::unique_ptr<Sending> sending_;
};

} // namespace skerry::cli
