#include "store/sqlite/row.h"

#include "base/digest.h"

#include <array>
#include <cstring>

namespace skerry::store {

namespace {

constexpr std::size_t digest_size = 16;
constexpr std::uint64_t digest_key = 0x736b657272792d31; // "skerry-1"

template<class Integer>
void add(std::string& to, Integer value) {
    for (std::size_t i = 0; i < sizeof value; i++) to.push_back(static_cast<char>(value >> (8 * i)));
}

/// Takes fields off the front; once one is missing, all are.
class Reader {
public:
    explicit Reader(std::string_view bytes) : rest_(bytes) {}
    template<class Integer>
    Integer integer() {
        std::string_view bytes = take(sizeof(Integer));
        Integer value = 0;
        for (std::size_t i = 0; i < bytes.size(); i++)
            value |= static_cast<Integer>(static_cast<unsigned char>(bytes[i])) << (8 * i);
        return value;
    }
    Id id() {
        Result<Id> id = Id::from_bytes(take(16));
        return id ? *id : Id{};
    }
    std::string_view take(std::size_t size) {
        if (size > rest_.size()) {
            good_ = false;
            rest_ = {};
            return {};
        }
        std::string_view bytes = rest_.substr(0, size);
        rest_.remove_prefix(size);
        return bytes;
    }
    bool at_end() const { return rest_.empty(); }
    bool good() const { return good_; }

private:
    std::string_view rest_;
    bool good_ = true;
};

std::string identity(const Key& key) {
    std::string identity = "object";
    add(identity, static_cast<std::uint8_t>(key.kind));
    add(identity, static_cast<std::uint32_t>(key.project.size()));
    identity += key.project;
    identity += key.name;
    return identity;
}

Digest digest(std::string_view identity, std::string_view payload) {
    std::string whole;
    whole.reserve(8 + identity.size() + payload.size());
    add(whole, static_cast<std::uint64_t>(identity.size()));
    whole += identity;
    whole += payload;
    return keyed_digest(digest_key, whole);
}

constexpr std::array all_parts = {Part::wish, Part::found, Part::seen};

} // namespace

std::string seal(std::string_view identity, std::string_view payload) {
    return digest(identity, payload).bytes().append(payload);
}

std::optional<std::string_view> unseal(std::string_view identity, std::string_view row) {
    if (row.size() < digest_size) return {};
    std::string_view payload = row.substr(digest_size);
    if (digest(identity, payload).bytes() != row.substr(0, digest_size)) return {};
    return payload;
}

std::string write_row(const Object& object) {
    std::string payload(1, '\0');
    add(payload, object.generation);
    payload += object.uid.bytes();
    payload += object.home.bytes();
    for (Part part : all_parts) {
        const PartState& state = object.part(part);
        if (!state.bytes) continue;
        add(payload, static_cast<std::uint8_t>(static_cast<std::uint8_t>(part) + 1));
        add(payload, state.number);
        payload += state.from.bytes();
        add(payload, static_cast<std::uint32_t>(state.bytes->size()));
        payload += *state.bytes;
    }
    return seal(identity(object.key), payload);
}

std::string write_row(const Backend::Tombstone& tombstone) {
    std::string payload(1, '\1');
    add(payload, tombstone.number);
    payload += tombstone.uid.bytes();
    payload += tombstone.home.bytes();
    return seal(identity(tombstone.key), payload);
}

std::optional<ObjectPtr> read_object(const Key& key, std::string_view row) {
    std::optional<std::string_view> payload = unseal(identity(key), row);
    if (!payload) return {};
    Reader reader(*payload);
    auto object = std::make_shared<Object>();
    if (reader.integer<std::uint8_t>() != 0) return {};
    object->key = key;
    object->generation = reader.integer<std::uint32_t>();
    object->uid = Uid(reader.id());
    object->home = CellId(reader.id());
    while (reader.good() && !reader.at_end()) {
        const auto which = reader.integer<std::uint8_t>();
        if (which < 1 || which > all_parts.size()) return {};
        PartState& state = object->part(all_parts[which - 1]);
        state.number = reader.integer<std::uint64_t>();
        state.from = CellId(reader.id());
        state.bytes = std::make_shared<const std::string>(reader.take(reader.integer<std::uint32_t>()));
    }
    if (!reader.good()) return {};
    return object;
}

std::optional<Backend::Tombstone> read_tombstone(const Key& key, std::string_view row) {
    std::optional<std::string_view> payload = unseal(identity(key), row);
    if (!payload) return {};
    Reader reader(*payload);
    if (reader.integer<std::uint8_t>() != 1) return {};
    Backend::Tombstone tombstone{.key = key};
    tombstone.number = reader.integer<std::uint64_t>();
    tombstone.uid = Uid(reader.id());
    tombstone.home = CellId(reader.id());
    if (!reader.good() || !reader.at_end()) return {};
    return tombstone;
}

std::string write_incarnation(const Backend::Incarnation& incarnation) {
    std::string payload = incarnation.id.bytes();
    add(payload, incarnation.first);
    add(payload, incarnation.head);
    return seal("incarnation", payload);
}

std::optional<Backend::Incarnation> read_incarnation(std::string_view row) {
    std::optional<std::string_view> payload = unseal("incarnation", row);
    if (!payload) return {};
    Reader reader(*payload);
    Backend::Incarnation incarnation;
    incarnation.id = IncarnationId(reader.id());
    incarnation.first = reader.integer<std::uint64_t>();
    incarnation.head = reader.integer<std::uint64_t>();
    if (!reader.good() || !reader.at_end()) return {};
    return incarnation;
}

} // namespace skerry::store
