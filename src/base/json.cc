#include "base/json.h"

#include <rapidjson/error/en.h>
#include <rapidjson/prettywriter.h>
#include <rapidjson/reader.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <algorithm>
#include <cmath>
#include <unordered_set>

namespace skerry {

const Json* Json::find(std::string_view name) const {
    if (auto* object = members())
        for (auto& [key, value] : *object)
            if (key == name) return &value;
    return nullptr;
}

Json* Json::find(std::string_view name) { return const_cast<Json*>(std::as_const(*this).find(name)); }

const Json& Json::at(std::initializer_list<std::string_view> path) const {
    static const Json none;
    const Json* here = this;
    for (std::string_view name : path)
        if (!(here = here->find(name))) return none;
    return *here;
}

std::string_view Json::text(std::string_view name) const {
    const Json* value = find(name);
    const std::string* text = value ? value->string() : nullptr;
    return text ? std::string_view(*text) : std::string_view();
}

Json& Json::set(std::string_view name, Json value) {
    if (is_null()) value_ = Object{};
    if (Json* old = find(name)) return *old = std::move(value);
    auto& object = std::get<Object>(value_);
    return object.emplace_back(std::string(name), std::move(value)).second;
}

void Json::erase(std::string_view name) {
    if (auto* object = members()) std::erase_if(*object, [&](const Member& member) { return member.first == name; });
}

Json& Json::push(Json item) {
    if (is_null()) value_ = Array{};
    return std::get<Array>(value_).emplace_back(std::move(item));
}

std::string_view Json::shape() const {
    switch (value_.index()) {
    case 0:
        return "null";
    case 1:
        return "a boolean";
    case 2:
    case 3:
        return "a number";
    case 4:
        return "a string";
    case 5:
        return "a list";
    default:
        return "an object";
    }
}

namespace {

/// Builds the tree from RapidJSON's events and refuses what passes the limits.
class Builder : public rapidjson::BaseReaderHandler<rapidjson::UTF8<>, Builder> {
public:
    explicit Builder(JsonLimits limits) : limits_(limits) {}

    bool Null() { return add(Json()); }
    bool Bool(bool value) { return add(Json(value)); }
    bool Int(int value) { return add(Json(value)); }
    bool Uint(unsigned value) { return add(Json(value)); }
    bool Int64(std::int64_t value) { return add(Json(value)); }
    bool Uint64(std::uint64_t value) {
        return value <= INT64_MAX ? add(Json(static_cast<std::int64_t>(value))) : add(Json(static_cast<double>(value)));
    }
    bool Double(double value) { return add(Json(value)); }
    bool String(const char* text, rapidjson::SizeType size, bool) { return add(Json(std::string(text, size))); }
    bool StartObject() { return open(Json::object()); }
    bool StartArray() { return open(Json::array()); }
    bool EndArray(rapidjson::SizeType) { return close(); }
    bool EndObject(rapidjson::SizeType) { return close(); }
    bool Key(const char* text, rapidjson::SizeType size, bool) {
        Open& open = open_.back();
        open.key.assign(text, size);
        if (open.count >= 16 && open.seen.empty())
            for (auto& member : *open.value.members()) open.seen.insert(member.first);
        bool known = open.seen.empty() ? open.value.find(open.key) != nullptr : !open.seen.insert(open.key).second;
        if (known) return refuse("the name \"" + open.key + "\" appears twice in one object");
        return true;
    }

    Json take() { return std::move(root_); }
    const std::string& refusal() const { return refusal_; }

private:
    struct Open {
        Json value;
        std::string key;
        std::size_t count = 0;
        std::unordered_set<std::string> seen;
    };

    bool refuse(std::string why) {
        refusal_ = std::move(why);
        return false;
    }

    bool open(Json value) {
        if (open_.size() >= limits_.depth) return refuse("nested deeper than " + std::to_string(limits_.depth) + " levels");
        open_.push_back({std::move(value), {}, 0, {}});
        return true;
    }

