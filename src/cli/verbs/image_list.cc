#include "base/time.h"
#include "base/units.h"
#include "cli/client/client.h"
#include "cli/client/lists.h"
#include "cli/line/progress.h"
#include "cli/line/terminal.h"
#include "cli/verbs/verbs.h"

#include <cstdio>

namespace skerry::cli {

namespace {

std::string size_of(const Json& tag) {
    auto size = parse_bytes(tag.text("size"));
    return size && !tag.text("size").empty() ? rounded(*size) : "-";
}

std::string platforms_of(const Json& tag) {
    std::string out;
    if (auto* list = tag.find("platforms"); list && list->array_items())
        for (auto& platform : *list->array_items())
            out += (out.empty() ? "" : ",") + (platform.string() ? *platform.string() : "");
    return out.empty() ? "-" : printable(out);
}

std::string age_of(const Json& tag, WallTime now) {
    auto pushed = parse_rfc3339(tag.text("pushed"));
    return pushed ? age(std::chrono::seconds(now.seconds - pushed->seconds)) : "-";
}

Result<int> list_images(Session& session, const Invocation& call) {
    Json images = TRY(list_all(session, model::facts(model::Kind::image), choice_of(call, session.project())));
    TextTable table;
    table.heading({"IMAGE", "DIGEST", "SIZE", "PLATFORMS", "PUSHED"});
    WallTime now = session.clock().wall();
    for (const Json& image : items_of(images)) {
        const Json& tags = image.at({"spec", "tags"});
        if (!tags.array_items()) continue;
        for (const Json& tag : *tags.array_items())
            table.row({printable(qualified_name(image) + ":" + std::string(tag.text("name"))),
                       printable(call.has("no-trunc") ? std::string(tag.text("digest")) : short_digest(tag.text("digest"))),
                       size_of(tag), platforms_of(tag), age_of(tag, now)});
    }
    if (table.empty())
        std::fprintf(stderr, "No images found%s. Push one: skerry image push DIR|TAR|- NAME\n",
                     call.has("all-projects") ? "" : (" in " + session.project() + " project").c_str());
    else
        std::fputs(table.take(true).c_str(), stdout);
    return 0;
}

} // namespace

Command image_list_command() {
    std::vector<Option> options = choice_options();
    options.push_back({.names = "--no-trunc", .value = "", .help = "digests in full"});
    return {.name = "image list",
            .summary = "Show images and their tags",
            .details = {},
            .examples = {"skerry image list -A"},
            .arguments = {},
            .options = with_connection(std::move(options)),
            .run =
                [](const Invocation& call) {
                    return with_session(call, [&](Session& session) { return list_images(session, call); });
                },
            .group = apps_group};
}

} // namespace skerry::cli
