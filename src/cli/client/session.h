#pragma once

#include "base/json.h"
#include "base/result.h"
#include "base/time.h"
#include "cli/client/kubeconfig.h"
#include "env/real/loop.h"
#include "env/real/real_clock.h"
#include "env/real/real_timers.h"
#include "http/client.h"

#include <functional>
#include <memory>
#include <string>

namespace skerry::cli {

struct SessionOptions {
    Duration request_timeout = 60s; ///< until the head of an answer
};

/// A conversation with one server, one step after another: each call runs the loop until its answer is there.
///
/// `cancelled` after Ctrl-C, where a call says so; everywhere else Ctrl-C ends the process as it does any other.
class Session {
public:
    static Result<std::unique_ptr<Session>> open(Connection, SessionOptions = {});
    ~Session();

    const Connection& connection() const { return connection_; }
    const std::string& project() const { return connection_.project; }

    /// Any status. Errors say which server, and out of which kubeconfig.
    Result<http::Response> send(http::Request);
    /// The JSON of an answer below 300; any other is an Error with the message of its Status and the code of its status. Warnings
    /// go to stderr.
    Result<Json> ask(http::Request);

    /// An answer without end, piece by piece; an answer of 300 and above is an Error as with `ask`. `cancelled` by Ctrl-C.
    Result<void> stream(http::Request, std::function<void(std::string)> piece);
    /// Several at once: runs until all of these have called `end`, or Ctrl-C (`cancelled`).
    struct Flow {
        http::Request request;
        std::function<void(std::string)> piece;
        std::function<void(Result<void>)> end;
    };
    Result<void> stream_all(std::vector<Flow>);
    /// `cancelled` by Ctrl-C.
    Result<void> pause(Duration);

    http::Client& client() { return *client_; }
    env::Loop& loop() { return loop_; }
    env::Timers& timers() { return timers_; }
    const env::Clock& clock() const { return clock_; }
    /// With the server's name and where it was found, if it is a failure to reach it.
    Error located(Error) const;
    /// Runs the loop until `done`; with `interruptible`, `cancelled` by Ctrl-C.
    void run_until(const bool& done);
    Result<void> run_until_interrupted(const bool& done);

private:
    explicit Session(Connection connection);

    Connection connection_;
    env::Loop loop_;
    env::RealClock clock_;
    env::RealTimers timers_;
    std::unique_ptr<http::Client> client_;
};

/// The Error in an answer of 300 and above: the message of a Kubernetes Status, or what came instead.
Error refusal_in(int status, std::string_view body);

} // namespace skerry::cli
