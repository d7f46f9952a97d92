#include "sync/item.h"

#include "base/bytes.h"

#include <fmt/format.h>

namespace skerry::sync {

namespace {

void append(std::string& out, std::string_view field) {
    out += big_endian(field.size());
    out += field;
}

std::string encoding(const ItemKey& key) {
    std::string out;
    out.reserve(key.project.size() + key.name.size() + 64);
    out += big_endian((std::uint64_t{key.kind} << 8) | key.part);
    append(out, key.project);
    append(out, key.name);
    out += key.uid.bytes();
    out += key.home.bytes();
    return out;
}

} // namespace

std::string ItemKey::text() const {
    return project.empty() ? fmt::format("kind {} {}", kind, name) : fmt::format("kind {} {}/{}", kind, project, name);
}

std::uint64_t link_key(CellId parent, CellId child) { return keyed_digest(0, parent.bytes() + child.bytes()).low; }

Digest key_hash(std::uint64_t link_key, const ItemKey& key) { return keyed_digest(link_key, encoding(key)); }

Digest item_digest(std::uint64_t link_key, const ItemKey& key, std::uint32_t generation, std::string_view bytes) {
    std::string whole = encoding(key);
    whole += big_endian(generation);
    whole += bytes;
    Digest digest = keyed_digest(link_key + 1, whole);
    if (digest == Digest{}) digest.low = 1;
    return digest;
}

} // namespace skerry::sync
