#include "cell/links/seats.h"

#include "cell/cell_test.h"

#include <gmock/gmock.h>

namespace skerry::cell {
namespace {

using testing::HasSubstr;

/// A site that joined, and another machine that may join in its place.
struct Seats : CellTest {
    Seats() : other(world, {Role::site, "store-17", {}}, {.version = "1", .parents = {"core:1"}}, 3) {
        boot_core();
        write_site();
        boot_site();
        sit(site);
        write_revision("till.1", "till.1.key");
        write_allocation("till.main.store-17", "till.1");
        world.pass(10s);
    }
    void sit(Machine& machine) {
        store::Transaction transaction;
        auto object = core.store->get(site_key);
        take_seat(transaction, Role::site, "store-17", {.object = object->uid, .cell = machine.store->cell()});
        core.store->commit(std::move(transaction), nullptr);
        world.settle();
    }
    void boot_other() { other.boot(slices_for_nodes(), slice_of_site("store-17")); }
    /// Of what a wish for the site pulls along.
    bool gets(Machine& machine, const std::string& secret) {
        write_revision(secret, secret + ".key");
        write_allocation(secret, secret);
        world.pass(60s);
        return has(machine, Kind::secret, secret + ".key");
    }
    std::string trouble(Machine& machine) { return machine.cell->peers().parent()->trouble; }

    Key site_key{Kind::site, "", "store-17"};
    Machine other;
};

TEST_F(Seats, WhoSitsIsServed) {
    EXPECT_TRUE(in_touch());
    EXPECT_TRUE(has(site, Kind::secret, "till.1.key"));
    core.crash();
    boot_core();
    EXPECT_TRUE(gets(site, "page"));
}

TEST_F(Seats, ADeletedSitesMachineLosesItsLinkAndGetsNothingOfTheNameAnyMore_H6) {
    ASSERT_TRUE(in_touch());
    erase(core, site_key);
    EXPECT_FALSE(in_touch()) << "at once";
    EXPECT_FALSE(core.cell->peers().child("store-17"));
    EXPECT_FALSE(gets(site, "page"));
    EXPECT_THAT(trouble(site), HasSubstr("site store-17 was deleted here"));
    EXPECT_THAT(trouble(site), HasSubstr("skerry token create --site store-17"));
    // Somebody makes a Site of that name: it is another one.
    write_site();
    EXPECT_FALSE(gets(site, "scale"));
    EXPECT_THAT(trouble(site), HasSubstr("made anew"));
    core.crash();
    boot_core();
    EXPECT_FALSE(gets(site, "clock"));
    EXPECT_FALSE(in_touch());
    sit(site);
    EXPECT_TRUE(gets(site, "radio"));
    EXPECT_TRUE(in_touch());
}

TEST_F(Seats, AnotherMachineInItsPlaceIsServedAndThisOneIsOut) {
    boot_other();
    world.pass(10s);
    EXPECT_FALSE(has(other, Kind::secret, "till.1.key"));
    EXPECT_THAT(trouble(other), HasSubstr("another machine has joined"));
    EXPECT_TRUE(in_touch()) << "who may not speak takes nobody's place";
    sit(other);
    core.cell->dismiss(Role::site, "store-17", "it joined anew");
    EXPECT_FALSE(in_touch());
    EXPECT_TRUE(gets(other, "page"));
    EXPECT_FALSE(has(site, Kind::secret, "page.key"));
    EXPECT_THAT(trouble(site), HasSubstr("--replace"));
    core.crash();
    boot_core();
    EXPECT_TRUE(gets(other, "scale"));
    EXPECT_FALSE(has(site, Kind::secret, "scale.key"));
}

TEST_F(Seats, FromADamagedRowNothingFollows_S5) {
    EXPECT_FALSE(has_left(*core.store, "store-17", site.store->cell()));
    const Uid uid = core.store->get(site_key)->uid;
    core.crash();
    core.disk->damage(site_key);
    boot_core();
    ASSERT_TRUE(core.store->missing().contains(site_key));
    EXPECT_FALSE(has_left(*core.store, "store-17", site.store->cell()));
    EXPECT_TRUE(gets(site, "page"));
    // What was lost comes back from the site, which holds it (rule H3): the same object, and who spoke for it does.
    ASSERT_TRUE(core.store->get(site_key));
    EXPECT_EQ(core.store->get(site_key)->uid, uid);
    EXPECT_FALSE(core.store->missing().contains(site_key));
    EXPECT_TRUE(gets(site, "scale"));
    EXPECT_TRUE(in_touch());
}

TEST_F(Seats, AnEditTakesOverTheAppOfASiteThatLeft_H6) {
    write(site, Kind::app, *app("kiosk"));
    write(site, Kind::app, *app("other"));
    world.pass(10s);
    ASSERT_TRUE(has(core, Kind::app, "kiosk"));
    auto edit = [&] {
        auto wish = wish_of<model::App>(*core.store->get({Kind::app, "default", "kiosk"}));
        wish.mutable_spec()->mutable_components(0)->add_args("-v");
        return ask([&](Admission& admission, Answer answer) {
            admission.update(admin, Kind::app, std::make_unique<model::App>(wish), {}, std::move(answer));
        });
    };
    EXPECT_EQ(edit().error().error.code, Code::forbidden) << "it is the site's";
    core.crash();
    boot_core();
    EXPECT_EQ(edit().error().error.code, Code::forbidden) << "also when nobody has called since the start";
    std::uint32_t generation = core.store->get({Kind::app, "default", "kiosk"})->generation;
    world.pass(10s);
    erase(core, site_key);
    store::Transaction transaction;
    transaction.note(left_space, site.store->cell().text(), "store-17");
    core.store->commit(std::move(transaction), nullptr);
    world.settle();
    auto done = edit();
    ASSERT_TRUE(done) << done.error().error.message;
    EXPECT_THAT(done->warnings, testing::Contains(HasSubstr("was decided at site store-17")));
    auto object = core.store->get({Kind::app, "default", "kiosk"});
    EXPECT_EQ(object->home, core.store->cell());
    EXPECT_EQ(object->generation, generation + 1);
    EXPECT_FALSE(object->wish.from);
    EXPECT_EQ(core.store->get({Kind::app, "default", "other"})->home, site.store->cell()) << "nobody decided about it";
    // The machine comes back: there are two of the name now, and neither overwrites the other (rule H5).
    write_site();
    sit(site);
    world.pass(60s);
    EXPECT_TRUE(in_touch());
    EXPECT_EQ(core.store->get({Kind::app, "default", "kiosk"})->home, core.store->cell());
    EXPECT_EQ(site.store->get({Kind::app, "default", "kiosk"})->home, site.store->cell());
}

TEST_F(Seats, DeletingSaysWhatItMeans) {
    auto dry = ask([&](Admission& admission, Answer answer) {
        admission.remove(admin, site_key, {}, {.dry_run = true}, std::move(answer));
    });
    ASSERT_TRUE(dry);
    ASSERT_EQ(dry->warnings.size(), 1u);
    EXPECT_THAT(dry->warnings[0], HasSubstr("its link ends"));
    EXPECT_TRUE(in_touch());
    ASSERT_TRUE(ask([&](Admission& admission, Answer answer) { admission.remove(admin, site_key, {}, {}, std::move(answer)); }));
    EXPECT_FALSE(in_touch());
}

} // namespace
} // namespace skerry::cell
