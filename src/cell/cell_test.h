#pragma once

#include "cell/missing.h"
#include "cell/test_world.h"
#include "cell/writing.h"
#include "model/allocation.pb.h"
#include "model/app.pb.h"
#include "model/event.pb.h"
#include "model/instance.pb.h"
#include "model/node.pb.h"
#include "model/project.pb.h"
#include "model/revision.pb.h"
#include "model/secret.pb.h"
#include "model/site.pb.h"
#include "sync/session.h"

#include <gtest/gtest.h>

namespace skerry::cell {

using model::Kind;
using store::Key;
using store::Part;
using Role = env::Peer::Role;

inline const trust::Identity admin = trust::Identity::user("admin", {"system:masters"});

/// A core and a site, as a fleet would have them, with the roles' loops left out.
class CellTest : public testing::Test {
protected:
    CellTest()
        : core(world, {Role::core, "core", {}}, {.version = "1", .with_default_project = true}, 1),
          site(world, {Role::site, "store-17", {}}, {.version = "1", .parents = {"core:1"}}, 2) {
        world.at["core:1"] = &core;
    }
    void boot_core() { core.boot(slices_for_both(slices_for_sites(), slices_for_nodes()), nullptr); }
    void boot_site() { site.boot(slices_for_nodes(), slice_of_site("store-17")); }
    void boot() {
        boot_core();
        boot_site();
    }

    template<class M>
    Uid write(Machine& at, Kind kind, M message) {
        Uid uid;
        auto before = at.store->get({kind, message.metadata().namespace_(), message.metadata().name()});
        auto& meta = *message.mutable_metadata();
        std::uint32_t generation = before ? before->generation + 1 : 1;
        uid = before ? before->uid : Uid(at.chance.id());
        meta.set_uid(uid.text());
        meta.set_home(at.store->cell().text());
        meta.set_generation(generation);
        store::Transaction transaction;
        transaction.put({kind, meta.namespace_(), meta.name()}, uid, at.store->cell(), generation, message.SerializeAsString(),
                        store::Transaction::anything());
        at.store->commit(std::move(transaction), [](auto result) { ASSERT_TRUE(result); });
        world.settle();
        return uid;
    }
    void write_site(const std::string& beat = "1s") {
        model::Site message;
        message.mutable_metadata()->set_name("store-17");
        message.mutable_spec()->add_uplinks()->set_name("wan");
        message.mutable_spec()->mutable_uplinks(0)->set_beat(beat);
        write(core, Kind::site, message);
    }
    void write_allocation(const std::string& name, const std::string& revision, const std::string& to = "store-17") {
        model::Allocation message;
        message.mutable_metadata()->set_name(name);
        message.mutable_metadata()->set_namespace_("default");
        message.mutable_spec()->set_site(to);
        message.mutable_spec()->set_revision(revision);
        message.mutable_spec()->set_replicas(1);
        write(core, Kind::allocation, message);
    }
    void write_revision(const std::string& name, const std::string& secret = {}, const std::string& app_uid = {}) {
        model::Revision message;
        message.mutable_metadata()->set_name(name);
        message.mutable_metadata()->set_namespace_("default");
        message.mutable_spec()->set_app_uid(app_uid);
        if (!secret.empty()) {
            auto& pin = *message.mutable_spec()->add_pins();
            pin.set_kind("Secret");
            pin.set_copy(secret);
            model::Secret copy;
            copy.mutable_metadata()->set_name(secret);
            copy.mutable_metadata()->set_namespace_("default");
            (*copy.mutable_data())["token"] = "t";
            write(core, Kind::secret, copy);
        }
        write(core, Kind::revision, message);
    }
    void erase(Machine& at, const Key& key) {
        store::Transaction transaction;
        transaction.erase(key, store::Transaction::anything());
        at.store->commit(std::move(transaction), nullptr);
        world.settle();
    }
    void write_instance(const std::string& name, const std::string& node = "n1", const std::string& revision = {}) {
        model::Instance message;
        message.mutable_metadata()->set_name(name);
        message.mutable_metadata()->set_namespace_("default");
        message.mutable_spec()->set_site("store-17");
        message.mutable_spec()->set_node(node);
        message.mutable_spec()->set_allocation(name.substr(0, name.rfind('.')));
        message.mutable_spec()->set_revision(revision);
        write(site, Kind::instance, message);
    }
    void report_phase(Machine& at, const std::string& name, const std::string& phase) {
        auto object = at.store->get({Kind::instance, "default", name});
        ASSERT_TRUE(object);
        model::Instance found;
        found.mutable_status()->set_phase(phase);
        report_part(*at.store, *object, Part::found, found);
    }
    bool in_touch() {
        auto view = core.cell->peers().child("store-17");
        return view && view->in_touch;
    }
    bool has(Machine& at, Kind kind, const std::string& name) {
        return at.store->get({kind, model::facts(kind).fleet_wide ? "" : "default", name}) != nullptr;
    }

    std::expected<Admitted, Refusal> ask(const std::function<void(Admission&, Answer)>& what) {
        std::optional<std::expected<Admitted, Refusal>> answer;
        what(core.cell->admission(), [&](auto result) { answer = std::move(result); });
        EXPECT_FALSE(answer) << "never before it returns";
        world.settle();
        EXPECT_TRUE(answer);
        return answer ? std::move(*answer) : std::unexpected(Refusal{});
    }
    static std::unique_ptr<model::App> app(const std::string& name, const std::string& image = "pos:1",
                                           const std::string& project = "default") {
        auto message = std::make_unique<model::App>();
        message->mutable_metadata()->set_name(name);
        message->mutable_metadata()->set_namespace_(project);
        auto& component = *message->mutable_spec()->add_components();
        component.set_name("main");
        component.set_image(image);
        return message;
    }

    World world;
    Machine core, site;
};

} // namespace skerry::cell
