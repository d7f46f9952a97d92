#include "base/ids.h"

#include "base/bytes.h"

namespace skerry {

std::string Id::bytes() const { return big_endian(high) + big_endian(low); }

std::string Id::text() const { return hex(bytes()); }

Result<Id> Id::from_bytes(std::string_view bytes) {
    if (bytes.size() != 16) return fail(Code::invalid, "an id has 16 bytes, not " + std::to_string(bytes.size()));
    return Id{read_big_endian(bytes.substr(0, 8)), read_big_endian(bytes.substr(8))};
}

Result<Id> Id::parse(std::string_view text) {
    if (text.size() != 32) return fail(Code::invalid, "an id has 32 hexadecimal digits, not " + std::to_string(text.size()));
    return from_bytes(TRY(unhex(text)));
}

} // namespace skerry
