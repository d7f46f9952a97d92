#include "base/digest.h"

#include "base/check.h"

#include <openssl/evp.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace skerry {

Result<Digest> Digest::from_bytes(std::string_view bytes) {
    Id id = TRY(Id::from_bytes(bytes));
    return Digest{id.high, id.low};
}

Digest keyed_digest(std::uint64_t key, std::string_view bytes) {
    XXH128_hash_t hash = XXH3_128bits_withSeed(bytes.data(), bytes.size(), key);
    return {hash.high64, hash.low64};
}

struct Sha256::State {
    EVP_MD_CTX* context = EVP_MD_CTX_new();
    ~State() { EVP_MD_CTX_free(context); }
};

Sha256::Sha256() : state_(std::make_unique<State>()) {
    CHECK(state_->context && EVP_DigestInit_ex(state_->context, EVP_sha256(), nullptr) == 1);
}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

void Sha256::add(std::string_view bytes) { CHECK(EVP_DigestUpdate(state_->context, bytes.data(), bytes.size()) == 1); }

std::string Sha256::finish() {
    std::string digest(32, '\0');
    CHECK(EVP_DigestFinal_ex(state_->context, reinterpret_cast<unsigned char*>(digest.data()), nullptr) == 1);
    return digest;
}

std::string sha256(std::string_view bytes) {
    Sha256 hash;
    hash.add(bytes);
    return hash.finish();
}

} // namespace skerry
