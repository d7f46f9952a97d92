#pragma once

#include "depot/depot.h"
#include "depot/range.h"
#include "env/env.h"
#include "link/mux.h"
#include "main/images/blob_fetch.h"
#include "main/tunnel.h"

#include <memory>
#include <string_view>

namespace skerry::main {

/// Answers children that ask for ranges of blobs (depot/range.h). What is not here is fetched from above first, whole and once,
/// however many children want it. A child asks for no more than its uplink allows; where this end counted more, it ends the range
/// with a reason that begins with `held`, and the child asks again much later.
class BlobServe {
public:
    BlobServe(env::Env, const depot::Depot&, Tunnel&, BlobFetch&);
    static constexpr std::string_view held = "held: ";

private:
    struct Outgoing;
    void serve(const env::Peer&, std::shared_ptr<link::Stream>);
    void open(const std::shared_ptr<Outgoing>&, const depot::RangeRequest&);
    void fetch(const std::shared_ptr<Outgoing>&, const depot::RangeRequest&);

    env::Env env_;
    const depot::Depot& depot_;
    Tunnel& tunnel_;
    BlobFetch& fetch_;
};

} // namespace skerry::main
