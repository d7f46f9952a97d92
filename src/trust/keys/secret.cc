#include "trust/keys/secret.h"

#include "base/bytes.h"
#include "base/digest.h"

#include <openssl/crypto.h>

namespace skerry::trust {

std::string draw_secret(env::Chance& chance) {
    std::string secret;
    while (secret.size() < secret_size) secret += big_endian(chance.bits());
    return secret;
}

bool matches(std::string_view secret, std::string_view hash) {
    std::string found = sha256(secret);
    return hash.size() == found.size() && CRYPTO_memcmp(found.data(), hash.data(), found.size()) == 0;
}

} // namespace skerry::trust
