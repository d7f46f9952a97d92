#include "cli/client/client.h"
#include "cli/client/lists.h"
#include "cli/client/targets.h"
#include "cli/line/terminal.h"
#include "cli/verbs/verbs.h"
#include "model/annotations.h"
#include "model/reference.h"

#include <fmt/format.h>

#include <cstdio>
#include <set>

namespace skerry::cli {

namespace {

using model::Kind;

constexpr Duration asked_every = 500ms;

/// Of this type, among status.conditions; null: none.
const Json* condition_of(const Json& object, std::string_view type) {
    const Json& all = object.at({"status", "conditions"});
    if (!all.array_items()) return nullptr;
    for (const Json& each : *all.array_items())
        if (each.text("type") == type) return &each;
    return nullptr;
}

class Decommission {
public:
    Decommission(Session& session, const Invocation& call, Duration patience)
        : session_(session), call_(call), name_(call.arguments.at(0)), until_(session.clock().now() + patience) {}

    Result<int> run() {
        site_ = TRY(ask("GET", target().path()));
        cell_ = site_.at({"status"}).text("cell");
        if (cell_.empty())
            return fail(Code::conflict,
                        "nobody has joined as site " + name_ + ", so it decides nothing; skerry delete site " + name_);
        bool abandon = call_.has("abandon"), dry_run = call_.has("dry-run");
        TRY_VOID(look_at_apps());
        const Json* touch = condition_of(site_, "InTouch");
        bool in_touch = touch && touch->text("status") == "True";
        if (abandon && in_touch)
            return fail(Code::conflict, "site " + name_ + " is in touch: without --abandon it hands over all that it decides");
        if (!abandon && !in_touch)
            return fail(Code::conflict, "site " + name_ +
                                            " is out of touch, and what it decides is there; try again when it is back "
                                            "(skerry get site " +
                                            name_ + "), or, if it is lost for good, with --abandon");
        tell_plan(abandon);
        if (!lacking_.empty() && !abandon && !call_.has("without-images"))
            return fail(Code::conflict,
                        "images have no copy here; push them (skerry image push PATH IMAGE), or, if nothing of them is to run "
                        "at another site, say --without-images");
        if (dry_run) return 0;
        return abandon ? give_up() : hand_over();
    }

private:
    Target target() const { return {&model::facts(Kind::site), "", name_}; }

    Result<Json> ask(const std::string& method, const std::string& path, const Json* body = nullptr) {
        http::Request request;
        request.method = method;
        request.path = path;
        if (body) {
            request.headers.set("Content-Type", method == "PATCH" ? "application/merge-patch+json" : "application/json");
            request.body = write_json(*body);
        }
        return session_.ask(std::move(request));
    }

    Result<Json> annotate(const Target& target, std::string_view annotation, const std::string& value) {
        Json change =
            Json::object({{"metadata", Json::object({{"annotations", Json::object({{std::string(annotation), value}})}})}});
        return ask("PATCH", target.path(), &change);
    }

    /// Those that the site decides, and which of the images that they name nobody has pushed here.
    Result<void> look_at_apps() {
        apps_.clear();
        Json list = TRY(list_all(session_, model::facts(Kind::app), {}));
        Json images = TRY(list_all(session_, model::facts(Kind::image), {}));
        auto is_here = [&](const model::ImageRef& image) {
            for (const Json& each : items_of(images)) {
                if (metadata_text(each, "namespace") != image.project || metadata_text(each, "name") != image.name) continue;
                const Json& tags = each.at({"spec", "tags"});
                for (std::size_t n = 0; tags.array_items() && n < tags.array_items()->size(); ++n) {
                    const Json& tag = (*tags.array_items())[n];
                    if (image.digest.empty() ? tag.text("name") == image.tag : tag.text("digest") == image.digest) return true;
                }
            }
            return false;
        };
        for (const Json& app : items_of(list)) {
            if (metadata_text(app, "home") != cell_) continue;
            apps_.push_back({&model::facts(Kind::app), std::string(metadata_text(app, "namespace")),
                             std::string(metadata_text(app, "name"))});
            const Json& components = app.at({"spec", "components"});
            for (std::size_t n = 0; components.array_items() && n < components.array_items()->size(); ++n) {
                const Json& component = (*components.array_items())[n];
                auto image = model::parse_image(component.text("image"), metadata_text(app, "namespace"));
                if (image && !is_here(*image)) lacking_.insert(image->text());
                const Json& env = component.at({"env"});
                for (std::size_t m = 0; env.array_items() && m < env.array_items()->size(); ++m)
                    for (const char* kind : {"secret", "config"})
                        if (auto name = (*env.array_items())[m].at({"from"}).text(kind); !name.empty())
                            read_.insert(std::string(kind) + "/" + std::string(name) + " (project " +
                                         std::string(metadata_text(app, "namespace")) + ")");
            }
        }
        return {};
    }

    void tell_plan(bool abandon) const {
        std::fprintf(stderr, "site %s decides %zu App%s%s\n", printable(name_).c_str(), apps_.size(),
                     apps_.size() == 1 ? "" : "s",
                     apps_.empty() ? ""
                     : abandon     ? ", of which the copies here are taken over, as the site last sent them:"
                                   : ", which are handed over, with what they read and where they run:");
        for (const Target& app : apps_)
            std::fprintf(stderr, "  %s (project %s)\n", printable(app.title()).c_str(), printable(app.project).c_str());
        for (const std::string& name : read_)
            std::fprintf(stderr, "  %s%s\n", printable(name).c_str(), abandon ? ": never left the site; make it anew here" : "");
        for (const std::string& image : lacking_) std::fprintf(stderr, "  image %s: no copy here\n", printable(image).c_str());
    }

