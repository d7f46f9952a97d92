// Load on a cell's HTTPS API, with this project's own client on keep-alive connections. One line of JSON on standard output.
//
//     api_load write KUBECONFIG CLIENTS SECONDS      durable creates of Configs of 512 bytes, each client one after another
//     api_load fanout KUBECONFIG WATCHES ROUNDS      one Config changes; the time until the last of the open watches is told
#include "base/json.h"
#include "bench/load.h"

#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

namespace skerry::bench {

namespace {

constexpr const char* configs = "/apis/skerry/v1/namespaces/default/configs";
constexpr Duration patience = 60s;

/// 512 bytes with its name and fields, as JSON.
std::string config(const std::string& name, const std::string& version, std::size_t value) {
    std::string begin = R"({"apiVersion":"skerry/v1","kind":"Config","metadata":{"name":")" + name + "\"" +
                        (version.empty() ? "" : R"(,"resourceVersion":")" + version + "\"") + R"(},"data":{"value":")";
    std::size_t rest = begin.size() + 3;
    std::string filler = std::to_string(value) + ".";
    filler.resize(std::max(filler.size(), 512 - std::min<std::size_t>(512, rest)), 'x');
    return begin + filler + "\"}}";
}

// ---- write

class Writer {
public:
    Writer(Load& load, const std::string& cell, std::size_t number, std::size_t& running)
        : load_(load), client_(load.client(cell)), number_(number), running_(running) {
        ++running_;
    }

    void begin(Instant end, std::vector<Duration>& times) {
        end_ = end, times_ = &times;
        next();
    }

private:
    void next() {
        Instant began = load_.now();
        if (began >= end_) {
            if (--running_ == 0) load_.loop.stop();
            return;
        }
        // A run's own names, so that it may be repeated against one cell.
        std::string name = "w" + std::to_string(began.since_boot / 1ns) + "-" + std::to_string(number_);
        http::Request request{.method = "POST", .path = configs, .body = config(name, "", times_->size())};
        request.headers.set("Content-Type", "application/json");
        call_ = client_->send(std::move(request), [this, began](Result<http::Response> answer) {
            if (!answer) give_up(answer.error().message);
            if (answer->status != 201)
                give_up("create: status " + std::to_string(answer->status) + ": " + answer->body.substr(0, 300));
            times_->push_back(load_.now() - began);
            load_.timers.post([this] { next(); });
        });
    }

    Load& load_;
    std::unique_ptr<http::Client> client_;
    std::unique_ptr<http::Call> call_;
    std::size_t number_;
    std::size_t& running_;
    Instant end_;
    std::vector<Duration>* times_ = nullptr;
};

int write(Load& load, const std::string& cell, std::size_t clients, std::size_t seconds) {
    std::size_t running = 0;
    std::vector<std::unique_ptr<Writer>> writers;
    for (std::size_t n = 0; n < clients; ++n) writers.push_back(std::make_unique<Writer>(load, cell, n, running));
    std::vector<Duration> warm, times;
    // Connections and their handshakes come before the clock runs.
    Instant begin = load.now();
    for (auto& writer : writers) writer->begin(begin + 500ms, warm);
    load.run(patience, "warming up");
    running = clients;
    begin = load.now();
    for (auto& writer : writers) writer->begin(begin + std::chrono::seconds(seconds), times);
    load.run(std::chrono::seconds(seconds) + patience, "writing");
    double took = milliseconds(load.now() - begin) / 1000;
    std::printf("{\"rate\": %.1f, \"writes\": %zu, \"clients\": %zu, \"p50_ms\": %.3f, \"p99_ms\": %.3f}\n",
                static_cast<double>(times.size()) / took, times.size(), clients, quantile(times, 0.5), quantile(times, 0.99));
    return 0;
}

// ---- fanout

class Fanout {
public:
    Fanout(Load& load, std::string cell, std::size_t watches, std::size_t rounds)
        : load_(load), cell_(std::move(cell)), writer_(load.client(cell_)), wanted_(watches), rounds_(rounds) {}

    int run() {
        // In the service's own time: a bench's watchers come a few at a time.
        put("POST", configs, "", [this] {
            for (int i = 0; i < 16; ++i) open();
        });
        load_.run(patience * 2, "opening " + std::to_string(wanted_) + " watches");
        for (std::size_t i = 0; i < rounds_; ++i) {
            pause_ = load_.timers.after(100ms, [this] { round(); });
            load_.run(patience, "a change to all watchers");
        }
        std::printf("{\"p50_ms\": %.3f, \"p99_ms\": %.3f, \"first_p50_ms\": %.3f, \"answer_p50_ms\": %.3f, "
                    "\"after_answer_p50_ms\": %.3f, \"watches\": %zu, \"rounds\": %zu}\n",
                    quantile(last_, 0.5), quantile(last_, 0.99), quantile(first_, 0.5), quantile(answer_, 0.5),
                    quantile(tail_, 0.5), wanted_, rounds_);
        return 0;
    }

private:
    static constexpr const char* name_ = "fanout";

