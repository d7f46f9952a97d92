#include "node/note.h"

#include "base/bytes.h"
#include "base/json.h"

namespace skerry::node {
namespace {

/// In a note a UDP port is its number and this, so that one number tells the protocol.
constexpr std::int64_t udp_ports = 0x10000;

} // namespace

std::string Note::bytes() const {
    Json json;
    json.set("runtime", runtime);
    json.set("handle", base64(handle));
    json.set("hash", hash);
    json.set("revision", revision);
    json.set("digest", digest);
    json.set("started", started);
    json.set("restarts", restarts);
    if (stopping) json.set("stopping", true);
    if (once) json.set("once", true);
    json.set("stopGrace", text(stop_grace));
    json.set("project", project);
    json.set("name", name);
    Json list = Json::array();
    for (auto port : ports) list.push(port.number + (port.transport == model::Transport::udp ? udp_ports : 0));
    json.set("ports", list);
    return write_json(json);
}

Result<Note> Note::parse(std::string_view bytes) {
    Json json = TRY(parse_json(bytes) | during("note of an instance"));
    Note note;
    note.runtime = json.text("runtime");
    note.handle = TRY(unbase64(json.text("handle")));
    note.hash = json.text("hash");
    note.revision = json.text("revision");
    note.digest = json.text("digest");
    note.started = json.text("started");
    note.project = json.text("project");
    note.name = json.text("name");
    if (const Json* restarts = json.find("restarts"); restarts && restarts->integer())
        note.restarts = static_cast<std::uint32_t>(*restarts->integer());
    if (auto grace = parse_duration(json.text("stopGrace"))) note.stop_grace = *grace;
    note.stopping = json.find("stopping") != nullptr;
    note.once = json.find("once") != nullptr;
    if (const Json* ports = json.find("ports"); ports && ports->array_items())
        for (const Json& port : *ports->array_items())
            if (port.integer())
                note.ports.push_back({static_cast<std::uint16_t>(*port.integer()),
                                      *port.integer() >= udp_ports ? model::Transport::udp : model::Transport::tcp});
    return note;
}

} // namespace skerry::node
