#include "model/places/path.h"

#include "base/check.h"
#include "model/rules/rule.h"
#include "model/text/mapping.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <set>
#include <utility>

namespace skerry::model {

namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

constexpr std::size_t most_bytes = 1024, most_steps = 16;

bool is_message(const FieldDescriptor* field) { return field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE; }
bool is_keyed(const FieldDescriptor* field) {
    return field->is_repeated() && !field->is_map() && is_message(field) && !rule_of(field).key().empty();
}
/// The field that tells the items of a list apart.
const FieldDescriptor* key_field(const FieldDescriptor* list) {
    for (int i = 0; i < list->message_type()->field_count(); ++i)
        if (list->message_type()->field(i)->json_name() == rule_of(list).key()) return list->message_type()->field(i);
    CHECK(false, "a list's key is a field of its items: " + list->full_name());
}
const FieldDescriptor* find_field(const Descriptor* descriptor, std::string_view name) {
    for (int i = 0; i < descriptor->field_count(); ++i)
        if (descriptor->field(i)->json_name() == name) return descriptor->field(i);
    return nullptr;
}
std::string known(const Descriptor* descriptor) {
    std::vector<std::string> names;
    for (int i = 0; i < descriptor->field_count(); ++i) names.push_back(descriptor->field(i)->json_name());
    return choices(names);
}

/// Index of the item or entry with that key, or -1.
int find_item(const Message& parent, const FieldDescriptor* field, const std::string& key) {
    const auto* reflection = parent.GetReflection();
    const FieldDescriptor* by = field->is_map() ? field->message_type()->map_key() : key_field(field);
    for (int i = 0; i < reflection->FieldSize(parent, field); ++i) {
        const Message& item = reflection->GetRepeatedMessage(parent, field, i);
        if (item.GetReflection()->GetString(item, by) == key) return i;
    }
    return -1;
}

Path alone(Path::Step step) { return Path(std::vector<Path::Step>{std::move(step)}); }

/// The message that a step which is not the last leads to; null where it is absent.
const Message* enter(const Message& message, const Path::Step& step) {
    const auto* reflection = message.GetReflection();
    if (step.key) {
        int at = find_item(message, step.field, *step.key);
        return at < 0 ? nullptr : &reflection->GetRepeatedMessage(message, step.field, at);
    }
    return reflection->HasField(message, step.field) ? &reflection->GetMessage(message, step.field) : nullptr;
}

void erase_item(Message& parent, const FieldDescriptor* field, int at) {
    const auto* reflection = parent.GetReflection();
    for (int i = at; i + 1 < reflection->FieldSize(parent, field); ++i) reflection->SwapElements(&parent, field, i, i + 1);
    reflection->RemoveLast(&parent, field);
}

Result<void> put_value(Message& parent, const Path::Step& step, const Json& value, const std::string& at) {
    Problems problems;
    const auto* reflection = parent.GetReflection();
    if (!step.key) {
        reflection->ClearField(&parent, step.field);
        from_json(Json::object({{step.field->json_name(), value}}), parent, problems);
    } else if (step.field->is_map()) {
        if (int found = find_item(parent, step.field, *step.key); found >= 0) erase_item(parent, step.field, found);
        from_json(Json::object({{step.field->json_name(), Json::object({{*step.key, value}})}}), parent, problems);
    } else {
        int found = find_item(parent, step.field, *step.key);
        Message* item = found >= 0 ? reflection->MutableRepeatedMessage(&parent, step.field, found)
                                   : reflection->AddMessage(&parent, step.field);
        item->Clear();
        from_json(value, *item, problems);
        const FieldDescriptor* by = key_field(step.field);
        if (problems.empty() && item->GetReflection()->GetString(*item, by) != *step.key)
            problems.add(by->json_name(), quoted(item->GetReflection()->GetString(*item, by)) + " is not " + quoted(*step.key) +
                                              ", by which the path names the item (make the two the same)");
    }
    if (problems.empty()) return {};
    return std::unexpected(problems.error(at));
}

void take_value(Message& parent, const Path::Step& step) {
    if (!step.key) return parent.GetReflection()->ClearField(&parent, step.field);
    if (int found = find_item(parent, step.field, *step.key); found >= 0) erase_item(parent, step.field, found);
}

Result<void> set_below(Message& message, const std::vector<Path::Step>& steps, std::size_t depth,
                       const std::optional<Json>& value, const std::string& at) {
    const Path::Step& step = steps[depth];
    if (depth + 1 == steps.size()) {
        if (value) return put_value(message, step, *value, at);
        take_value(message, step);
        return {};
    }
    const auto* reflection = message.GetReflection();
    if (step.key) {
        int found = find_item(message, step.field, *step.key);
        if (found < 0) return fail(Code::not_found, at + ": there is no " + step.field->json_name() + " " + quoted(*step.key));
        return set_below(*reflection->MutableRepeatedMessage(&message, step.field, found), steps, depth + 1, value, at);
    }
    bool there = reflection->HasField(message, step.field);
    if (!there && !value) return {};
    Message* inner = reflection->MutableMessage(&message, step.field);
    bool had = inner->ByteSizeLong() > 0;
    TRY_VOID(set_below(*inner, steps, depth + 1, value, at));
    if (had && !value && inner->ByteSizeLong() == 0) reflection->ClearField(&message, step.field);
    return {};
}

void collect(const Message& from, const Message& to, const Path& at, std::vector<Path>& out);

void collect_items(const Message& from, const Message& to, const FieldDescriptor* field, const Path& at, std::vector<Path>& out) {
    std::set<std::string> keys;
    const FieldDescriptor* by = field->is_map() ? field->message_type()->map_key() : key_field(field);
    for (const Message* each : {&from, &to})
        for (int i = 0; i < each->GetReflection()->FieldSize(*each, field); ++i) {
            const Message& item = each->GetReflection()->GetRepeatedMessage(*each, field, i);
            keys.insert(item.GetReflection()->GetString(item, by));
        }
    for (const std::string& key : keys) {
        Path place = at.with({field, key});
        const Message *old = enter(from, {field, key}), *now = enter(to, {field, key});
        if (old && now && !field->is_map())
            collect(*old, *now, place, out);
        else if (!old || !now || get(from, alone({field, key})) != get(to, alone({field, key})))
            out.push_back(std::move(place));
    }
}

void collect(const Message& from, const Message& to, const Path& at, std::vector<Path>& out) {
    const auto* descriptor = from.GetDescriptor();
    for (int i = 0; i < descriptor->field_count(); ++i) {
        const FieldDescriptor* field = descriptor->field(i);
        if (field->is_map() || is_keyed(field)) {
            collect_items(from, to, field, at, out);
        } else if (!field->is_repeated() && is_message(field) &&
                   (from.GetReflection()->HasField(from, field) || to.GetReflection()->HasField(to, field))) {
            collect(from.GetReflection()->GetMessage(from, field), to.GetReflection()->GetMessage(to, field),
                    at.with({field, {}}), out);
        } else if (get(from, alone({field, {}})) != get(to, alone({field, {}}))) {
            out.push_back(at.with({field, {}}));
        }
    }
}

} // namespace