    /// Creates or replaces the Config; an existing one is fine.
    void put(const std::string& method, const std::string& path, const std::string& version, std::function<void()> then) {
        http::Request request{.method = method, .path = path, .body = config(name_, version, ++value_)};
        request.headers.set("Content-Type", "application/json");
        call_ = writer_->send(std::move(request), [this, then = std::move(then)](Result<http::Response> answer) {
            if (!answer) give_up(answer.error().message);
            if (answer->status == 409) return read(then);
            if (answer->status >= 300)
                give_up("write: status " + std::to_string(answer->status) + ": " + answer->body.substr(0, 300));
            note(answer->body);
            then();
        });
    }
    void read(std::function<void()> then) {
        call_ = writer_->send({.path = std::string(configs) + "/" + name_}, [this, then](Result<http::Response> answer) {
            if (!answer || answer->status != 200) give_up("the Config that is there cannot be read");
            note(answer->body);
            then();
        });
    }
    void note(const std::string& body) {
        auto json = parse_json(body);
        if (!json) give_up("an answer that is no JSON: " + json.error().message);
        version_ = json->at({"metadata", "resourceVersion"}).string() ? *json->at({"metadata", "resourceVersion"}).string() : "";
    }

    void open() {
        if (clients_.size() >= wanted_) return;
        auto watch = std::make_unique<Watch>();
        watch->client = load_.client(cell_);
        http::Request request{.path = configs, .query = {{"watch", "1"}, {"resourceVersion", version_}}};
        watch->call = watch->client->stream(
            std::move(request), {.head =
                                     [this](const http::Response& head) {
                                         if (head.status != 200) give_up("watch: status " + std::to_string(head.status));
                                         if (++open_ == wanted_) load_.loop.stop();
                                         load_.timers.post([this] { open(); });
                                     },
                                 .piece = [this, it = watch.get()](std::string piece) { arrived(*it, piece); },
                                 .end =
                                     [](Result<void> end) {
                                         give_up("a watch ended: " + (end ? std::string("without error") : end.error().message));
                                     }});
        clients_.push_back(std::move(watch));
    }

    struct Watch {
        std::unique_ptr<http::Client> client;
        std::unique_ptr<http::Call> call;
        std::size_t seen = 0; ///< rounds
    };

    void arrived(Watch& watch, const std::string& piece) {
        if (round_ == 0 || watch.seen == round_ || piece.find("\"MODIFIED\"") == std::string::npos) return;
        watch.seen = round_;
        Instant now = load_.now();
        if (++told_ == 1) first_.push_back(now - began_);
        if (told_ < wanted_) return;
        last_.push_back(now - began_);
        all_told_ = now;
        settle();
    }

    void round() {
        told_ = 0;
        answered_.reset();
        all_told_.reset();
        ++round_;
        began_ = load_.now();
        put("PUT", std::string(configs) + "/" + name_, version_, [this] {
            answered_ = load_.now();
            answer_.push_back(*answered_ - began_);
            settle();
        });
    }
    void settle() {
        if (!answered_ || !all_told_) return;
        tail_.push_back(std::max(Duration{}, *all_told_ - *answered_));
        load_.loop.stop();
    }

    Load& load_;
    std::string cell_;
    std::unique_ptr<http::Client> writer_;
    std::unique_ptr<http::Call> call_;
    std::unique_ptr<env::Timer> pause_;
    std::size_t wanted_, rounds_;
    std::size_t open_ = 0, told_ = 0, round_ = 0, value_ = 0;
    std::string version_;
    Instant began_;
    std::optional<Instant> answered_, all_told_;
    std::vector<Duration> first_, last_, answer_, tail_;
    std::vector<std::unique_ptr<Watch>> clients_;
};

int run(int count, char** words) {
    std::string_view what = count == 5 ? words[1] : "";
    if (what != "write" && what != "fanout") {
        std::fprintf(stderr, "usage: api_load write KUBECONFIG CLIENTS SECONDS | api_load fanout KUBECONFIG WATCHES ROUNDS\n");
        return 2;
    }
    raise_descriptors();
    Load load;
    if (what == "write") return write(load, words[2], positive(words[3]), positive(words[4]));
    return Fanout(load, words[2], positive(words[3]), positive(words[4])).run();
}

} // namespace

} // namespace skerry::bench

int main(int count, char** words) { return skerry::bench::run(count, words); }
