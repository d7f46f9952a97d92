#include "base/check.h"
#include "store/store.h"

namespace skerry::store {

void Transaction::put(const Key& key, Uid uid, CellId home, std::uint32_t generation, std::string wish, Expect expect,
                      CellId from) {
    bytes_ += wish.size() + key.project.size() + key.name.size();
    writes_.push_back({.key = key,
                       .uid = uid,
                       .home = home,
                       .generation = generation,
                       .part = Part::wish,
                       .bytes = std::make_shared<const std::string>(std::move(wish)),
                       .from = from,
                       .expect = expect});
}

void Transaction::put_part(const Key& key, Uid uid, Part part, std::string bytes, CellId from) {
    CHECK(part != Part::wish, "a wish is written with put()");
    bytes_ += bytes.size() + key.project.size() + key.name.size();
    writes_.push_back({.key = key,
                       .uid = uid,
                       .home = {},
                       .generation = 0,
                       .part = part,
                       .bytes = std::make_shared<const std::string>(std::move(bytes)),
                       .from = from,
                       .expect = {}});
}

void Transaction::erase(const Key& key, Expect expect) {
    bytes_ += key.project.size() + key.name.size();
    writes_.push_back(
        {.key = key, .uid = {}, .home = {}, .generation = 0, .part = Part::wish, .bytes = nullptr, .from = {}, .expect = expect});
}

void Transaction::note(std::string_view space, std::string_view key, std::string bytes) {
    CHECK(!space.empty(), "the empty space is the backend's own");
    bytes_ += space.size() + key.size() + bytes.size();
    notes_.push_back({std::string(space), std::string(key), std::move(bytes)});
}

void Transaction::erase_note(std::string_view space, std::string_view key) {
    CHECK(!space.empty(), "the empty space is the backend's own");
    bytes_ += space.size() + key.size();
    notes_.push_back({std::string(space), std::string(key), std::nullopt});
}

} // namespace skerry::store
