#pragma once

#include "env/env.h"

#include <functional>
#include <initializer_list>
#include <memory>

namespace boost::asio {
class io_context;
}

namespace skerry::env {

/// The deciding thread's loop (asio inside): one thread calls `run`, and every callback of the process that touches a cell runs
/// there.
class Loop {
public:
    Loop();
    ~Loop();
    Loop(const Loop&) = delete;
    Loop& operator=(const Loop&) = delete;

    /// Runs callbacks until `stop`. May be called again after that.
    void run();
    /// Runs what is ready now, without waiting.
    void poll();
    /// From any thread; `run` returns after the callback it is in.
    void stop();

    /// From any thread; in the order of posting.
    void post(std::function<void()>);

    /// Stops the callbacks when destroyed, on the loop's thread and before the loop.
    class Token {
    public:
        virtual ~Token() = default;
    };

    /// Calls `arrived(number)` on the loop for each of these signals, whose default action no longer happens.
    [[nodiscard]] std::unique_ptr<Token> on_signal(std::initializer_list<int> numbers, std::function<void(int)> arrived);
    /// Calls `readable` as long as `fd` has something to read or has ended; it must read, or drop the token. The descriptor stays
    /// the caller's, and may be closed before the token is dropped. Not for regular files.
    [[nodiscard]] std::unique_ptr<Token> on_readable(int fd, std::function<void()> readable);

    boost::asio::io_context& context();

private:
    struct Parts;
    std::unique_ptr<Parts> parts_;
};

} // namespace skerry::env
