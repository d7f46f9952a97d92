#include "trust/keys/key_store.h"

#include "base/json.h"
#include "trust/certificate.h"
#include "trust/keys/key.h"

namespace skerry::trust {

namespace {
constexpr std::size_t max_file = 64 << 10;
constexpr std::size_t max_pending = 4 << 20;

std::string folder_above(const std::string& path) {
    std::size_t slash = path.rfind('/');
    return slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
}
} // namespace

std::string KeyStore::path(std::string_view name, std::string_view kind) const {
    return folder_ + "/" + std::string(name) + "." + std::string(kind);
}

Result<void> KeyStore::put(std::string_view name, std::string_view kind, std::string_view content) {
    TRY_VOID(settle());
    return put_file(std::string(name) + "." + std::string(kind), content);
}

Result<void> KeyStore::put_file(std::string_view file, std::string_view content) {
    if (!TRY(files_.exists(folder_))) {
        TRY_VOID(files_.make_folder(folder_));
    }
    // Also when it exists: an earlier try may have been cut off before this.
    TRY_VOID(files_.sync_folder(folder_above(folder_)));
    return env::write_whole(files_, path(file), content);
}

Result<void> KeyStore::settle() {
    if (settled_) return {};
    auto pending = env::read_whole(files_, path("pending"), max_pending);
    if (!pending && pending.error().code != Code::not_found) return std::unexpected(pending.error());
    if (pending) {
        Json wanted =
            TRY(parse_json(*pending, {.bytes = max_pending, .depth = 2, .values = 64}) | during("read " + path("pending")));
        if (!wanted.members()) return fail(Code::corrupt, path("pending") + " is no list of files");
        for (const auto& [file, content] : *wanted.members()) {
            if (!content.string() || file.find('/') != std::string::npos)
                return fail(Code::corrupt, path("pending") + " holds what is no file");
            TRY_VOID(put_file(file, *content.string()));
        }
        TRY_VOID(files_.remove(path("pending")));
        TRY_VOID(files_.sync_folder(folder_));
    }
    settled_ = true;
    return {};
}

Result<void> KeyStore::put_all(const std::map<std::string, std::string>& files) {
    TRY_VOID(settle());
    Json pending = Json::object();
    for (const auto& [file, content] : files) {
        pending.set(file, content);
        if (!file.ends_with(".chain")) continue;
        std::string name = file.substr(0, file.size() - std::string_view(".chain").size());
        std::string chain_key = TRY(read_certificate(content)).key_fingerprint;
        auto given = files.find(name + ".key");
        auto key =
            given != files.end() ? Result<std::string>(given->second) : env::read_whole(files_, path(name, "key"), max_file);
        if (!key && key.error().code != Code::not_found) return std::unexpected(key.error());
        if (key && TRY(key_fingerprint(*key)) != chain_key)
            return fail(Code::corrupt, "the new " + file + " does not fit the key beside it");
    }
    TRY_VOID(put_file("pending", write_json(pending)));
    settled_ = false;
    return settle();
}

Result<std::string> KeyStore::load_file(std::string_view name, std::size_t limit) {
    TRY_VOID(settle());
    return env::read_whole(files_, path(name), limit);
}

Result<void> KeyStore::remove_key(std::string_view name) {
    if (!TRY(files_.exists(path(name, "key")))) return {};
    return files_.remove(path(name, "key"));
}

Result<std::string> KeyStore::ensure_key(std::string_view name) {
    TRY_VOID(settle());
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
    TRY_VOID(settle());
    Certificate certificate = TRY(read_certificate(chain_pem));
    auto key = env::read_whole(files_, path(name, "key"), max_file);
    if (!key && key.error().code != Code::not_found) return std::unexpected(key.error());
    if (key && TRY(key_fingerprint(*key)) != certificate.key_fingerprint)
        return fail(Code::corrupt,
                    "the certificate for " + certificate.identity.title() + " does not fit the key in " + path(name, "key"));
    return put(name, "chain", chain_pem);
}

Result<KeyPair> KeyStore::load(std::string_view name) {
    TRY_VOID(settle());
    KeyPair pair;
    pair.key_pem = TRY(env::read_whole(files_, path(name, "key"), max_file));
    pair.chain_pem = TRY(load_chain(name));
    if (TRY(key_fingerprint(pair.key_pem) | during("read " + path(name, "key"))) !=
        TRY(read_certificate(pair.chain_pem) | during("read " + path(name, "chain"))).key_fingerprint)
        return fail(Code::corrupt, path(name, "key") + " and " + path(name, "chain") + " do not belong together");
    return pair;
}

Result<std::string> KeyStore::load_chain(std::string_view name) {
    TRY_VOID(settle());
    return env::read_whole(files_, path(name, "chain"), max_file);
}

} // namespace skerry::trust
