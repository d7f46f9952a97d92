#pragma once

#include "depot/depot.h"
#include "env/env.h"
#include "http/server.h"
#include "trust/identity.h"

#include <deque>
#include <functional>
#include <map>
#include <memory>

namespace skerry::api {

/// Bytes of images, by digest, for `skerry image push`:
///
///     HEAD /blobs/v1/sha256:…              200 with X-Size if it is here whole; else 404 with X-Have: how many bytes a
///                                          transfer can resume behind
///     PUT  /blobs/v1/sha256:…?size=N&at=K  the bytes from K on; 201 when whole and verified, 200 with X-Have while bytes
///                                          are missing. While another client uploads it, this one waits; the answer may come
///                                          before the body, when that one brought it all
///
/// What a client tags afterwards with an Image object stays; anything else is swept later.
class Blobs {
public:
    struct Options {
        env::Env env;
        depot::Depot& depot;
        std::function<Result<trust::Identity>(const http::Request&)> identify;
        /// A blob came, or was asked about and is here. It is pinned, once for each call, and whoever is told unpins it when an
        /// Image has had time to name it.
        std::function<void(const depot::Digest&)> arrived;
    };
    explicit Blobs(Options);

    /// For Server::on_head: uploads are streamed and may be long.
    static bool is_upload(const http::Request&);
    /// False: not our path.
    bool answer(const http::Request&, const std::shared_ptr<http::Responder>&);

private:
    struct Taking;
    void look(const depot::Digest&, std::shared_ptr<http::Responder>);
    void begin(std::shared_ptr<Taking>);
    void take(std::shared_ptr<Taking>);
    /// Answers, and lets the next one of the same blob begin.
    void end(Taking&, http::Response);
    void suspend(const depot::Digest&);

    Options options_;
    /// Being uploaded now, by one client at a time; who waits for that. Most of them will find it whole.
    std::map<depot::Digest, std::deque<std::shared_ptr<Taking>>> busy_;
};

} // namespace skerry::api