    Result<int> hand_over() {
        TRY(annotate(target(), model::decommission_annotation, "true"));
        std::string told;
        for (;;) {
            site_ = TRY(ask("GET", target().path()));
            if (site_.at({"status"}).text("cell") != cell_)
                return fail(Code::conflict, "another machine has joined as site " + name_ + " meanwhile");
            const Json* leaving = condition_of(site_, "Leaving");
            if (leaving && leaving->text("reason") == "HandedOver") {
                TRY_VOID(look_at_apps());
                if (apps_.empty()) break;
            }
            std::string words(leaving ? leaving->text("message") : "waiting for the site to hear of it");
            if (words != told) std::fprintf(stderr, "site %s: %s\n", printable(name_).c_str(), printable(words).c_str());
            told = words;
            TRY_VOID(pause("what is handed over is decided here already; the rest follows. Run this again to go on"));
        }
        std::printf("site/%s has handed over what it decided\n", printable(name_).c_str());
        TRY_VOID(revoke());
        if (call_.has("keep")) return 0;
        return remove();
    }

    Result<int> give_up() {
        TRY_VOID(revoke());
        if (auto gone = remove(); !gone) return gone;
        std::string told;
        for (const Target& app : apps_) {
            for (;;) {
                auto taken = annotate(app, model::only_site_annotation, name_);
                if (taken) break;
                if (taken.error().code != Code::forbidden) return std::unexpected(taken.error());
                // Until nothing that may run only once can run there any more.
                if (told.empty())
                    std::fprintf(stderr, "%s: waiting until its lease is over at site %s\n", printable(app.title()).c_str(),
                                 printable(name_).c_str());
                told = "waits";
                TRY_VOID(pause("an edit of each takes it over later: kubectl annotate app NAME skerry/only-site=" + name_));
            }
            std::printf("%s taken over\n", printable(app.title()).c_str());
        }
        return 0;
    }

    Result<void> revoke() {
        Json body = Json::object(
            {{"kind", "site"}, {"name", name_}, {"reason", call_.has("reason") ? call_.get("reason") : "decommissioned"}});
        TRY(ask("POST", "/revocations/v1", &body));
        std::printf("site/%s revoked\n", printable(name_).c_str());
        return {};
    }

    Result<int> remove() {
        auto gone = ask("DELETE", target().path());
        if (!gone && gone.error().code != Code::not_found) return std::unexpected(gone.error());
        std::printf("site/%s deleted\n", printable(name_).c_str());
        return 0;
    }

    Result<void> pause(const std::string& remedy) {
        if (session_.clock().now() >= until_) return fail(Code::timeout, "site " + name_ + ": not done yet; " + remedy);
        return session_.pause(asked_every);
    }

    Session& session_;
    const Invocation& call_;
    std::string name_, cell_;
    Instant until_;
    Json site_;
    std::vector<Target> apps_;
    std::set<std::string> read_, lacking_;
};

} // namespace

Command site_decommission_command() {
    return {.name = "site decommission",
            .summary = "Take over what a site decides, and let the site go",
            .details = "For a site that is given up. Its own Apps become the parent's, with the Secrets and Configs that they "
                       "read; the site lets go of each once the parent has it on its disk. Then its keys are revoked and the "
                       "Site is deleted. This is never taken back: from the start on nobody edits such things at the site; the "
                       "machine may join again later with a new token.\n"
                       "Nothing stops or starts anywhere for it: what the machine runs it runs on, until it is switched off or "
                       "skerry reset there. The Apps stay for this site only (annotation skerry/only-site) until somebody "
                       "takes that off. Images have to be pushed to the parent before. See first with --dry-run.\n"
                       "A site that is lost for good hands over nothing: with --abandon its keys are revoked, the Site is "
                       "deleted, and the copies of its Apps that it had sent up are taken over, once nothing of policy "
                       "atMostOnce can run there any more. Its Secrets and Configs never left it.",
            .examples = {"skerry site decommission store-17 --dry-run", "skerry site decommission store-17",
                         "kubectl annotate app till skerry/only-site-   # from now on wherever its placement says",
                         "skerry site decommission store-17 --abandon --reason \"burnt down\""},
            .arguments = {{.name = "NAME", .help = "as in `skerry get sites`", .suggest = suggest_names(Kind::site)}},
            .options = with_connection(
                {{.names = "--abandon", .value = "", .help = "it is lost: take over the copies that are here"},
                 {.names = "--dry-run", .value = "", .help = "say what would be handed over, and change nothing"},
                 {.names = "--keep", .value = "", .help = "hand over and revoke, and leave the Site to be deleted later"},
                 {.names = "--without-images", .value = "", .help = "go on though the parent has no copy of some images"},
                 {.names = "--reason", .value = "TEXT", .help = "of the revocation, for those who wonder later"},
                 {.names = "--timeout", .value = "DURATION", .help = "how long to wait for the site (default 5m)"}}),
            .run =
                [](const Invocation& call) {
                    Duration patience = 5min;
                    if (call.has("timeout")) {
                        auto given = parse_duration(call.get("timeout"));
                        if (!given) return misused("site decommission", "--timeout: " + given.error().message);
                        patience = *given;
                    }
                    if (call.has("abandon") && call.has("keep"))
                        return misused("site decommission",
                                       "--keep does not go with --abandon: the Apps of a Site that is there are its own");
                    return with_session(call, [&](Session& session) { return Decommission(session, call, patience).run(); });
                },
            .group = access_group};
}

} // namespace skerry::cli
