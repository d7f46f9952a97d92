#include "trust/keys/seal.h"

#include "base/bytes.h"
#include "base/check.h"
#include "base/digest.h"
#include "trust/openssl.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/pem.h>

#include <array>

namespace skerry::trust {

namespace {

using KeyContextPtr = std::unique_ptr<EVP_PKEY_CTX, FreeWith<EVP_PKEY_CTX_free>>;
using CipherPtr = std::unique_ptr<EVP_CIPHER_CTX, FreeWith<EVP_CIPHER_CTX_free>>;
using KdfPtr = std::unique_ptr<EVP_KDF, FreeWith<EVP_KDF_free>>;
using KdfContextPtr = std::unique_ptr<EVP_KDF_CTX, FreeWith<EVP_KDF_CTX_free>>;

constexpr std::string_view purpose = "skerry sealed pieces 1";
constexpr std::size_t cipher_key_size = 32, nonce_size = 12;

unsigned char* writable(std::string& bytes) { return reinterpret_cast<unsigned char*>(bytes.data()); }
const unsigned char* readable(std::string_view bytes) { return reinterpret_cast<const unsigned char*>(bytes.data()); }

/// A secret that is wiped when it goes.
struct Secret {
    std::string bytes;
    ~Secret() { OPENSSL_cleanse(bytes.data(), bytes.size()); }
};

Result<KeyPtr> read_public(std::string_view pem) {
    if (pem.size() > max_pem) return fail(Code::invalid, "public key: more than 64 KiB");
    KeyPtr key;
    if (pem.find("-----BEGIN PUBLIC KEY-----") != std::string_view::npos) {
        BioPtr bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
        CHECK(bio);
        key.reset(PEM_read_bio_PUBKEY(bio.get(), nullptr, nullptr, nullptr));
        if (!key) return fail_openssl(Code::invalid, "public key: not one in PEM");
    } else {
        key.reset(X509_get_pubkey(TRY(read_x509(pem)).get()));
    }
    if (!key || !is_p256(key.get())) {
        ERR_clear_error();
        return fail(Code::invalid, "public key: not one on P-256");
    }
    return key;
}

Result<std::string> point_of(EVP_PKEY* key) {
    std::string point(Sealing::point_size, '\0');
    std::size_t size = 0;
    if (EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, writable(point), point.size(), &size) != 1 ||
        size != point.size() || point[0] != 4)
        return fail_openssl(Code::internal, "encode a public key");
    return point;
}

Result<KeyPtr> key_of_point(std::string_view point) {
    if (point.size() != Sealing::point_size || point[0] != 4) return fail(Code::invalid, "ephemeral key: not a point of P-256");
    KeyContextPtr context(EVP_PKEY_CTX_new_from_name(nullptr, "EC", nullptr));
    char group[] = "prime256v1";
    std::string copy(point);
    OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
                           OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, copy.data(), copy.size()),
                           OSSL_PARAM_construct_end()};
    EVP_PKEY* key = nullptr;
    if (!context || EVP_PKEY_fromdata_init(context.get()) != 1 ||
        EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
        return fail_openssl(Code::invalid, "ephemeral key: not a point of P-256");
    return KeyPtr(key);
}

Result<CipherPtr> agree(EVP_PKEY* own, EVP_PKEY* other, std::string_view ephemeral, std::string_view receiver,
                        std::string_view context, bool seals) {
    KeyContextPtr agreement(EVP_PKEY_CTX_new(own, nullptr));
    std::size_t size = 0;
    if (!agreement || EVP_PKEY_derive_init(agreement.get()) != 1 || EVP_PKEY_derive_set_peer(agreement.get(), other) != 1 ||
        EVP_PKEY_derive(agreement.get(), nullptr, &size) != 1)
        return fail_openssl(Code::invalid, "agree on a key");
    Secret shared{std::string(size, '\0')}, key{std::string(cipher_key_size, '\0')};
    if (EVP_PKEY_derive(agreement.get(), writable(shared.bytes), &size) != 1)
        return fail_openssl(Code::invalid, "agree on a key");
    shared.bytes.resize(size);

    KdfPtr kdf(EVP_KDF_fetch(nullptr, "HKDF", nullptr));
    KdfContextPtr derivation(EVP_KDF_CTX_new(kdf.get()));
    char digest[] = "SHA256";
    std::string salt = std::string(ephemeral).append(receiver);
    std::string about = std::string(purpose).append(sha256(context)); // HKDF takes a short one
    OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
                           OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, shared.bytes.data(), shared.bytes.size()),
                           OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, salt.data(), salt.size()),
                           OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, about.data(), about.size()),
                           OSSL_PARAM_construct_end()};
    if (!derivation || EVP_KDF_derive(derivation.get(), writable(key.bytes), key.bytes.size(), params) != 1)
        return fail_openssl(Code::internal, "derive a key");

    CipherPtr cipher(EVP_CIPHER_CTX_new());
    if (!cipher || EVP_CipherInit_ex2(cipher.get(), EVP_aes_256_gcm(), readable(key.bytes), nullptr, seals, nullptr) != 1)
        return fail_openssl(Code::internal, "begin a cipher");
    return cipher;
}

