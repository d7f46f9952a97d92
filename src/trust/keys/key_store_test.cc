#include "trust/keys/key_store.h"

#include "env/fake_files.h"
#include "trust/trust_test_fleet.h"

#include <map>

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

/// The files of a cell that renews, and what it gets.
struct Change {
    Fleet fleet;
    std::map<std::string, std::string> before, after;

    Change() {
        Identity self = Identity::of_site("store-17", fleet.site_cell);
        for (auto* files : {&before, &after}) {
            for (bool authority : {false, true}) {
                std::string name = authority ? "authority" : "cell", key = make_key().value();
                (*files)[name + ".key"] = key;
                (*files)[name + ".chain"] =
                    fleet.root
                        .issue_chain(make_request(key).value(),
                                     {.identity = self, .addresses = {}, .authority = authority, .now = fleet.now})
                        .value();
            }
            (*files)["succession"] = files == &before ? "[]" : "[1]";
        }
    }
    static std::map<std::string, std::string> read(env::Files& files) {
        KeyStore store(files, "/keys");
        KeyPair cell = store.load("cell").value(), authority = store.load("authority").value();
        return {{"cell.key", cell.key_pem},
                {"cell.chain", cell.chain_pem},
                {"authority.key", authority.key_pem},
                {"authority.chain", authority.chain_pem},
                {"succession", store.load_file("succession", 1000).value()}};
    }
};

TEST(KeyStore, a_change_of_all_keys_that_power_cuts_off_leaves_the_old_ones_or_the_new_ones) {
    static const Change change;
    bool old_seen = false, new_seen = false;
    for (std::uint64_t n = 0;; ++n) {
        env::FakeFiles files;
        env::SeededChance chance(n);
        ASSERT_TRUE(KeyStore(files, "/keys").put_all(change.before));
        files.cut_after(n);
        auto done = KeyStore(files, "/keys").put_all(change.after);
        for (env::Loss loss :
             {env::Loss::everything, env::Loss::nothing, env::Loss::chance, env::Loss::chance, env::Loss::chance}) {
            auto after = files.after_cut(loss, chance);
            auto found = Change::read(*after);
            ASSERT_TRUE(found == change.before || found == change.after) << "a mix, cut at step " << n;
            old_seen = old_seen || found == change.before;
            new_seen = new_seen || found == change.after;
            if (done) {
                ASSERT_TRUE(found == change.after) << "it had returned";
            }
        }
        if (done) break;
        ASSERT_LT(n, 200u);
    }
    EXPECT_TRUE(old_seen && new_seen);
}

TEST(KeyStore, a_change_that_power_cuts_off_again_and_again_is_finished_all_the_same) {
    static const Change change;
    for (std::uint64_t n = 0; n < 48; n += 3) {
        env::FakeFiles files;
        env::SeededChance chance(n);
        ASSERT_TRUE(KeyStore(files, "/keys").put_all(change.before));
        files.cut_after(n);
        (void)KeyStore(files, "/keys").put_all(change.after);
        auto once = files.after_cut(env::Loss::chance, chance);
        for (std::uint64_t m = 0; m < 30; m += 5) {
            env::SeededChance again(m);
            auto twice = once->after_cut(env::Loss::nothing, again);
            twice->cut_after(m);
            (void)KeyStore(*twice, "/keys").load("cell");
            auto found = Change::read(*twice->after_cut(env::Loss::chance, again));
            ASSERT_TRUE(found == change.before || found == change.after) << "cut at " << n << " and at " << m;
        }
    }
}

TEST(KeyStore, a_change_that_does_not_belong_together_changes_nothing) {
    Change change;
    env::FakeFiles files;
    KeyStore store(files, "/keys");
    ASSERT_TRUE(store.put_all(change.before));
    EXPECT_EQ(store.put_all({{"cell.chain", change.after["cell.chain"]}}).error().code, Code::corrupt);
    EXPECT_EQ(store.put_all({{"cell.key", change.after["cell.key"]}, {"cell.chain", change.before["cell.chain"]}}).error().code,
              Code::corrupt);
    EXPECT_EQ(Change::read(files), change.before);
}

} // namespace
} // namespace skerry::trust
