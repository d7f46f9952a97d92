#include "model/kind.h"

#include "base/check.h"
#include "model/allocation.pb.h"
#include "model/app.pb.h"
#include "model/event.pb.h"
#include "model/image.pb.h"
#include "model/instance.pb.h"
#include "model/node.pb.h"
#include "model/override.pb.h"
#include "model/project.pb.h"
#include "model/revision.pb.h"
#include "model/secret.pb.h"
#include "model/site.pb.h"

#include <algorithm>
#include <list>
#include <string>

namespace skerry::model {

namespace {

struct Registry {
    std::vector<KindFacts> facts;
    std::list<std::string> words; ///< what singular names point at

    Registry() {
        add(Kind::project, Project::descriptor());
        add(Kind::site, Site::descriptor());
        add(Kind::node, Node::descriptor());
        add(Kind::secret, Secret::descriptor());
        add(Kind::config, Config::descriptor());
        add(Kind::image, Image::descriptor());
        add(Kind::app, App::descriptor());
        add(Kind::revision, Revision::descriptor());
        add(Kind::allocation, Allocation::descriptor());
        add(Kind::instance, Instance::descriptor());
        add(Kind::event, Event::descriptor());
        add(Kind::override_, Override::descriptor());
    }

    void add(Kind number, const google::protobuf::Descriptor* descriptor) {
        CHECK(descriptor->options().HasExtension(kind), descriptor->full_name());
        const KindRule& rule = descriptor->options().GetExtension(kind);
        std::string& singular = words.emplace_back(descriptor->name());
        std::transform(singular.begin(), singular.end(), singular.begin(),
                       [](char c) { return 'A' <= c && c <= 'Z' ? c + 32 : c; });
        facts.push_back({.kind = number,
                         .name = descriptor->name(),
                         .singular = singular,
                         .plural = rule.plural(),
                         .short_names = {rule.short_names().begin(), rule.short_names().end()},
                         .fleet_wide = rule.fleet_wide(),
                         .made_by_loops = rule.made_by_loops(),
                         .descriptor = descriptor});
        CHECK(facts.size() == static_cast<std::size_t>(number), "kinds are numbered from 1 in the order of this table");
    }
};

const Registry& registry() {
    static const Registry made;
    return made;
}

bool equal_in_any_case(std::string_view a, std::string_view b) {
    auto lower = [](char c) { return 'A' <= c && c <= 'Z' ? static_cast<char>(c + 32) : c; };
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [&](char x, char y) { return lower(x) == lower(y); });
}

} // namespace

std::span<const KindFacts> all_kinds() { return registry().facts; }

const KindFacts& facts(Kind kind) {
    const KindFacts* found = find_kind(static_cast<std::uint32_t>(kind));
    CHECK(found, "a kind outside its enumeration");
    return *found;
}

const KindFacts* find_kind(std::uint32_t number) {
    auto kinds = all_kinds();
    return number >= 1 && number <= kinds.size() ? &kinds[number - 1] : nullptr;
}

const KindFacts* find_kind(std::string_view word) {
    for (const KindFacts& kind : all_kinds()) {
        if (equal_in_any_case(word, kind.singular) || equal_in_any_case(word, kind.plural)) return &kind;
        for (std::string_view name : kind.short_names)
            if (equal_in_any_case(word, name)) return &kind;
    }
    return nullptr;
}

} // namespace skerry::model
