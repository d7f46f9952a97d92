#include "cell/links/site_link.h"

#include "cell/slices/closure.h"
#include "model/site.pb.h"

#include <fmt/format.h>

namespace skerry::cell {

namespace {

/// "0.21 ms", "38 ms".
std::string milliseconds(std::uint32_t microseconds) {
    if (microseconds < 10'000) return fmt::format("{:.2f}ms", microseconds / 1e3);
    return fmt::format("{}ms", (microseconds + 500) / 1'000);
}

} // namespace

store::ObjectPtr with_link(Cell& cell, store::ObjectPtr object) {
    if (!object || object->key.kind != model::Kind::site) return object;
    bool own = cell.self().role == env::Peer::Role::site && object->key.name == cell.self().name;
    auto peer = own ? cell.peers().parent() : cell.peers().child(object->key.name, env::Peer::Role::site);
    if (!peer || !peer->peer.cell) return object;
    std::string tag = own ? std::string(parent_tag) : peer_tag(env::Peer::Role::site, object->key.name);
    model::Site live;
    *live.mutable_status()->mutable_link() = cell.meters().use(tag);
    if (peer->path.round_trip_us > 0) {
        live.mutable_status()->mutable_link()->set_round_trip(milliseconds(peer->path.round_trip_us));
        live.mutable_status()->mutable_link()->set_loss(peer->path.loss);
    }
    if (own) cell.meters().report(tag, *live.mutable_status()->mutable_conditions());
    auto shown = std::make_shared<store::Object>(*object);
    // The merge of parts is the concatenation of their bytes.
    shown->seen.bytes = std::make_shared<const std::string>((object->seen.bytes ? *object->seen.bytes : std::string()) +
                                                            live.SerializeAsString());
    return shown;
}

} // namespace skerry::cell