    bool close() {
        Json value = std::move(open_.back().value);
        open_.pop_back();
        return add(std::move(value));
    }

    bool add(Json value) {
        if (++values_ > limits_.values) return refuse("more than " + std::to_string(limits_.values) + " values");
        if (open_.empty()) {
            root_ = std::move(value);
            return true;
        }
        Open& open = open_.back();
        ++open.count;
        if (auto* items = open.value.array_items())
            items->push_back(std::move(value));
        else
            open.value.members()->emplace_back(open.key, std::move(value));
        return true;
    }

    JsonLimits limits_;
    std::size_t values_ = 0;
    std::vector<Open> open_;
    Json root_;
    std::string refusal_;
};

template<class Writer>
void write(Writer& writer, const Json& value) {
    if (auto* boolean = value.boolean())
        writer.Bool(*boolean);
    else if (auto* integer = value.integer())
        writer.Int64(*integer);
    else if (auto* real = value.real())
        std::isfinite(*real) ? writer.Double(*real) : writer.Null();
    else if (auto* text = value.string())
        writer.String(text->data(), static_cast<rapidjson::SizeType>(text->size()));
    else if (auto* items = value.array_items()) {
        writer.StartArray();
        for (const Json& item : *items) write(writer, item);
        writer.EndArray();
    } else if (auto* members = value.members()) {
        writer.StartObject();
        for (auto& [name, member] : *members) {
            writer.Key(name.data(), static_cast<rapidjson::SizeType>(name.size()));
            write(writer, member);
        }
        writer.EndObject();
    } else
        writer.Null();
}

} // namespace

Result<Json> parse_json(std::string_view text, JsonLimits limits) {
    if (text.size() > limits.bytes)
        return fail(Code::exhausted, "JSON of " + std::to_string(text.size()) + " bytes; at most " +
                                         std::to_string(limits.bytes) + " are accepted");
    // RapidJSON takes a zero byte for the end of the text, and passes over any part of a byte order mark.
    if (std::size_t zero = text.find('\0'); zero != std::string_view::npos)
        return fail(Code::invalid, "JSON, byte " + std::to_string(zero) + ": a zero byte");
    if (text.starts_with('\xef') && !text.starts_with("\xef\xbb\xbf")) return fail(Code::invalid, "JSON, byte 0: Invalid value.");
    Builder builder(limits);
    rapidjson::MemoryStream memory(text.data(), text.size());
    rapidjson::EncodedInputStream<rapidjson::UTF8<>, rapidjson::MemoryStream> stream(memory);
    rapidjson::Reader reader;
    auto outcome =
        reader.Parse<rapidjson::kParseValidateEncodingFlag | rapidjson::kParseIterativeFlag | rapidjson::kParseFullPrecisionFlag>(
            stream, builder);
    if (outcome.IsError()) {
        std::string why = builder.refusal().empty() ? rapidjson::GetParseError_En(outcome.Code()) : builder.refusal();
        return fail(Code::invalid, "JSON, byte " + std::to_string(outcome.Offset()) + ": " + why);
    }
    return builder.take();
}

std::string write_json(const Json& value, Layout layout) {
    rapidjson::StringBuffer buffer;
    if (layout == Layout::indented) {
        rapidjson::PrettyWriter<rapidjson::StringBuffer> writer(buffer);
        writer.SetIndent(' ', 2);
        write(writer, value);
    } else {
        rapidjson::Writer<rapidjson::StringBuffer> writer(buffer);
        write(writer, value);
    }
    return std::string(buffer.GetString(), buffer.GetSize());
}

void merge_patch(Json& target, const Json& patch) {
    auto* changes = patch.members();
    if (!changes) {
        target = patch;
        return;
    }
    if (!target.members()) target = Json::object();
    for (auto& [name, change] : *changes) {
        if (change.is_null())
            target.erase(name);
        else if (change.members()) {
            Json* member = target.find(name);
            merge_patch(member ? *member : target.set(name, Json::object()), change);
        } else
            target.set(name, change);
    }
}

} // namespace skerry
