#include "trust/tokens/json_members.h"

namespace skerry::trust {

Result<std::string> text_member(const Json& json, std::string_view member, std::size_t limit) {
    const Json* found = json.find(member);
    if (!found || found->is_null()) return std::string();
    const std::string* text = found->string();
    if (!text) return fail(Code::invalid, std::string(member) + ": " + std::string(found->shape()) + "; wanted a string");
    if (text->size() > limit)
        return fail(Code::invalid, std::string(member) + ": longer than " + std::to_string(limit) + " bytes");
    return *text;
}

Result<Id> id_member(const Json& json, std::string_view member) {
    return Id::parse(TRY(text_member(json, member, 64))) | during(member);
}

} // namespace skerry::trust
