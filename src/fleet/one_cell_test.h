#pragma once

#include "cell/cell.h"
#include "cell/writing.h"
#include "drivers/fake/fake.h"
#include "fleet/fleet.h"
#include "model/allocation.pb.h"
#include "model/app.pb.h"
#include "model/conditions.h"
#include "model/event.pb.h"
#include "model/image.pb.h"
#include "model/instance.pb.h"
#include "model/node.pb.h"
#include "model/override.pb.h"
#include "model/places/overriding.h"
#include "model/revision.pb.h"
#include "model/secret.pb.h"
#include "model/site.pb.h"
#include "node/fakes.h"
#include "node/node.h"
#include "site/site.h"
#include "store/memory/memory_backend.h"
#include "store/test_env.h"

#include <gtest/gtest.h>

namespace skerry::fleet {

using model::Kind;
using store::Key;

/// `skerry up` without the outside: fleet, site and node in one real cell, over a memory store and a fake machine.
class OneCell : public testing::Test {
protected:
    OneCell() { open(); }
    ~OneCell() override { close(); }

    void open() {
        store = *store::Store::open(world.env(), std::make_unique<store::MemoryBackend>(disk), {});
        images = std::make_unique<node::FakeImages>(world);
        images->here = images_here;
        prober = std::make_unique<node::FakeProber>(world);
        prober->outcome = [this](const std::string&, std::uint16_t) {
            return healthy ? Result<void>() : fail(Code::unavailable, "503");
        };
        driver = std::make_unique<drivers::fake::FakeDriver>(machine);
        if (!adopts) driver->probe_answer = fail(Code::unsupported, "not now");
        network = std::make_unique<drivers::fake::FakeNetwork>(machine);
        cell::Cell::Options options{.self = {.role = env::Peer::Role::core, .name = "core", .cell = {}},
                                    .version = "test",
                                    .parents = {},
                                    .with_default_project = true};
        cell = cell::Cell::make(world.env(), *store, options, nullptr, nullptr);
        add_loops(*cell, {.own_site = "here"});
        site::add_loops(*cell, {.name = "here", .own_node = "here", .version = "test", .api = {}});
        node::add_loops(*cell, {.name = "here",
                                .machine = {.cpu = MilliCpu{2000},
                                            .memory = Bytes{1 << 30},
                                            .addresses = {"192.0.2.1"},
                                            .os = "linux",
                                            .kernel = "6",
                                            .architecture = "amd64"},
                                .drivers = {{"container", driver.get()}},
                                .network = network.get(),
                                .images = images.get(),
                                .prober = prober.get(),
                                .version = "test",
                                .post_from_any_thread = {},
                                .mend_period = 10s});
        cell->start();
        ensure_site(*cell,
                    {.name = "here",
                     .labels = {{"tier", "store"}},
                     .values = {{"printer", "10.0.7.9"}},
                     .parents = {},
                     .jurisdiction = {},
                     .profile = {}},
                    [](auto) {});
        settle();
    }
    /// The process dies.
    void close() {
        if (images) images_here = images->here;
        cell.reset();
        driver.reset();
        network.reset();
        images.reset();
        prober.reset();
        world.crash();
        store.reset();
    }
    void crash() {
        close();
        open();
    }
    void settle() {
        for (int i = 0; i < 30; ++i) world.pass(100ms);
    }

    /// The smallest thing that can happen; false if nothing can without time passing.
    bool step() {
        if (!world.posted.empty()) {
            auto call = std::move(world.posted.front());
            world.posted.pop_front();
            call();
            return true;
        }
        return world.run_job() || world.land_job();
    }

    void write(Kind kind, google::protobuf::Message& message) {
        cell::Writing writing(*cell, "test");
        writing.begin();
        writing.create(kind, message);
        writing.end();
        world.settle();
    }
    template<class M>
    void change(const Key& key, std::function<void(M&)> edit) {
        cell::Writing writing(*cell, "test");
        writing.begin();
        auto wish = cell::wish_of<M>(*store->get(key));
        edit(wish);
        writing.update(*store->get(key), wish);
        writing.end();
        settle();
    }
    void erase(const Key& key) {
        cell::Writing writing(*cell, "test");
        writing.begin();
        writing.erase(*store->get(key));
        writing.end();
        settle();
    }
    void push(const std::string& name, const std::string& tag, const std::string& digest) {
        Key key{Kind::image, "default", name};
        if (store->get(key))
            return change<model::Image>(key,
                                        [&](model::Image& image) { image.mutable_spec()->mutable_tags(0)->set_digest(digest); });
        model::Image image;
        image.mutable_metadata()->set_name(name);
        image.mutable_metadata()->set_namespace_("default");
        auto& line = *image.mutable_spec()->add_tags();
        line.set_name(tag);
        line.set_digest(digest);
        write(Kind::image, image);
        settle();
    }
    static model::App till() {
        model::App app;
        app.mutable_metadata()->set_name("till");
        app.mutable_metadata()->set_namespace_("default");
        app.mutable_spec()->set_state("running");
        auto& component = *app.mutable_spec()->add_components();
        component.set_name("pos");
        component.set_image("pos:1");
        auto& port = *component.add_ports();
        port.set_name("http");
        port.set_port(8080);
        port.set_publish(80);
        auto& variable = *component.add_env();
        variable.set_name("WHERE");
        variable.set_value("$(site.name) $(site.values.printer)");
        component.mutable_placement()->set_mode("each");
        (*component.mutable_placement()->mutable_sites()->mutable_match_labels())["tier"] = "store";
        return app;
    }
    void apply(model::App app) {
        write(Kind::app, app);
        settle();
    }
    Key till_key{Kind::app, "default", "till"};
    /// What the site `here` says instead of the App's WHERE.
    model::Override where_override(const std::string& value) {
        model::Override override_;
        override_.mutable_metadata()->set_name("where");
        override_.mutable_metadata()->set_namespace_("default");
        auto& spec = *override_.mutable_spec();
        spec.mutable_target()->set_kind("App");
        spec.mutable_target()->set_name("till");
        spec.mutable_target()->set_uid(store->get(till_key)->uid.text());
        spec.set_path("spec.components[name=pos].env[name=WHERE].value");
        spec.set_base_value("\"$(site.name) $(site.values.printer)\"");
        spec.set_value(value);
        spec.set_site("here");
        return override_;
    }
    void change_till(std::function<void(model::App&)> edit) { change<model::App>(till_key, std::move(edit)); }

    const model::Condition* condition(std::string_view type) {
        return model::find_condition(store->get<model::App>(till_key)->status().conditions(), type);
    }
    std::string reason(std::string_view type) { return condition(type) ? condition(type)->reason() : "none"; }
    std::string message(std::string_view type) { return condition(type) ? condition(type)->message() : "none"; }
    const model::Instance* instance() {
        auto list = store->list(Kind::instance);
        return list.size() == 1 ? &store::as<model::Instance>(*list[0]) : nullptr;
    }

    store::TestEnv world{7};
    std::shared_ptr<store::MemoryDisk> disk = std::make_shared<store::MemoryDisk>();
    drivers::fake::FakeMachine machine;
    bool healthy = true;
    bool adopts = true; ///< a node that is opened
    std::set<std::string> images_here;
    std::unique_ptr<store::Store> store;
    std::unique_ptr<node::FakeImages> images;
    std::unique_ptr<node::FakeProber> prober;
    std::unique_ptr<drivers::fake::FakeDriver> driver;
    std::unique_ptr<drivers::fake::FakeNetwork> network;
    std::unique_ptr<cell::Cell> cell;
};

} // namespace skerry::fleet
