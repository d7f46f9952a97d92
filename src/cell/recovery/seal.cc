#include "cell/recovery/seal.h"

#include "base/bytes.h"
#include "base/digest.h"

namespace skerry::cell {

namespace {

constexpr std::string_view seal_space = "seal", own_key = "own";
constexpr std::size_t block = 64; ///< of SHA-256

std::string hmac(const std::string& key, std::string_view text) {
    auto pad = [&](unsigned char with) {
        std::string padded(block, static_cast<char>(with));
        for (std::size_t i = 0; i < key.size(); ++i) padded[i] = static_cast<char>(padded[i] ^ key[i]);
        return padded;
    };
    return sha256(pad(0x5c) + sha256(pad(0x36) + std::string(text)));
}

} // namespace

Seals::Seals(store::Store& store, env::Chance& chance) {
    if (auto key = store.note(seal_space, own_key); key && key->size() == 32) {
        key_ = std::move(*key);
        return;
    }
    key_ = chance.id().bytes() + chance.id().bytes();
    store::Transaction transaction;
    transaction.note(seal_space, own_key, key_);
    store.commit(std::move(transaction), nullptr);
}

std::string Seals::seal(CellId child, const sync::ItemKey& key, std::uint32_t generation, std::string_view bytes) const {
    std::string text = child.bytes() + key.home.bytes() + key.uid.bytes() + big_endian(generation) + big_endian(key.kind);
    for (std::string_view each : {std::string_view(key.project), std::string_view(key.name), bytes}) {
        text += big_endian(each.size());
        text += each;
    }
    text += static_cast<char>(key.part);
    std::string code = hmac(key_, text);
    code.resize(size);
    return code;
}

bool Seals::is_ours(CellId child, const sync::Item& item) const {
    std::string expected = seal(child, item.key, item.generation, *item.bytes);
    if (item.seal.size() != expected.size()) return false;
    unsigned char differs = 0;
    for (std::size_t i = 0; i < expected.size(); ++i) differs |= static_cast<unsigned char>(expected[i] ^ item.seal[i]);
    return differs == 0;
}

} // namespace skerry::cell
