#include "trust/key_store.h"

#include "env/fake_files.h"
#include "trust/trust_test_fleet.h"

namespace skerry::trust {
namespace {

TEST(KeyStore, makes_a_key_once_and_keeps_what_fits) {
    Fleet fleet;
    env::FakeFiles files;
    KeyStore store(files, "/keys");
    EXPECT_EQ(store.load("cell").error().code, Code::not_found);
    std::string key = store.ensure_key("cell").value();
    EXPECT_EQ(store.ensure_key("cell").value(), key);
    Grant grant{
        .identity = Identity::of_site("store-17", fleet.site_cell), .addresses = {}, .authority = false, .now = fleet.now};
    std::string chain = fleet.root.issue_chain(make_request(key).value(), grant).value();
    ASSERT_TRUE(store.put_chain("cell", chain));
    EXPECT_EQ(store.load("cell").value().chain_pem, chain);
    EXPECT_EQ(store.load("cell").value().key_pem, key);
    EXPECT_EQ(store.put_chain("cell", fleet.root.chain_pem()).error().code, Code::corrupt);
    ASSERT_TRUE(store.put_chain("parent", fleet.root.certificate_pem()));
    EXPECT_EQ(store.load_chain("parent").value(), fleet.root.certificate_pem());
    EXPECT_FALSE(store.put_key("cell", "nonsense"));
    ASSERT_TRUE(store.put_key("cell", make_key().value()));
    EXPECT_EQ(store.load("cell").error().code, Code::corrupt);
}

TEST(KeyStore, a_key_that_was_returned_is_there_after_a_power_cut_at_any_step) {
    for (std::uint64_t n = 0;; ++n) {
        env::FakeFiles files;
        env::SeededChance chance(n);
        files.cut_after(n);
        auto key = KeyStore(files, "/keys").ensure_key("cell");
        for (env::Loss loss :
             {env::Loss::everything, env::Loss::nothing, env::Loss::chance, env::Loss::chance, env::Loss::chance}) {
            auto after = files.after_cut(loss, chance);
            auto found = KeyStore(*after, "/keys").ensure_key("cell");
            ASSERT_TRUE(found) << found.error().message;
            if (key) {
                EXPECT_EQ(*found, *key);
            }
        }
        if (key) break;
        ASSERT_LT(n, 20u);
    }
}

} // namespace
} // namespace skerry::trust
