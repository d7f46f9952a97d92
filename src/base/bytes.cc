#include "base/bytes.h"

#include "base/check.h"

#include <openssl/evp.h>

namespace skerry {

std::string hex(std::string_view bytes) {
    static constexpr char digits[] = "0123456789abcdef";
    std::string text;
    text.reserve(bytes.size() * 2);
    for (unsigned char byte : bytes) {
        text += digits[byte >> 4];
        text += digits[byte & 15];
    }
    return text;
}

namespace {

int digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

} // namespace

Result<std::string> unhex(std::string_view text) {
    if (text.size() % 2) return fail(Code::invalid, "hexadecimal text has an odd length");
    std::string bytes;
    bytes.reserve(text.size() / 2);
    for (std::size_t i = 0; i < text.size(); i += 2) {
        int high = digit(text[i]), low = digit(text[i + 1]);
        if (high < 0 || low < 0) return fail(Code::invalid, "not a hexadecimal digit");
        bytes += static_cast<char>(high << 4 | low);
    }
    return bytes;
}

std::string base64(std::string_view bytes) {
    std::string text((bytes.size() + 2) / 3 * 4 + 1, '\0');
    int length = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                                 reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<int>(bytes.size()));
    text.resize(static_cast<std::size_t>(length));
    return text;
}

Result<std::string> unbase64(std::string_view text) {
    if (text.size() % 4) return fail(Code::invalid, "base64 text has a length that is no multiple of four");
    if (text.empty()) return std::string();
    // EVP_DecodeBlock trims white space at both ends, which RFC 4648 does not allow, and pads with zero bytes.
    for (char c : text)
        if (static_cast<unsigned char>(c) <= ' ') return fail(Code::invalid, "base64 text contains white space");
    std::string bytes(text.size() / 4 * 3, '\0');
    int length = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()),
                                 reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
    if (length < 0) return fail(Code::invalid, "not base64");
    std::size_t padding = text.ends_with("==") ? 2 : text.ends_with("=") ? 1 : 0;
    if (text.find('=') < text.size() - padding) return fail(Code::invalid, "base64 text goes on behind its padding");
    bytes.resize(static_cast<std::size_t>(length) - padding);
    return bytes;
}

std::string big_endian(std::uint64_t value) {
    std::string bytes(8, '\0');
    for (int i = 7; i >= 0; --i, value >>= 8) bytes[static_cast<std::size_t>(i)] = static_cast<char>(value & 255);
    return bytes;
}

std::uint64_t read_big_endian(std::string_view bytes) {
    CHECK(bytes.size() == 8);
    std::uint64_t value = 0;
    for (unsigned char byte : bytes) value = value << 8 | byte;
    return value;
}

} // namespace skerry
