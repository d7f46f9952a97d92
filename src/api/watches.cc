#include "api/watches.h"

#include "api/filter.h"
#include "api/status.h"
#include "api/table.h"
#include "base/number.h"
#include "cell/gate/overrides.h"
#include "model/bytes.h"
#include "model/meta.pb.h"
#include "model/parts.h"
#include "model/text/mapping.h"

#include <chrono>
#include <cstdint>
#include <deque>

namespace skerry::api {

namespace {

constexpr std::size_t unsent_limit = 4 << 20;
constexpr std::size_t backlog_limit = 500'000; ///< changes, which share their objects with the store
constexpr std::size_t news_limit = 1'024;      ///< changes that wait to be told, of which all watchers share one copy
constexpr std::size_t told_at_once = 64;       ///< watchers
constexpr Duration bookmark_period = 60s;

enum class Happened { added, modified, deleted };

/// Of what was deleted while nobody watched the key is left, and who it was.
store::Blob named(const store::Object& object) {
    auto message = model::new_message(object.key.kind);
    model::Meta& meta = model::metadata(*message);
    meta.set_name(object.key.name);
    if (!object.key.project.empty()) meta.set_namespace_(object.key.project);
    meta.set_uid(object.uid.text());
    return std::make_shared<const std::string>(model::bytes_of(*message));
}

std::string_view name(Happened happened) {
    return happened == Happened::added ? "ADDED" : happened == Happened::modified ? "MODIFIED" : "DELETED";
}

Result<store::Number> parse_version(std::string_view text) {
    auto number = parse_number<store::Number>(text);
    if (!number)
        return fail(Code::invalid,
                    "resourceVersion: \"" + std::string(text.substr(0, 40)) + "\" is not one of ours (take it from a list)");
    return *number;
}

/// After which time a watch ends by itself; zero: never.
Result<Duration> parse_end(const http::Query& query) {
    auto text = query.find("timeoutSeconds");
    if (!text) return Duration(0);
    auto seconds = parse_number<std::uint32_t>(*text);
    if (!seconds)
        return fail(Code::invalid,
                    "timeoutSeconds: \"" + std::string(text->substr(0, 40)) + "\" is not a number of seconds (try 300)");
    return std::chrono::seconds(*seconds);
}

} // namespace

/// The bytes of one event differ only by these.
struct Watches::Form {
    View view;
    bool table = false;
    bool columns = false;
    Include include = Include::object;
    Happened happened = Happened::added;
    auto operator<=>(const Form&) const = default;
};

/// A change on its way to all watchers.
struct Watches::News {
    store::Change change;
    std::uint64_t told = 0; ///< the last watcher that knows
    std::map<Form, std::string> written{};
};

struct Watches::Watcher {
    std::uint64_t id = 0;
    store::Number after = 0; ///< what it knew when it began
    bool resumed = false;
    Resource resource;
    Filter filter;
    bool table = false;
    bool bookmarks = false;
    bool columns_sent = false;
    Include include = Include::metadata;
    /// What was there, or was missed, when the watch began, and what has come behind that: told as the client reads.
    std::deque<store::Change> backlog;
    std::shared_ptr<http::BodyStream> stream;
    std::unique_ptr<env::Timer> bookmark;
    std::unique_ptr<env::Timer> end;
    std::unique_ptr<Permit> permit;
};

Watches::Watches(env::Env env, store::Store& store, std::string site) : env_(env), store_(store), site_(std::move(site)) {
    watch_ = store_.watch([this](const store::Change& change) { changed(change); });
}

Watches::~Watches() {
    for (auto& [id, watcher] : watchers_)
        if (watcher->stream) watcher->stream->end();
}

std::size_t Watches::count() const { return watchers_.size(); }

void Watches::close(Watcher& watcher) { watchers_.erase(watcher.id); }

void Watches::open(const Resource& resource, const http::Request& request, const std::shared_ptr<http::Responder>& responder,
                   Permit::Check allowed) {
    auto filter = Filter::parse(resource, request.query);
    if (!filter) return responder->respond(refusal(filter.error(), &resource));
    auto end = parse_end(request.query);
    if (!end) return responder->respond(refusal(end.error(), &resource));
    auto watcher = std::make_shared<Watcher>(
        Watcher{.id = ++last_, .after = store_.cursor().number, .resource = resource, .filter = std::move(*filter)});
    watcher->table = wants_table(request.headers.get("Accept"));
    watcher->bookmarks = request.query.get("allowWatchBookmarks") == "true";
    watcher->include = parse_include(request.query.get("includeObject"));

    auto since = request.query.get("resourceVersion");
    bool from_start = since.empty() || since == "0";
    watcher->resumed = !from_start;
    std::vector<store::Change> missed;
    if (!from_start) {
        auto number = parse_version(since);
        if (!number) return responder->respond(refusal(number.error(), &resource));
        auto changes = store_.knows(*number) ? store_.since(*number) : fail(Code::gone, {});
        if (!changes)
            return responder->respond(refusal({Code::gone, "resourceVersion " + std::string(since) +
                                                               " is too old or from another life of this store; list again"},
                                              &resource));
        missed = std::move(*changes);
    }

    watcher->stream = responder->stream(200, {{"Content-Type", "application/json"}});
    watcher->stream->on_closed([this, raw = watcher.get()] { close(*raw); });
    watchers_.emplace(watcher->id, watcher);
    watcher->permit = std::make_unique<Permit>(env_.timers, std::move(allowed),
                                               [this, raw = watcher.get()](const Error& error) { end_with(*raw, error); });
    if (*end > Duration(0))
        watcher->end = env_.timers.after(*end, [this, raw = watcher.get()] {
            raw->stream->end();
            close(*raw);
        });

    if (from_start) {
        std::optional<std::string_view> project;
        if (!resource.project.empty()) project = resource.project;
        for (auto& object : store_.list(resource.kind, project))
            watcher->backlog.push_back({object->key, nullptr, object, object->number()});
    }
    for (store::Change& change : missed) watcher->backlog.push_back(std::move(change));
    watcher->stream->on_drained([this, weak = std::weak_ptr(watcher)] {
        if (auto watcher = weak.lock()) catch_up(*watcher);
    });
    catch_up(*watcher);
    if (!watcher->bookmarks) return;
    auto arm = std::make_shared<std::function<void()>>();
    *arm = [this, raw = watcher.get(), arm = std::weak_ptr(arm)] {
        ViewFacts view = facts(raw->resource.view, raw->resource.kind);
        Json mark = Json::object({{"kind", view.name},
                                  {"apiVersion", view.api_version},
                                  {"metadata", Json::object({{"resourceVersion", std::to_string(store_.cursor().number)}})}});
        if (raw->table) mark = empty_table(raw->resource.view, raw->resource.kind, std::to_string(store_.cursor().number), false);
        // Before it has been told everything, it is not where the store is.
        if (raw->backlog.empty() && news_.empty())
            raw->stream->write(write_json(Json::object({{"type", "BOOKMARK"}, {"object", std::move(mark)}})) + "\n");
        if (auto again = arm.lock()) raw->bookmark = env_.timers.after(bookmark_period, [again] { (*again)(); });
    };
    watcher->bookmark = env_.timers.after(bookmark_period, [arm] { (*arm)(); });
}

void Watches::changed(const store::Change& change) {
    if (watchers_.empty()) return;
    if (news_.size() >= news_limit) tell_news(watchers_.size());
    news_.push_back({.change = change});
    if (news_.size() == 1) tell_news(told_at_once);
    tell_rest_soon();
}

void Watches::tell_rest_soon() {
    if (telling_ || news_.empty()) return;
    telling_ = env_.timers.after(Duration(0), [this] {
        telling_.reset();
        tell_news(told_at_once);
        tell_rest_soon();
    });
}

void Watches::tell_news(std::size_t most) {
    News& news = news_.front();
    auto next = watchers_.upper_bound(news.told);
    for (; next != watchers_.end() && most > 0; next = watchers_.upper_bound(news.told)) {
        // It may end itself, and must not while we are in it.
        std::shared_ptr<Watcher> watcher = next->second;
        news.told = watcher->id;
        if (news.change.number <= watcher->after || !watcher->filter.covers(news.change.key)) continue;
        pass(*watcher, news);
        --most;
    }
    if (next == watchers_.end()) news_.pop_front();
}

void Watches::pass(Watcher& watcher, News& news) {
    if (watcher.backlog.empty())
        tell(watcher, news.change, news.written);
    else if (watcher.backlog.size() < backlog_limit)
        watcher.backlog.push_back(news.change);
    else
        give_up(watcher);
}

/// Of a watcher that somebody holds: it may end itself.
void Watches::catch_up(Watcher& watcher) {
    std::map<Form, std::string> written;
    while (watcher.stream->is_open() && !watcher.backlog.empty() && watcher.stream->unsent() < http::BodyStream::high_mark) {
        store::Change change = std::move(watcher.backlog.front());
        watcher.backlog.pop_front();
        written.clear();
        tell(watcher, change, written);
    }
}

void Watches::end_with(Watcher& watcher, const Error& error) {
    watcher.stream->write(write_json(Json::object({{"type", "ERROR"}, {"object", status_json(error, nullptr)}})) + "\n");
    watcher.stream->end();
    close(watcher);
}

void Watches::give_up(Watcher& watcher) { end_with(watcher, {Code::gone, "this watch reads too slowly; list and watch again"}); }

void Watches::tell(Watcher& watcher, const store::Change& change, std::map<Form, std::string>& written) {
    if (!watcher.filter.covers(change.key)) return;
    bool before = change.before && change.before->wish.bytes && watcher.filter.matches(*change.before);
    bool after = change.after && watcher.filter.matches(*change.after);
    // A deletion of which only the key is left concerns everyone whom the key could concern.
    if (change.before && !change.before->wish.bytes && !change.after) before = true;
    // Whether it knew an object that was changed while it was away nobody can tell; one more deletion harms nobody.
    bool unsure = watcher.resumed && change.number <= watcher.after && !change.before && watcher.filter.selects_by_content();
    if (!before && !after && !unsure) return;
    Happened happened = !after ? Happened::deleted : before ? Happened::modified : Happened::added;

    Form form{watcher.resource.view, watcher.table, watcher.table && !watcher.columns_sent, watcher.include, happened};
    std::string& bytes = written[form];
    if (bytes.empty()) {
        store::Object object = after || unsure ? *cell::as_shown(store_, site_, change.after) : *change.before;
        if (!after) object.wish.number = change.number;
        if (!object.wish.bytes) object.wish.bytes = named(object);
        Json shown;
        if (watcher.table) {
            shown = empty_table(form.view, object.key.kind, std::to_string(change.number), form.columns);
            shown.find("rows")->push(table_row(form.view, object, form.include, env_.clock.wall()));
        } else
            shown = write(form.view, object);
        bytes = write_json(Json::object({{"type", name(happened)}, {"object", std::move(shown)}})) + "\n";
    }
    watcher.columns_sent = true;
    watcher.stream->write(bytes);
    if (watcher.stream->unsent() > unsent_limit) give_up(watcher);
}

} // namespace skerry::api
