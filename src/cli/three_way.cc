#include "cli/three_way.h"

#include <algorithm>

namespace skerry::cli {

namespace {

void sort_names(Json& value) {
    if (auto* members = value.members()) {
        std::ranges::sort(*members, {}, &Json::Member::first);
        for (auto& [name, member] : *members) sort_names(member);
    } else if (auto* items = value.array_items()) {
        for (Json& item : *items) sort_names(item);
    }
}

void drop_annotation(Json& object) {
    Json* metadata = object.find("metadata");
    Json* annotations = metadata ? metadata->find("annotations") : nullptr;
    if (!annotations || !annotations->members()) return;
    annotations->erase(last_applied_annotation);
    if (annotations->members()->empty()) metadata->erase("annotations");
}

/// Members of `patch` that are null (`nulls`), or all others; objects are gone through, empty ones left out.
Json sift(const Json& patch, bool nulls) {
    Json out = Json::object();
    for (auto& [name, value] : *patch.members()) {
        if (value.members()) {
            Json inner = sift(value, nulls);
            // An empty object that is to be added is a change in itself.
            if (!inner.members()->empty() || (!nulls && value.members()->empty())) out.set(name, std::move(inner));
        } else if (value.is_null() == nulls) {
            out.set(name, value);
        }
    }
    return out;
}

/// Lays a patch over another: as merge_patch, but nulls stay.
void overlay(Json& under, const Json& over) {
    for (auto& [name, value] : *over.members()) {
        Json* found = under.find(name);
        if (found && found->members() && value.members())
            overlay(*found, value);
        else
            under.set(name, value);
    }
}

} // namespace

/// Below what a server takes as annotations.
constexpr std::size_t longest_note = 200 << 10;

std::string write_last_applied(Json manifest) {
    drop_annotation(manifest);
    sort_names(manifest);
    return write_json(manifest) + "\n";
}

std::optional<Json> read_last_applied(const Json& object) {
    const Json& annotation = object.at({"metadata", "annotations", last_applied_annotation});
    if (!annotation.string()) return {};
    auto json = parse_json(*annotation.string());
    if (!json || !json->members()) return {};
    return std::move(*json);
}

Json annotated(const Json& manifest) {
    Json out = manifest;
    std::string note = write_last_applied(manifest);
    if (note.size() > longest_note) return out;
    Json* metadata = out.find("metadata");
    if (!metadata || !metadata->members()) {
        out.set("metadata", Json::object());
        metadata = out.find("metadata");
    }
    Json* annotations = metadata->find("annotations");
    if (!annotations || !annotations->members()) {
        metadata->set("annotations", Json::object());
        annotations = metadata->find("annotations");
    }
    annotations->set(last_applied_annotation, std::move(note));
    return out;
}

Json merge_patch_between(const Json& target, const Json& wanted) {
    Json patch = Json::object();
    for (auto& [name, value] : *target.members())
        if (!wanted.find(name)) patch.set(name, nullptr);
    for (auto& [name, value] : *wanted.members()) {
        const Json* had = target.find(name);
        if (had && *had == value) continue;
        if (had && had->members() && value.members()) {
            Json inner = merge_patch_between(*had, value);
            if (!inner.members()->empty()) patch.set(name, std::move(inner));
        } else {
            patch.set(name, value);
        }
    }
    return patch;
}

Json three_way_patch(const Json& last_applied, const Json& manifest, const Json& current) {
    Json changes = sift(merge_patch_between(current, manifest), false);
    Json removals = sift(merge_patch_between(last_applied, manifest), true);
    overlay(removals, changes);
    return removals;
}

} // namespace skerry::cli
