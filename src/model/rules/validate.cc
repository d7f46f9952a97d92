#include "model/rules/validate.h"

#include "base/check.h"
#include "model/app.pb.h"
#include "model/node.pb.h"
#include "model/override.pb.h"
#include "model/parts.h"
#include "model/rules/kind_rules.h"
#include "model/rules/not_yet.h"
#include "model/rules/rule.h"
#include "model/secret.pb.h"
#include "model/site.pb.h"

#include <fmt/format.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <algorithm>
#include <set>

namespace skerry::model {

namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

/// Checks a message against the options of its fields.
class Walker {
public:
    explicit Walker(Problems& problems) : problems_(problems) {}

    /// `whole`: absent submessages are walked as if they were empty, so that what they require is missed by its own name.
    void message(const Message& message, const std::string& path, bool whole = false) {
        const auto* descriptor = message.GetDescriptor();
        for (int i = 0; i < descriptor->field_count(); ++i)
            field(message, descriptor->field(i), join(path, descriptor->field(i)->json_name()), whole);
    }

private:
    void field(const Message& message, const FieldDescriptor* field, const std::string& path, bool whole) {
        const Reflection* reflection = message.GetReflection();
        const Rule& rule = rule_of(field);
        int size = field->is_repeated() ? reflection->FieldSize(message, field) : 0;
        bool present = field->is_repeated() ? size > 0 : reflection->HasField(message, field);
        if (!present) {
            if (rule.required()) problems_.add(path, "is required" + example(field));
            if (whole && !field->is_repeated() && field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE &&
                field->name() == "spec")
                this->message(reflection->GetMessage(message, field), path);
            return;
        }
        if (!rule.refused().empty()) return problems_.add(path, "is not supported: " + rule.refused());
        if (field->is_repeated()) {
            if (rule.max() && static_cast<std::uint32_t>(size) > rule.max())
                return problems_.add(path, "has " + std::to_string(size) + " items; at most " + std::to_string(rule.max()) +
                                               " are accepted");
            if (field->is_map()) return map(message, field, path, size);
            if (!rule.key().empty()) keys(message, field, path, size);
        }
        if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
            if (!field->is_repeated()) return this->message(reflection->GetMessage(message, field), path);
            for (int i = 0; i < size; ++i)
                this->message(reflection->GetRepeatedMessage(message, field, i), join(path, static_cast<std::size_t>(i)));
        } else if (field->cpp_type() == FieldDescriptor::CPPTYPE_STRING) {
            std::string scratch;
            if (!field->is_repeated()) return text(field, reflection->GetStringReference(message, field, &scratch), path);
            for (int i = 0; i < size; ++i)
                text(field, reflection->GetRepeatedStringReference(message, field, i, &scratch),
                     join(path, static_cast<std::size_t>(i)));
        } else if (!field->is_repeated())
            number(message, field, path);
    }

    static std::string example(const FieldDescriptor* field) {
        const Rule& rule = rule_of(field);
        if (rule.one_of_size()) return " (use " + choices(rule.one_of()) + ")";
        if (rule.format() == "image") return " (such as retail/pos:4.2)";
        if (field->is_repeated()) return " (at least one)";
        return {};
    }

    void text(const FieldDescriptor* field, const std::string& value, const std::string& path) {
        const Rule& rule = rule_of(field);
        if (!field->is_repeated() && rule.max() && value.size() > rule.max())
            return problems_.add(path, quoted(value) + " has " + std::to_string(value.size()) + " bytes; at most " +
                                           std::to_string(rule.max()) + " are accepted");
        if (rule.one_of_size() && std::find(rule.one_of().begin(), rule.one_of().end(), value) == rule.one_of().end()) {
            std::vector<std::string_view> known(rule.one_of().begin(), rule.one_of().end());
            std::string_view near = closest(value, known);
            return problems_.add(path, quoted(value) + " is not offered" +
                                           (near.empty() ? " (use " + choices(offered(field)) + ")"
                                                         : ", did you mean " + std::string(near) + "?"));
        }
        if (is_not_yet(field->full_name(), value))
            return problems_.add(path, quoted(value) + " is not yet supported (use " + choices(offered(field)) + ")");
        if (rule.format().empty()) return;
        std::string problem = format_problem(rule.format(), value);
        if (!problem.empty()) problems_.add(path, quoted(value) + " " + problem);
    }

    /// The choices that are offered today.
    static std::vector<std::string_view> offered(const FieldDescriptor* field) {
        std::vector<std::string_view> words;
        for (const std::string& word : rule_of(field).one_of())
            if (!is_not_yet(field->full_name(), word)) words.push_back(word);
        return words;
    }

    void number(const Message& message, const FieldDescriptor* field, const std::string& path) {
        const Reflection* reflection = message.GetReflection();
        const Rule& rule = rule_of(field);
        if (!rule.has_minimum() && !rule.has_maximum()) return;
        double value = 0;
        switch (field->cpp_type()) {
        case FieldDescriptor::CPPTYPE_UINT32:
            value = reflection->GetUInt32(message, field);
            break;
        case FieldDescriptor::CPPTYPE_INT32:
            value = reflection->GetInt32(message, field);
            break;
        case FieldDescriptor::CPPTYPE_DOUBLE:
            value = reflection->GetDouble(message, field);
            break;
        default:
            CHECK(false, "bounds on a field that is no number: " + field->full_name());
        }
        bool low = rule.has_minimum() && !(value >= rule.minimum());
        bool high = rule.has_maximum() && !(value <= rule.maximum());
        if (!low && !high) return;
        std::string range = !rule.has_minimum()   ? fmt::format("at most {}", rule.maximum())
                            : !rule.has_maximum() ? fmt::format("at least {}", rule.minimum())
                                                  : fmt::format("{} to {}", rule.minimum(), rule.maximum());
        problems_.add(path, fmt::format("{} is out of range ({})", value, range));
    }

