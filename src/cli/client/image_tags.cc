#include "cli/client/image_tags.h"

#include "cli/client/lists.h"
#include "cli/client/targets.h"

#include <map>

namespace skerry::cli {

namespace {

constexpr int tries_to_tag = 5;

const Json::Array& items_at(const Json& object, std::initializer_list<std::string_view> path) {
    static const Json::Array none;
    const Json& list = object.at(path);
    return list.array_items() ? *list.array_items() : none;
}

Result<std::string> tag_once(Session& session, const Target& target, const model::ImageRef& reference, const TagFacts& facts) {
    http::Request look;
    look.path = target.path();
    auto current = session.ask(std::move(look));
    if (!current && current.error().code != Code::not_found) return std::unexpected(current.error());
    http::Request write;
    write.method = current ? "PUT" : "POST";
    write.path = current ? target.path() : target.collection();
    Json image = current ? std::move(*current)
                         : Json::object({{"apiVersion", "skerry/v1"},
                                         {"kind", "Image"},
                                         {"metadata", Json::object({{"name", target.name}, {"namespace", target.project}})}});
    std::string before = put_tag(image, reference.tag, facts);
    write.headers.set("Content-Type", "application/json");
    write.body = write_json(image);
    TRY(session.ask(std::move(write)));
    return before;
}

} // namespace

std::string put_tag(Json& image, std::string_view name, const TagFacts& facts) {
    Json tag = Json::object({{"name", name}, {"digest", facts.digest}});
    if (!facts.size.empty()) tag.set("size", facts.size);
    if (!facts.platforms.empty()) {
        Json platforms = Json::array();
        for (auto& platform : facts.platforms) platforms.push(platform);
        tag.set("platforms", std::move(platforms));
    }
    if (!facts.pushed.empty()) tag.set("pushed", facts.pushed);
    Json* spec = image.find("spec");
    if (!spec || !spec->members()) image.set("spec", Json::object()), spec = image.find("spec");
    Json* tags = spec->find("tags");
    if (!tags || !tags->array_items()) spec->set("tags", Json::array()), tags = spec->find("tags");
    for (Json& each : *tags->array_items()) {
        if (each.text("name") != name) continue;
        std::string before(each.text("digest"));
        each = std::move(tag);
        return before;
    }
    tags->push(std::move(tag));
    return {};
}

Result<std::string> tag_image(Session& session, const model::ImageRef& reference, const TagFacts& facts) {
    Target target{&model::facts(model::Kind::image), reference.project, reference.name};
    for (int attempt = 1;; ++attempt) {
        auto before = tag_once(session, target, reference, facts);
        bool raced = !before && (before.error().code == Code::conflict || before.error().code == Code::exists);
        if (!raced || attempt == tries_to_tag) return before;
    }
}

std::vector<std::string> apps_behind(Session& session, const model::ImageRef& reference, std::string_view now) {
    std::vector<std::string> behind;
    Choice everywhere;
    auto apps = list_all(session, model::facts(model::Kind::app), everywhere);
    if (!apps) {
        everywhere.project = reference.project;
        apps = list_all(session, model::facts(model::Kind::app), everywhere);
    }
    if (!apps) return behind;
    for (const Json& app : items_of(*apps)) {
        std::map<std::string, bool, std::less<>> concerned;
        for (const Json& component : items_at(app, {"spec", "components"})) {
            auto image = model::parse_image(component.text("image"), metadata_text(app, "namespace"));
            if (image && image->digest.empty() && image->project == reference.project && image->name == reference.name &&
                image->tag == reference.tag)
                concerned[std::string(component.text("name"))] = true;
        }
        std::string revision(app.at({"status"}).text("revision"));
        if (concerned.empty() || revision.empty()) continue;
        http::Request request;
        request.path =
            Target{&model::facts(model::Kind::revision), std::string(metadata_text(app, "namespace")), revision}.path();
        auto closed = session.ask(std::move(request));
        if (!closed) continue;
        for (const Json& component : items_at(*closed, {"spec", "components"})) {
            auto name = component.at({"component"}).text("name");
            if (concerned.contains(name) && component.text("imageDigest") != now)
                behind.push_back(qualified_name(app) + " (component " + std::string(name) + ")");
        }
    }
    return behind;
}

} // namespace skerry::cli
