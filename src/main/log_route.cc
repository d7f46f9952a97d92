#include "main/log_route.h"

#include "base/number.h"

#include <algorithm>

namespace skerry::main {

namespace {

constexpr std::size_t log_piece = 64 << 10;
constexpr Duration follow_period = 250ms;
/// For the first line, which says whether there is a log; its bytes may take as long as they like.
constexpr Duration answer_patience = 30s;

/// Reads a log file on workers, piece by piece.
class NearFlow final : public api::LogFlow, public std::enable_shared_from_this<NearFlow> {
public:
    NearFlow(env::Env env, drivers::Logs& logs, api::LogSource::Wanted wanted, api::LogSource::Sink sink)
        : env_(env), logs_(logs), wanted_(std::move(wanted)), sink_(std::move(sink)) {}

    void begin() {
        auto opened = std::make_shared<Result<std::unique_ptr<drivers::LogReader>>>(fail(Code::internal, ""));
        env_.workers.run(
            {}, [self = shared_from_this(), opened] { *opened = self->logs_.open(self->wanted_.uid, self->wanted_.window); },
            [weak = weak_from_this(), opened] {
                auto self = weak.lock();
                if (!self || self->over_) return;
                if (!*opened) return self->end(std::unexpected(opened->error()));
                self->reader_ = std::move(**opened);
                self->sink_.bytes("");
                self->read();
            });
    }

    void pause(bool paused) override {
        paused_ = paused;
        if (!paused && reader_ && !reading_ && !timer_) read();
    }

    void stop() { over_ = true, timer_.reset(); }

private:
    void read() {
        if (over_ || paused_) return;
        reading_ = true;
        auto bytes = std::make_shared<Result<std::string>>(std::string());
        env_.workers.run(
            {}, [self = shared_from_this(), bytes] { *bytes = self->reader_->next(log_piece); },
            [weak = weak_from_this(), bytes] {
                auto self = weak.lock();
                if (!self || self->over_) return;
                self->reading_ = false;
                self->take(std::move(*bytes));
            });
    }

    void take(Result<std::string> bytes) {
        if (!bytes) return end(std::unexpected(bytes.error()));
        if (!bytes->empty()) {
            sink_.bytes(std::move(*bytes));
            return read();
        }
        if (!wanted_.follow || reader_->is_over()) return end({});
        timer_ = env_.timers.after(follow_period, [this] {
            timer_.reset();
            read();
        });
    }

    void end(Result<void> outcome) {
        if (over_) return;
        over_ = true;
        sink_.end(std::move(outcome));
    }

    env::Env env_;
    drivers::Logs& logs_;
    api::LogSource::Wanted wanted_;
    api::LogSource::Sink sink_;
    std::unique_ptr<drivers::LogReader> reader_;
    std::unique_ptr<env::Timer> timer_;
    bool paused_ = false, reading_ = false, over_ = false;
};

/// Owns a NearFlow, and stops it when the client goes.
class NearHold final : public api::LogFlow {
public:
    explicit NearHold(std::shared_ptr<NearFlow> flow) : flow_(std::move(flow)) {}
    ~NearHold() override { flow_->stop(); }
    void pause(bool paused) override { flow_->pause(paused); }

private:
    std::shared_ptr<NearFlow> flow_;
};

/// A log that comes over the tunnel.
class FarFlow final : public api::LogFlow {
public:
    FarFlow(env::Timers& timers, std::shared_ptr<link::Stream> stream, api::LogSource::Sink sink)
        : stream_(std::move(stream)), state_(std::make_shared<State>()) {
        state_->sink = std::move(sink);
        patience_ = timers.after(answer_patience, [state = state_] {
            if (!state->answered)
                state->end(fail(Code::timeout, "who has the log did not answer within " + text(answer_patience)));
        });
        stream_->consume_by_hand();
        std::weak_ptr<link::Stream> weak = stream_;
        stream_->on_bytes([state = state_, weak](std::string bytes) {
            std::size_t size = bytes.size();
            state->take(std::move(bytes));
            auto stream = weak.lock();
            if (!stream) return;
            if (state->paused)
                state->held += size;
            else
                stream->consumed(size);
        });
        stream_->on_end([state = state_] { state->end({}); });
        stream_->on_reset(
            [state = state_](std::string why) { state->end(fail(Code::unavailable, "the log broke off: " + why)); });
    }
    ~FarFlow() override {
        state_->over = true;
        if (stream_->is_open()) stream_->reset("the reader has gone");
    }
    void pause(bool paused) override {
        state_->paused = paused;
        if (!paused) stream_->consumed(std::exchange(state_->held, 0));
    }

private:
    struct State {
        api::LogSource::Sink sink;
        std::string head;
        bool answered = false, paused = false, over = false;
        std::size_t held = 0;

