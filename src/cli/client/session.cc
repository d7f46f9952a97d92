#include "cli/client/session.h"

#include "http/status.h"

#include <csignal>
#include <cstdio>
#include <optional>

namespace skerry::cli {

namespace {

constexpr JsonLimits answer_limits{.bytes = 64 << 20, .depth = 64, .values = 8'000'000};
constexpr std::size_t refusal_limit = 64 << 10;

bool is_this_machine(std::string_view url) {
    std::size_t host = url.find("://");
    if (host == std::string_view::npos) return false;
    url.remove_prefix(host + 3);
    return url.starts_with("127.") || url.starts_with("[::1]") || url.starts_with("localhost:") || url == "localhost";
}

} // namespace

Error refusal_in(int status, std::string_view body) {
    auto json = parse_json(body, {.bytes = refusal_limit, .depth = 16, .values = 4096});
    Code code = http::code_of(status);
    if (json && json->text("kind") == "Status") {
        if (json->text("reason") == "AlreadyExists") code = Code::exists;
        if (auto message = json->text("message"); !message.empty()) return {code, std::string(message)};
    }
    std::string shown(body.substr(0, 200));
    while (!shown.empty() && shown.back() == '\n') shown.pop_back();
    return {code, "the server answered " + std::to_string(status) + " " + std::string(http::reason_of(status)) +
                      (shown.empty() ? "" : ": " + shown)};
}

Session::Session(Connection connection) : connection_(std::move(connection)), timers_(loop_) {}
Session::~Session() = default;

Result<std::unique_ptr<Session>> Session::open(Connection connection, SessionOptions options) {
    // A server that hangs up while we write is an answer, not the end of the process.
    std::signal(SIGPIPE, SIG_IGN);
    std::unique_ptr<Session> session(new Session(std::move(connection)));
    http::ClientOptions client{.base = session->connection_.server,
                               .tls = session->connection_.tls,
                               .authorization = session->connection_.authorization};
    // Between programs of one machine its clock, which may be wrong by decades, has nothing to say.
    if (is_this_machine(client.base)) client.tls.validity = http::Validity::ignored;
    client.head_timeout = options.request_timeout;
    client.connect_timeout = std::min(client.connect_timeout, options.request_timeout);
    auto opened = http::Client::create(session->loop_.context(), std::move(client));
    if (!opened) return std::unexpected(Error{opened.error().code, session->connection_.origin + ": " + opened.error().message});
    session->client_ = std::move(*opened);
    return session;
}

Error Session::located(Error error) const {
    if (error.code == Code::unavailable && error.message.find("refused") != std::string::npos)
        error.message += "; is `skerry up` running there?";
    if (error.code == Code::unavailable || error.code == Code::timeout || error.code == Code::unauthenticated)
        error.message += " (" + connection_.origin + ")";
    return error;
}

void Session::run_until(const bool& done) {
    while (!done) loop_.run();
}

Result<void> Session::run_until_interrupted(const bool& done) {
    bool stopped = false;
    auto token = loop_.on_signal({SIGINT, SIGTERM}, [&](int) {
        stopped = true;
        loop_.stop();
    });
    while (!done && !stopped) loop_.run();
    if (done) return {};
    return fail(Code::cancelled, "interrupted");
}

Result<http::Response> Session::send(http::Request request) {
    bool done = false;
    Result<http::Response> answer = fail(Code::internal, "no answer");
    auto call = client_->send(std::move(request), [&](Result<http::Response> response) {
        answer = std::move(response);
        done = true;
        loop_.stop();
    });
    run_until(done);
    if (!answer) return std::unexpected(located(std::move(answer.error())));
    return answer;
}

Result<Json> Session::ask(http::Request request) {
    request.headers.set("Accept",
                        request.headers.has("Accept") ? std::string(request.headers.get("Accept")) : "application/json");
    http::Response response = TRY(send(std::move(request)));
    for (auto& [name, value] : response.headers) {
        if (name != "Warning" && name != "warning") continue;
        std::size_t quote = value.find('"');
        auto text = quote == std::string::npos ? Result<Json>(Json(value)) : parse_json(std::string_view(value).substr(quote));
        std::fprintf(stderr, "warning: %s\n", text && text->string() ? text->string()->c_str() : value.c_str());
    }
    if (response.status >= 300) return std::unexpected(located(refusal_in(response.status, response.body)));
    if (response.body.empty()) return Json();
    auto json = parse_json(response.body, answer_limits);
    if (!json)
        return fail(Code::corrupt, connection_.server + " answered something else than JSON (" + json.error().message +
                                       "); is it a Skerry server?");
    return json;
}

Result<void> Session::stream(http::Request request, std::function<void(std::string)> piece) {
    Result<void> outcome;
    std::vector<Flow> flows;
    flows.push_back({std::move(request), std::move(piece), [&](Result<void> end) { outcome = std::move(end); }});
    TRY_VOID(stream_all(std::move(flows)));
    return outcome;
}

Result<void> Session::stream_all(std::vector<Flow> flows) {
    struct Running {
        int status = 0;
        std::string refused;
        std::unique_ptr<http::Call> call;
    };
    std::vector<Running> running(flows.size());
    std::size_t open = flows.size();
    bool done = flows.empty();
    for (std::size_t i = 0; i < flows.size(); ++i) {
        Flow& flow = flows[i];
        Running& state = running[i];
        http::ResponseSink sink;
        sink.head = [&state](const http::Response& head) { state.status = head.status; };
        sink.piece = [&state, &flow](std::string piece) {
            if (state.status < 300)
                flow.piece(std::move(piece));
            else if (state.refused.size() < refusal_limit)
                state.refused += piece;
        };
        sink.end = [&, this](Result<void> end) {
            if (end && state.status >= 300) end = std::unexpected(refusal_in(state.status, state.refused));
            if (!end) end = std::unexpected(located(std::move(end.error())));
            flow.end(std::move(end));
            if (--open > 0) return;
            done = true;
            loop_.stop();
        };
        state.call = client_->stream(std::move(flow.request), std::move(sink));
    }
    return run_until_interrupted(done);
}

Result<void> Session::pause(Duration duration) {
    bool done = false;
    auto timer = timers_.after(duration, [&] {
        done = true;
        loop_.stop();
    });
    return run_until_interrupted(done);
}

} // namespace skerry::cli
