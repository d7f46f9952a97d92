#pragma once

#include "depot/depot.h"
#include "depot/range.h"
#include "env/env.h"
#include "link/mux.h"
#include "main/blob_fetch.h"
#include "main/tunnel.h"

#include <memory>

namespace skerry::main {

/// Answers children that ask for ranges of blobs (depot/range.h). What is not here is fetched from above first, whole and once,
/// however many children want it.
class BlobServe {
public:
    BlobServe(env::Env, const depot::Depot&, Tunnel&, BlobFetch&);

private:
    struct Outgoing;
    void serve(std::shared_ptr<link::Stream>);
    void open(const std::shared_ptr<Outgoing>&, const depot::RangeRequest&);
    void fetch(const std::shared_ptr<Outgoing>&, const depot::RangeRequest&);

    env::Env env_;
    const depot::Depot& depot_;
    Tunnel& tunnel_;
    BlobFetch& fetch_;
};

} // namespace skerry::main