        void end(Result<void> outcome) {
            if (over) return;
            over = true;
            sink.end(std::move(outcome));
        }
        void take(std::string bytes) {
            if (over) return;
            if (answered) return sink.bytes(std::move(bytes));
            head += bytes;
            std::size_t line = head.find('\n');
            if (line == std::string::npos) {
                if (head.size() > 4096) end(fail(Code::unavailable, "the log's first line is malformed"));
                return;
            }
            std::string answer = head.substr(0, line), rest = head.substr(line + 1);
            if (answer != "ok") return end(fail(Code::not_found, answer.starts_with("no ") ? answer.substr(3) : answer));
            answered = true;
            sink.bytes(std::move(rest));
        }
    };
    std::shared_ptr<link::Stream> stream_;
    std::shared_ptr<State> state_;
    std::unique_ptr<env::Timer> patience_;
};

std::string flag(bool value) { return value ? "1" : "0"; }

link::Target target_of(const api::LogSource::Wanted& wanted) {
    return {"logs",
            {{"site", wanted.site},
             {"node", wanted.node},
             {"instance", wanted.instance},
             {"uid", wanted.uid},
             {"tail", std::to_string(wanted.window.tail)},
             {"limit", std::to_string(wanted.window.limit_bytes)},
             {"timestamps", flag(wanted.window.timestamps)},
             {"previous", flag(wanted.window.previous)},
             {"follow", flag(wanted.follow)}}};
}

/// -1 is all, also where an older or newer cell says it otherwise.
std::int64_t count_of(std::string_view text) { return parse_number<std::int64_t>(text).value_or(-1); }

api::LogSource::Wanted wanted_of(const link::Target& target) {
    api::LogSource::Wanted wanted;
    wanted.site = target.get("site");
    wanted.node = target.get("node");
    wanted.instance = target.get("instance");
    wanted.uid = target.get("uid");
    wanted.window = {.tail = count_of(target.get("tail")),
                     .timestamps = target.get("timestamps") == "1",
                     .previous = target.get("previous") == "1",
                     .limit_bytes = count_of(target.get("limit"))};
    wanted.follow = target.get("follow") == "1";
    return wanted;
}

/// A log on its way out over a stream.
struct Outflow : std::enable_shared_from_this<Outflow> {
    std::shared_ptr<link::Stream> stream;
    std::unique_ptr<api::LogFlow> flow;
    std::string waiting;
    bool answered = false, ended = false, paused = false;

    void push() {
        std::size_t taken = stream->write(waiting);
        waiting.erase(0, taken);
        if (waiting.empty() && ended) return stream->end();
        bool full = waiting.size() > log_piece;
        if (full != paused && flow) flow->pause(paused = full);
    }
    void bytes(std::string more) {
        if (!std::exchange(answered, true)) waiting += "ok\n";
        waiting += more;
        push();
    }
    void end(Result<void> outcome) {
        if (!answered) waiting += outcome ? "ok\n" : "no " + outcome.error().message + "\n";
        answered = ended = true;
        push();
    }
};

} // namespace

LogRoute::LogRoute(Options options) : options_(std::move(options)) {
    // Logs are asked for from above; a child has no business with its neighbours'.
    options_.tunnel.serve(Tunnel::From::parent, "logs",
                          [this](const env::Peer&, std::shared_ptr<link::Stream> stream) { serve(std::move(stream)); });
}

LogRoute::~LogRoute() = default;

std::unique_ptr<api::LogFlow> LogRoute::open(Wanted wanted, Sink sink) {
    if (!wanted.node.empty() && wanted.node == options_.node && options_.logs) {
        auto flow = std::make_shared<NearFlow>(options_.env, *options_.logs, std::move(wanted), std::move(sink));
        flow->begin();
        return std::make_unique<NearHold>(std::move(flow));
    }
    return open_far(wanted, std::move(sink));
}

std::unique_ptr<api::LogFlow> LogRoute::open_far(const Wanted& wanted, Sink sink) {
    bool own_site = wanted.site == options_.site;
    auto stream = options_.tunnel.open_child(own_site ? env::Peer::Role::node : env::Peer::Role::site,
                                             own_site ? wanted.node : wanted.site, target_of(wanted));
    if (!stream) {
        options_.env.timers.post([sink = std::move(sink), error = stream.error()] {
            sink.end(fail(error.code, error.message + "; its logs can be read there, and here once it is back"));
        });
        return nullptr;
    }
    return std::make_unique<FarFlow>(options_.env.timers, std::move(*stream), std::move(sink));
}

void LogRoute::serve(std::shared_ptr<link::Stream> stream) {
    auto out = std::make_shared<Outflow>();
    out->stream = stream;
    // The stream's callbacks keep the outflow, and the outflow the stream, until one side is done.
    stream->on_bytes([](std::string) {});
    stream->on_writable([out] { out->push(); });
    stream->on_reset([weak = std::weak_ptr(out)](std::string) {
        if (auto out = weak.lock()) out->flow.reset();
    });
    out->flow = open(wanted_of(stream->target()), {.bytes =
                                                       [weak = std::weak_ptr(out)](std::string bytes) {
                                                           if (auto out = weak.lock()) out->bytes(std::move(bytes));
                                                       },
                                                   .end =
                                                       [weak = std::weak_ptr(out)](Result<void> outcome) {
                                                           if (auto out = weak.lock()) out->end(std::move(outcome));
                                                       }});
}

} // namespace skerry::main