/// Never used twice under one key: each sealing has a key of its own, and counts.
std::string nonce_of(std::uint64_t number, bool last) {
    std::string nonce(nonce_size - 9, '\0');
    return nonce.append(big_endian(number)).append(1, last ? '\1' : '\0');
}

} // namespace

struct Sealing::State {
    KeyPtr receiver, ephemeral;
    std::string point, receiver_point;
    CipherPtr cipher;
    std::uint64_t pieces = 0;
    bool over = false;
};

Sealing::Sealing(std::unique_ptr<State> state) : state_(std::move(state)) {}
Sealing::Sealing(Sealing&&) noexcept = default;
Sealing& Sealing::operator=(Sealing&&) noexcept = default;
Sealing::~Sealing() = default;

Result<Sealing> Sealing::to(std::string_view public_pem) {
    auto state = std::make_unique<State>();
    state->receiver = TRY(read_public(public_pem));
    state->ephemeral.reset(EVP_EC_gen("P-256"));
    if (!state->ephemeral) return fail_openssl(Code::internal, "make an ephemeral key");
    state->point = TRY(point_of(state->ephemeral.get()));
    state->receiver_point = TRY(point_of(state->receiver.get()));
    return Sealing(std::move(state));
}

const std::string& Sealing::point() const { return state_->point; }

Result<void> Sealing::begin(std::string_view context) {
    CHECK(!state_->cipher, "sealing begins once");
    state_->cipher =
        TRY(agree(state_->ephemeral.get(), state_->receiver.get(), state_->point, state_->receiver_point, context, true));
    state_->ephemeral.reset();
    return {};
}

Result<std::string> Sealing::seal(std::string_view piece, bool last) {
    CHECK(state_->cipher && !state_->over && piece.size() < (1u << 30), "a piece to seal");
    state_->over = last;
    std::string nonce = nonce_of(state_->pieces++, last), out(piece.size() + tag_size, '\0');
    int size = 0, rest = 0;
    EVP_CIPHER_CTX* cipher = state_->cipher.get();
    if (EVP_EncryptInit_ex2(cipher, nullptr, nullptr, readable(nonce), nullptr) != 1 ||
        EVP_EncryptUpdate(cipher, writable(out), &size, readable(piece), static_cast<int>(piece.size())) != 1 ||
        EVP_EncryptFinal_ex(cipher, writable(out) + size, &rest) != 1 ||
        EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_GET_TAG, tag_size, writable(out) + piece.size()) != 1)
        return fail_openssl(Code::internal, "seal a piece");
    return out;
}

struct Unsealing::State {
    CipherPtr cipher;
    std::uint64_t pieces = 0;
    bool over = false;
};

Unsealing::Unsealing(std::unique_ptr<State> state) : state_(std::move(state)) {}
Unsealing::Unsealing(Unsealing&&) noexcept = default;
Unsealing& Unsealing::operator=(Unsealing&&) noexcept = default;
Unsealing::~Unsealing() = default;

Result<Unsealing> Unsealing::with(std::string_view key_pem, std::string_view point, std::string_view context) {
    KeyPtr own = TRY(read_key(key_pem));
    if (!is_p256(own.get())) return fail(Code::invalid, "private key: not one on P-256");
    KeyPtr ephemeral = TRY(key_of_point(point));
    auto state = std::make_unique<State>();
    state->cipher = TRY(agree(own.get(), ephemeral.get(), point, TRY(point_of(own.get())), context, false));
    return Unsealing(std::move(state));
}

Result<std::string> Unsealing::open(std::string_view piece, bool last) {
    auto refuse = [] { return fail(Code::corrupt, "a piece is damaged, missing, or not in its place"); };
    if (state_->over || piece.size() < Sealing::tag_size || piece.size() > (1u << 30)) return refuse();
    state_->over = last;
    std::string nonce = nonce_of(state_->pieces++, last), tag(piece.substr(piece.size() - Sealing::tag_size));
    piece.remove_suffix(Sealing::tag_size);
    std::string out(piece.size(), '\0');
    unsigned char nothing[1];
    int size = 0, rest = 0;
    EVP_CIPHER_CTX* cipher = state_->cipher.get();
    if (EVP_DecryptInit_ex2(cipher, nullptr, nullptr, readable(nonce), nullptr) != 1 ||
        EVP_DecryptUpdate(cipher, out.empty() ? nothing : writable(out), &size, readable(piece),
                          static_cast<int>(piece.size())) != 1 ||
        EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_SET_TAG, static_cast<int>(tag.size()), writable(tag)) != 1 ||
        EVP_DecryptFinal_ex(cipher, out.empty() ? nothing : writable(out) + size, &rest) != 1) {
        ERR_clear_error();
        state_->over = true;
        return refuse();
    }
    return out;
}

} // namespace skerry::trust
