#include "cli/client/watching.h"

#include <algorithm>
#include <cstdio>
#include <optional>

namespace skerry::cli {

namespace {

constexpr std::size_t longest_line = 64 << 20;
constexpr Duration longest_pause = 10s;

/// One life of a watch: from a list on, over any number of connections.
class Watch {
public:
    Watch(Session& session, Watching& watching) : session_(session), watching_(watching) {}

    Result<void> run() {
        for (;;) {
            if (version_.empty()) {
                Json list = TRY(list_all(session_, watching_.kind, watching_.choice, 500, watching_.as_table));
                version_ = list.at({"metadata"}).text("resourceVersion");
                if (TRY(watching_.listed(list)) == Next::stop) return {};
            }
            Result<void> ended = follow();
            if (stopped_) return {};
            if (wrong_) return std::unexpected(*wrong_);
            TRY_VOID(recover(std::move(ended)));
        }
    }

private:
    /// One connection. Ends early when told to stop, by making the loop's `done` true.
    Result<void> follow() {
        http::Request request = list_request(watching_.kind, watching_.choice);
        request.query.add("watch", "true");
        request.query.add("resourceVersion", version_);
        request.query.add("allowWatchBookmarks", "true");
        request.headers.set("Accept", watching_.as_table ? accept_table : "application/json");
        Lines lines;
        Result<void> outcome;
        bool done = false;
        int status = 0;
        std::string refused;
        auto finish = [&] {
            done = true;
            session_.loop().stop();
        };
        http::ResponseSink sink;
        sink.head = [&](const http::Response& head) { status = head.status; };
        sink.piece = [&](std::string piece) {
            if (done) return;
            if (status >= 300) {
                if (refused.size() < (64 << 10)) refused += piece;
                return;
            }
            heard_ = true;
            auto taken = lines.add(piece, [&](std::string_view line) { return take(line); });
            if (!taken) outcome = std::move(taken);
            if (stopped_ || wrong_ || !outcome) finish();
        };
        sink.end = [&](Result<void> end) {
            if (done) return;
            outcome = end && status >= 300 ? Result<void>(std::unexpected(refusal_in(status, refused))) : std::move(end);
            finish();
        };
        std::unique_ptr<env::Timer> limit;
        if (watching_.until)
            limit = session_.timers().after(std::max(Duration(0), *watching_.until - session_.clock().now()), [&] {
                wrong_ = Error{Code::timeout, "the time is over"};
                finish();
            });
        auto call = session_.client().stream(std::move(request), std::move(sink));
        TRY_VOID(session_.run_until_interrupted(done));
        return outcome;
    }

    Result<void> take(std::string_view line) {
        if (line.empty() || stopped_ || wrong_) return {};
        auto event = parse_json(line);
        if (!event) return fail(Code::corrupt, "the server's watch is not JSON: " + event.error().message);
        auto type = event->text("type");
        const Json* object = event->find("object");
        if (!object) return fail(Code::corrupt, "the server's watch has an event without object");
        if (type == "ERROR") {
            auto* code = object->find("code");
            if (code && code->integer() && *code->integer() == 410) return fail(Code::gone, std::string(object->text("message")));
            return fail(Code::unavailable, std::string(object->text("message")));
        }
        if (auto version = object->at({"metadata"}).text("resourceVersion"); !version.empty()) version_ = version;
        if (type == "BOOKMARK") return {};
        auto next = watching_.changed({type, *object});
        if (!next)
            wrong_ = std::move(next.error());
        else if (*next == Next::stop)
            stopped_ = true;
        return {};
    }

    /// What a connection's end means.
    Result<void> recover(Result<void> ended) {
        bool heard = std::exchange(heard_, false);
        if (heard) pause_ = 100ms, told_ = false;
        if (!ended) {
            switch (ended.error().code) {
            case Code::gone:
                version_.clear();
                break;
            case Code::unavailable:
            case Code::timeout:
            case Code::corrupt:
            case Code::internal:
                if (!told_)
                    std::fprintf(stderr, "skerry: the watch broke off: %s; trying again\n", ended.error().message.c_str());
                told_ = true;
                break;
            default:
                return ended;
            }
        }
        if (watching_.until && session_.clock().now() >= *watching_.until) return fail(Code::timeout, "the time is over");
        TRY_VOID(session_.pause(pause_));
        pause_ = std::min(pause_ * 2, longest_pause);
        return {};
    }

    Session& session_;
    Watching& watching_;
    std::string version_;
    bool stopped_ = false;
    bool heard_ = false;
    bool told_ = false;
    std::optional<Error> wrong_;
    Duration pause_ = 100ms;
};

} // namespace

Result<void> Lines::add(std::string_view piece, const std::function<Result<void>(std::string_view line)>& take) {
    for (;;) {
        std::size_t end = piece.find('\n');
        if (end == std::string_view::npos) {
            begun_ += piece;
            if (begun_.size() > longest_line) return fail(Code::corrupt, "the server sent a line of more than 64 MiB");
            return {};
        }
        if (begun_.empty()) {
            TRY_VOID(take(piece.substr(0, end)));
        } else {
            begun_ += piece.substr(0, end);
            std::string line = std::exchange(begun_, {});
            TRY_VOID(take(line));
        }
        piece.remove_prefix(end + 1);
    }
}

Result<void> watch(Session& session, Watching watching) { return Watch(session, watching).run(); }

} // namespace skerry::cli