    /// Keyed lists: the key is present (its own rule says so) and told only once.
    void keys(const Message& message, const FieldDescriptor* field, const std::string& path, int size) {
        const FieldDescriptor* key = field->message_type()->FindFieldByName(rule_of(field).key());
        CHECK(key && key->cpp_type() == FieldDescriptor::CPPTYPE_STRING,
              "a list keyed by what its items lack: " + field->full_name());
        std::set<std::string> seen;
        for (int i = 0; i < size; ++i) {
            const Message& item = message.GetReflection()->GetRepeatedMessage(message, field, i);
            std::string value = item.GetReflection()->GetString(item, key);
            if (!value.empty() && !seen.insert(value).second)
                problems_.add(join(join(path, static_cast<std::size_t>(i)), key->json_name()),
                              quoted(value) + " is there twice (give each its own)");
        }
    }

    void map(const Message& message, const FieldDescriptor* field, const std::string& path, int size) {
        const std::string& format = rule_of(field).format();
        if (format.empty()) return;
        const FieldDescriptor* key = field->message_type()->map_key();
        const FieldDescriptor* value = field->message_type()->map_value();
        for (int i = 0; i < size; ++i) {
            const Message& entry = message.GetReflection()->GetRepeatedMessage(message, field, i);
            std::string name = entry.GetReflection()->GetString(entry, key);
            std::string problem = format_problem(format == "data" ? "data-key" : "label-key", name);
            if (!problem.empty()) problems_.add(path, quoted(name) + " " + problem);
            if (format == "label-value") {
                std::string held = entry.GetReflection()->GetString(entry, value);
                problem = format_problem(format, held);
                if (!problem.empty()) problems_.add(join(path, name), quoted(held) + " " + problem);
            }
        }
    }

    Problems& problems_;
};

void check_annotations(const Message& message, Problems& problems) {
    constexpr std::size_t most = 256 << 10;
    std::size_t total = 0;
    for (auto& [key, value] : metadata(message).annotations()) total += key.size() + value.size();
    if (total > most)
        problems.add("metadata.annotations",
                     std::to_string(total) + " bytes together; at most " + std::to_string(most) + " are accepted");
}

void check_project(const KindFacts& kind, const Message& message, Problems& problems) {
    if (kind.fleet_wide && !metadata(message).namespace_().empty())
        problems.add("metadata.namespace", quoted(metadata(message).namespace_()) + " on a " + std::string(kind.name) +
                                               ", which belongs to no project (remove it)");
}

void compare(const Message& before, const Message& after, const std::string& path, Problems& problems) {
    const auto* descriptor = before.GetDescriptor();
    for (int i = 0; i < descriptor->field_count(); ++i) {
        const FieldDescriptor* field = descriptor->field(i);
        if (field->is_repeated()) continue;
        const Reflection* reflection = before.GetReflection();
        std::string at = join(path, field->json_name());
        if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE)
            compare(reflection->GetMessage(before, field), reflection->GetMessage(after, field), at, problems);
        else if (rule_of(field).immutable()) {
            CHECK(field->cpp_type() == FieldDescriptor::CPPTYPE_STRING, field->full_name());
            std::string old = reflection->GetString(before, field), now = reflection->GetString(after, field);
            if (old != now)
                problems.add(at, quoted(now) + " would change what stays for ever, " + quoted(old) +
                                     " (delete the object and create it anew)");
        }
    }
}

} // namespace

void validate(Kind kind, const Message& message, Problems& problems) {
    CHECK(message.GetDescriptor() == facts(kind).descriptor, message.GetTypeName());
    if (std::size_t size = message.ByteSizeLong(); size > largest_object)
        return problems.add("", "the object has " + std::to_string(size) + " bytes; at most " + std::to_string(largest_object) +
                                    " are accepted");
    Walker(problems).message(message, "", true);
    if (!message.GetReflection()->HasField(message, message.GetDescriptor()->FindFieldByName("metadata")))
        problems.add("metadata.name", "is required");
    check_annotations(message, problems);
    check_project(facts(kind), message, problems);
    switch (kind) {
    case Kind::app:
        return check(static_cast<const App&>(message), problems);
    case Kind::site:
        return check(static_cast<const Site&>(message), problems);
    case Kind::node:
        return check(static_cast<const Node&>(message), problems);
    case Kind::secret:
        return check(static_cast<const Secret&>(message), problems);
    case Kind::config:
        return check(static_cast<const Config&>(message), problems);
    case Kind::override_:
        return check(static_cast<const Override&>(message), problems);
    default:
        return;
    }
}

void validate_update(Kind kind, const Message& before, const Message& after, Problems& problems) {
    CHECK(before.GetDescriptor() == facts(kind).descriptor && after.GetDescriptor() == before.GetDescriptor());
    compare(before, after, "", problems);
}

} // namespace skerry::model
