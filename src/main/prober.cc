#include "main/prober.h"

#include "http/client.h"
#include "http/connect.h"
#include "model/text/format.h"

namespace skerry::main {

struct RealProber::Probe {
    Answer answer;
    std::unique_ptr<http::Client> client;
    std::unique_ptr<http::Call> call;
    std::unique_ptr<env::Timer> deadline;
};

RealProber::RealProber(boost::asio::io_context& context, env::Timers& timers) : context_(context), timers_(timers) {}
RealProber::~RealProber() = default;

std::uint64_t RealProber::begin(Duration timeout, Answer answer) {
    std::uint64_t id = next_++;
    auto& probe = probes_[id] = std::make_unique<Probe>();
    probe->answer = std::move(answer);
    probe->deadline =
        timers_.after(timeout, [this, id, timeout] { finish(id, fail(Code::timeout, "no answer within " + text(timeout))); });
    return id;
}

void RealProber::finish(std::uint64_t id, Result<void> outcome) {
    auto found = probes_.find(id);
    if (found == probes_.end()) return;
    // Whoever calls this may be a part of the probe, so it goes after the call.
    auto probe = std::make_shared<std::unique_ptr<Probe>>(std::move(found->second));
    probes_.erase(found);
    timers_.post([probe, outcome = std::move(outcome)]() mutable {
        auto answer = std::move((*probe)->answer);
        probe->reset();
        answer(std::move(outcome));
    });
}

void RealProber::http(const std::string& address, std::uint16_t port, const std::string& path, Duration timeout, Answer answer) {
    std::uint64_t id = begin(timeout, std::move(answer));
    auto client = http::Client::create(context_, {.base = "http://" + address + ":" + std::to_string(port),
                                                  .connect_timeout = timeout,
                                                  .head_timeout = timeout,
                                                  .max_body = 256 << 10});
    if (!client) return finish(id, std::unexpected(client.error()));
    Probe& probe = *probes_[id];
    probe.client = std::move(*client);
    http::Request request;
    // With its query and its escapes, as people wrote it.
    if (model::is_http_path(path))
        request.raw_target = path;
    else
        request.path = path;
    request.headers.set("User-Agent", "skerry-health");
    // The head is enough: a body without end must not make a healthy instance look sick.
    probe.call = probe.client->stream(
        std::move(request),
        {.head =
             [this, id](const http::Response& head) {
                 bool good = head.status >= 200 && head.status < 400;
                 finish(id,
                        good ? Result<void>{} : fail(Code::unavailable, "answered with status " + std::to_string(head.status)));
             },
         .piece = {},
         .end = [this, id](Result<void> end) { finish(id, std::move(end)); }});
}

void RealProber::tcp(const std::string& address, std::uint16_t port, Duration timeout, Answer answer) {
    std::uint64_t id = begin(timeout, std::move(answer));
    std::string title = address + ":" + std::to_string(port);
    probes_[id]->call =
        http::connect(context_, {.host = address, .port = port, .tls = nullptr, .title = title}, timeout,
                      [this, id](auto stream) { finish(id, stream ? Result<void>{} : std::unexpected(stream.error())); });
}

} // namespace skerry::main
