#include "trust/key_store.h"

#include "trust/certificate.h"
#include "trust/key.h"

namespace skerry::trust {

namespace {
constexpr std::size_t max_file = 64 << 10;

std::string folder_above(const std::string& path) {
    std::size_t slash = path.rfind('/');
    return slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
}
} // namespace

std::string KeyStore::path(std::string_view name, std::string_view kind) const {
    return folder_ + "/" + std::string(name) + "." + std::string(kind);
}

Result<void> KeyStore::put(std::string_view name, std::string_view kind, std::string_view content) {
    if (!TRY(files_.exists(folder_))) {
        TRY_VOID(files_.make_folder(folder_));
    }
    // Also when it exists: an earlier try may have been cut off before this.
    TRY_VOID(files_.sync_folder(folder_above(folder_)));
    return env::write_whole(files_, path(name, kind), content);
}

Result<std::string> KeyStore::ensure_key(std::string_view name) {
    auto found = env::read_whole(files_, path(name, "key"), max_file);
    if (found) {
        TRY_VOID(key_fingerprint(*found) | during("read " + path(name, "key")));
        return found;
    }
    if (found.error().code != Code::not_found) return found;
    std::string key = TRY(make_key());
    TRY_VOID(put(name, "key", key));
    return key;
}

Result<void> KeyStore::put_key(std::string_view name, std::string_view key_pem) {
    TRY_VOID(key_fingerprint(key_pem));
    return put(name, "key", key_pem);
}

Result<void> KeyStore::put_chain(std::string_view name, std::string_view chain_pem) {
    Certificate certificate = TRY(read_certificate(chain_pem));
    auto key = env::read_whole(files_, path(name, "key"), max_file);
    if (!key && key.error().code != Code::not_found) return std::unexpected(key.error());
    if (key && TRY(key_fingerprint(*key)) != certificate.key_fingerprint)
        return fail(Code::corrupt,
                    "the certificate for " + certificate.identity.title() + " does not fit the key in " + path(name, "key"));
    return put(name, "chain", chain_pem);
}

Result<KeyPair> KeyStore::load(std::string_view name) {
    KeyPair pair;
    pair.key_pem = TRY(env::read_whole(files_, path(name, "key"), max_file));
    pair.chain_pem = TRY(load_chain(name));
    if (TRY(key_fingerprint(pair.key_pem) | during("read " + path(name, "key"))) !=
        TRY(read_certificate(pair.chain_pem) | during("read " + path(name, "chain"))).key_fingerprint)
        return fail(Code::corrupt, path(name, "key") + " and " + path(name, "chain") + " do not belong together");
    return pair;
}

Result<std::string> KeyStore::load_chain(std::string_view name) { return env::read_whole(files_, path(name, "chain"), max_file); }

} // namespace skerry::trust
