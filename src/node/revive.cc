#include "base/log.h"
#include "model/allocation.pb.h"
#include "model/instance.pb.h"
#include "model/revision.pb.h"
#include "node/node_loop.h"

#include <algorithm>

/// Instances whose rows are damaged in the store of their own home (rule S5). The node knows their uids, so here they are written
/// again.
namespace skerry::node {

using model::Kind;
using store::Key;

namespace {

/// Above whatever generation it had, which is lost: nobody changes an Instance that often between two openings of a store.
std::uint32_t generation_after(const store::Store& store) {
    constexpr std::size_t most = 0x7fff;
    return static_cast<std::uint32_t>(std::min(store.incarnations().size(), most)) << 16;
}

} // namespace

bool NodeLoop::is_damaged(const Run& run) const {
    const auto& missing = cell_.store().missing();
    if (!run.key.name.empty()) return missing.contains(run.key);
    return std::ranges::any_of(missing, [](const Key& key) { return key.kind == Kind::instance; });
}

void NodeLoop::revive() {
    if (cell_.self().role == env::Peer::Role::node) return; // the site sends it again
    for (const Key& key : cell_.store().missing()) {
        if (key.kind != Kind::instance) continue;
        auto run = std::ranges::find_if(runs_, [&](const auto& one) { return one.second.key == key && one.second.noted; });
        if (run != runs_.end()) {
            revive(key, run->second);
        } else if (cell_.store().count(Kind::node) == 1) { // this very one, where nothing runs of it
            store::Transaction transaction;
            transaction.erase(key, store::Transaction::anything());
            cell_.store().commit(std::move(transaction), nullptr);
        }
    }
}

void NodeLoop::revive(const Key& key, const Run& run) {
    auto& store = cell_.store();
    Key owner{Kind::allocation, key.project, key.name.substr(0, key.name.rfind('.'))};
    auto object = store.get(owner);
    if (!object) return; // it comes, or the instance goes with it
    const auto& allocation = store::as<model::Allocation>(*object);
    model::Instance instance;
    auto& meta = *instance.mutable_metadata();
    meta.set_name(key.name);
    meta.set_namespace_(key.project);
    meta.set_uid(run.uid.text());
    meta.set_home(store.cell().text());
    std::uint32_t generation = generation_after(store);
    meta.set_generation(generation);
    meta.set_creation_timestamp(rfc3339(cell_.env().clock.wall()));
    for (const auto& [label, value] : allocation.metadata().labels()) (*meta.mutable_labels())[label] = value;
    if (run.note.once) (*meta.mutable_labels())["skerry/partition"] = "atMostOnce";
    auto& spec = *instance.mutable_spec();
    spec.set_site(allocation.spec().site());
    spec.set_node(options_.name);
    spec.set_allocation(owner.name);
    spec.set_allocation_uid(object->uid.text());
    spec.set_app(allocation.spec().app());
    spec.set_component(allocation.spec().component());
    spec.set_revision(run.note.revision);
    const auto* revision = store.get<model::Revision>({Kind::revision, key.project, run.note.revision});
    bool retired = run.note.once && run.note.stopping; // told to stop, and replaced once it has
    spec.set_state(retired ? "stopped" : revision ? revision->spec().state() : "running");
    *spec.mutable_epoch() = allocation.spec().epoch();
    store::Transaction transaction;
    transaction.put(key, run.uid, store.cell(), generation, instance.SerializeAsString(), store::Transaction::absent());
    store.commit(std::move(transaction), nullptr);
    cell_.events().record(
        key, run.uid, cell::Tone::normal, "Restored",
        "its row was damaged on the disk, and is written again from what its node knew; what runs was left alone");
}

} // namespace skerry::node
