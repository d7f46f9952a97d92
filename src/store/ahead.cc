#include "store/ahead.h"

#include "base/check.h"

#include <fmt/format.h>

namespace skerry::store {

std::optional<Ahead::Refusal> Ahead::check(const Transaction::Write& write, const Fate& fate) const {
    auto refuse = [&](Code code, std::string message) {
        return Refusal{{code, write.key.text() + ": " + std::move(message)}, fate.writes > 0};
    };
    if (write.part != Part::wish) {
        if (!fate.exists) return refuse(Code::not_found, "its status has no object to go to");
        if (fate.uid != write.uid)
            return refuse(Code::not_found,
                          fmt::format("its status is for uid {}, the object has uid {}", write.uid.text(), fate.uid.text()));
        return {};
    }
    if (const std::optional<Uid>& uid = write.expect.uid) {
        if (!fate.exists) return refuse(Code::conflict, fmt::format("expected uid {}, but there is no such object", uid->text()));
        if (fate.uid != *uid)
            return refuse(Code::conflict, fmt::format("expected uid {}, but it is another object now, with uid {}", uid->text(),
                                                      fate.uid.text()));
    }
    if (const std::optional<Number>& number = write.expect.number) {
        const Number found = fate.exists ? fate.wish : 0;
        if (found == *number) return {};
        if (*number == 0) return refuse(Code::conflict, "it exists already");
        if (found == 0) return refuse(Code::conflict, fmt::format("expected version {}, but there is no such object", *number));
        if (found == on_its_way)
            return refuse(Code::conflict,
                          fmt::format("version {} is being replaced at this moment; read it again and retry", *number));
        return refuse(Code::conflict,
                      fmt::format("expected version {}, but it is at {}; read it again and retry", *number, found));
    }
    return {};
}

std::optional<Ahead::Refusal> Ahead::admit(const Transaction& transaction, const Tables& tables) {
    std::unordered_map<Key, Fate> fates;
    for (const Transaction::Write& write : transaction.writes_) {
        auto [place, added] = fates.try_emplace(write.key);
        Fate& fate = place->second;
        if (added) {
            if (auto known = fates_.find(write.key); known != fates_.end()) {
                fate = known->second;
            } else if (const Tables::Row* row = tables.find(write.key)) {
                fate = {.exists = true, .uid = row->object->uid, .wish = row->object->wish.number, .writes = 0};
            }
        }
        if (std::optional<Refusal> refusal = check(write, fate)) return refusal;
        fate.writes++;
        if (write.part != Part::wish) continue;
        fate.exists = write.bytes != nullptr;
        fate.uid = write.uid;
        fate.wish = fate.exists ? on_its_way : 0;
    }
    for (auto& [key, fate] : fates) fates_[key] = fate;
    return {};
}

void Ahead::settle(const Key& key) {
    auto fate = fates_.find(key);
    CHECK(fate != fates_.end() && fate->second.writes > 0, "only what was admitted settles");
    if (--fate->second.writes == 0) fates_.erase(fate);
}

} // namespace skerry::store
