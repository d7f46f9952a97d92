#pragma once

#include "http/tls.h"
#include "trust/authority.h"
#include "trust/keys/key.h"

#include <gtest/gtest.h>

/// Certificates for tests, made by trust.
namespace skerry::http {

inline trust::Authority make_authority(const std::string& name = "core") {
    return *trust::Authority::make_root(trust::Identity::core(name, CellId(Id{1, 1})), WallTime{1'790'000'000, 0});
}

inline Credentials make_credentials(const trust::Authority& authority, trust::Identity identity) {
    auto key = *trust::make_key();
    trust::Grant grant{
        .identity = std::move(identity), .addresses = {"localhost", "127.0.0.1"}, .now = WallTime{1'790'000'000, 0}};
    auto chain = authority.issue_chain(*trust::make_request(key), grant);
    EXPECT_TRUE(chain) << chain.error().message;
    return {.chain_pem = *chain, .key_pem = key};
}

inline trust::Identity some_site() { return trust::Identity::of_site("store-17", CellId(Id{2, 2})); }
inline trust::Identity some_core() { return trust::Identity::core("core", CellId(Id{1, 1})); }

} // namespace skerry::http
