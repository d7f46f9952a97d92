#include "site/site.h"

#include "base/log.h"
#include "cell/writing.h"
#include "model/node.pb.h"
#include "model/places/difference.h"
#include "site/overrides_loop.h"
#include "site/site_loop.h"

#include <utility>

namespace skerry::site {

namespace {

/// The Node object of the machine that the site's own cell lives on.
class OwnNodeLoop final : public cell::Loop {
public:
    OwnNodeLoop(cell::Cell& cell, std::string site, std::string node)
        : cell_(cell), site_(std::move(site)), node_(std::move(node)) {}
    std::string_view name() const override { return "own-node"; }
    bool wakes(const store::Change& change) const override { return change.key.kind == model::Kind::node && !change.after; }
    void turn() override {
        if (cell_.store().get({model::Kind::node, "", node_})) return;
        ensure_node(cell_, site_, node_, {}, [](Result<store::Key> made) {
            if (!made) log(Level::warning, "site", "own node: {}", made.error().message);
        });
    }

private:
    cell::Cell& cell_;
    std::string site_;
    std::string node_;
};

} // namespace

void add_loops(cell::Cell& cell, Options options) {
    if (!options.own_node.empty()) cell.add(std::make_unique<OwnNodeLoop>(cell, options.name, options.own_node));
    cell.add(std::make_unique<SiteLoop>(cell, options));
    cell.add(std::make_unique<OverridesLoop>(cell, std::move(options)));
}

void ensure_node(cell::Cell& cell, const std::string& site, const std::string& name, std::map<std::string, std::string> labels,
                 std::function<void(Result<store::Key>)> then) {
    store::Key key{model::Kind::node, "", name};
    auto answer = [&cell, key, site, then](Result<void> made) {
        auto object = cell.store().get(key);
        if (!object)
            return then(made ? Result<store::Key>(fail(Code::unavailable, "node " + key.name + " is not there yet; try again"))
                             : Result<store::Key>(std::unexpected(made.error())));
        const std::string& stands = store::as<model::Node>(*object).spec().site();
        if (stands != site)
            return then(fail(Code::exists, "node " + key.name + " stands in site " + stands + "; choose another name"));
        then(key);
    };
    if (cell.store().get(key)) return cell.env().timers.post([answer] { answer({}); });
    model::Node node;
    node.mutable_metadata()->set_name(name);
    for (auto& [label, value] : labels) (*node.mutable_metadata()->mutable_labels())[label] = value;
    (*node.mutable_metadata()->mutable_labels())["skerry/site"] = site;
    node.mutable_spec()->set_site(site);
    // Alive until its answer has come.
    auto writing = std::make_shared<cell::Writing>(cell, "site");
    writing->begin();
    writing->create(model::Kind::node, node);
    writing->end([writing, answer](Result<void> made) { answer(std::move(made)); });
}

std::string difference(const store::Store& store, const std::string& node, const std::map<std::string, std::string>& labels) {
    auto object = store.get({model::Kind::node, "", node});
    return object ? model::difference("label", store::as<model::Node>(*object).metadata().labels(), labels) : std::string();
}

} // namespace skerry::site