Result<Path> Path::parse(const Descriptor* descriptor, std::string_view text) {
    auto refuse = [&](const std::string& why) { return fail(Code::invalid, quoted(text) + " " + why); };
    if (text.size() > most_bytes) return refuse("is longer than " + std::to_string(most_bytes) + " bytes");
    std::vector<Step> steps;
    std::string_view rest = text;
    for (;;) {
        if (steps.size() == most_steps) return refuse("has more than " + std::to_string(most_steps) + " steps");
        if (!descriptor) return refuse("goes on behind a plain value, at " + quoted(rest));
        std::string_view name = rest.substr(0, rest.find_first_of(".["));
        const FieldDescriptor* field = find_field(descriptor, name);
        if (!field) return refuse("has " + quoted(name) + " where one of these belongs: " + known(descriptor));
        rest.remove_prefix(name.size());
        Step step{field, {}};
        if (rest.starts_with('[')) {
            std::size_t end = rest.find(']');
            if (end == std::string_view::npos) return refuse("lacks a closing ]");
            std::string_view inside = rest.substr(1, end - 1);
            rest.remove_prefix(end + 1);
            if (is_keyed(field)) {
                std::string lead = rule_of(field).key() + "=";
                if (!inside.starts_with(lead))
                    return refuse("does not name the item of " + std::string(name) + " as [" + lead + "…]");
                inside.remove_prefix(lead.size());
            } else if (!field->is_map()) {
                return refuse("names an item of " + std::string(name) + ", whose items have no keys (name the whole)");
            }
            if (inside.empty()) return refuse("has an empty key in " + std::string(name) + "[]");
            step.key = std::string(inside);
        }
        // What may follow: fields of a message, an item's too; nothing behind a list or a map as a whole, or an entry of one.
        bool opens = is_message(field) && !field->is_map() && (!field->is_repeated() || step.key);
        descriptor = opens ? field->message_type() : nullptr;
        steps.push_back(std::move(step));
        if (rest.empty()) return Path(std::move(steps));
        if (!rest.starts_with('.')) return refuse("has " + quoted(rest) + " where a . belongs");
        rest.remove_prefix(1);
    }
}

