#pragma once

#include "env/seeded_chance.h"
#include "trust/authority.h"
#include "trust/certificate.h"
#include "trust/join.h"
#include "trust/keys/key.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace skerry::trust {

/// A fleet of one core and a site with an authority of its own, for tests.
struct Fleet {
    WallTime now{1'800'000'000, 0};
    CellId core_cell{Id{1, 1}};
    CellId site_cell{Id{2, 2}};
    Authority root = Authority::make_root(Identity::core("core", core_cell), now).value();
    std::string site_key = make_key().value();
    std::string site_authority_key = make_key().value();
    Authority site = sub_authority(root, Identity::of_site("store-17", site_cell), site_authority_key);

    std::vector<std::string> anchors() const { return {root.certificate_pem()}; }

    Authority sub_authority(const Authority& parent, Identity identity, const std::string& key) const {
        Grant grant{.identity = std::move(identity), .addresses = {}, .authority = true, .now = now};
        return Authority::open(parent.issue_chain(make_request(key).value(), grant).value(), key).value();
    }
    /// A leaf with everything above it.
    std::vector<std::string> leaf(const Authority& issuer, Identity identity, Duration validity = 24h) const {
        Grant grant{.identity = std::move(identity),
                    .addresses = {"edge.example:7443"},
                    .authority = false,
                    .now = now,
                    .validity = validity};
        auto chain = issuer.issue_chain(make_request(make_key().value()).value(), grant);
        EXPECT_TRUE(chain) << chain.error().message;
        return split_chain(*chain).value();
    }
};

} // namespace skerry::trust