std::string Path::text() const {
    std::string out;
    for (const Step& step : steps_) {
        if (!out.empty()) out += '.';
        out += step.field->json_name();
        if (!step.key) continue;
        out += '[';
        if (!step.field->is_map()) out += rule_of(step.field).key() + "=";
        out += *step.key + "]";
    }
    return out;
}

Path Path::with(Step step) const {
    Path longer = *this;
    longer.steps_.push_back(std::move(step));
    return longer;
}

bool Path::holds(const Path& other) const {
    if (steps_.size() > other.steps_.size()) return false;
    for (std::size_t i = 0; i < steps_.size(); ++i) {
        if (steps_[i] == other.steps_[i]) continue;
        // A list or map as a whole holds each of its items.
        return i + 1 == steps_.size() && steps_[i].field == other.steps_[i].field && !steps_[i].key;
    }
    return true;
}

std::optional<Json> get(const Message& message, const Path& path) {
    const Message* at = &message;
    const auto& steps = path.steps();
    for (std::size_t i = 0; i + 1 < steps.size(); ++i)
        if (at = enter(*at, steps[i]); !at) return {};
    if (steps.empty()) return to_json(message);
    const Path::Step& last = steps.back();
    if (last.key && !last.field->is_map()) {
        const Message* item = enter(*at, last);
        return item ? std::optional(to_json(*item)) : std::nullopt;
    }
    const auto* reflection = at->GetReflection();
    bool there = last.field->is_repeated()    ? reflection->FieldSize(*at, last.field) > 0
                 : last.field->has_presence() ? reflection->HasField(*at, last.field)
                                              : true;
    if (!there) return {};
    Json whole = to_json(*at);
    const Json* found = whole.find(last.field->json_name());
    if (found && last.key) found = found->find(*last.key);
    return found ? std::optional(*found) : std::nullopt;
}

bool leads_somewhere(const Message& message, const Path& path) {
    const Message* at = &message;
    const auto& steps = path.steps();
    for (std::size_t i = 0; i + 1 < steps.size(); ++i) {
        const Message* next = enter(*at, steps[i]);
        if (!next && steps[i].key) return false;
        if (!next) { // a message that is absent: whatever is in it is absent as well
            for (std::size_t n = i + 1; n + 1 < steps.size(); ++n)
                if (steps[n].key) return false;
            return true;
        }
        at = next;
    }
    return !steps.empty();
}

Result<void> set(Message& message, const Path& path, const std::optional<Json>& value) {
    if (path.steps().empty()) return fail(Code::invalid, "the path is empty");
    if (value && value->is_null()) return fail(Code::invalid, path.text() + ": null is no value (leave it out to remove)");
    std::unique_ptr<Message> changed(message.New());
    changed->CopyFrom(message);
    TRY_VOID(set_below(*changed, path.steps(), 0, value, path.text()));
    message.GetReflection()->Swap(&message, changed.get());
    return {};
}

std::vector<Path> differences(const Message& from, const Message& to) {
    CHECK(from.GetDescriptor() == to.GetDescriptor());
    std::vector<Path> out;
    collect(from, to, {}, out);
    return out;
}

} // namespace skerry::model
