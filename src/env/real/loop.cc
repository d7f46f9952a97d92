#include "env/real/loop.h"

#include "base/check.h"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>

#include <fcntl.h>

#include <utility>

namespace skerry::env {

namespace asio = boost::asio;

struct Loop::Parts {
    asio::io_context context{1};
    asio::executor_work_guard<asio::io_context::executor_type> work{context.get_executor()};
};

Loop::Loop() : parts_(std::make_unique<Parts>()) {}
Loop::~Loop() = default;

void Loop::run() {
    parts_->context.restart();
    parts_->context.run();
}

void Loop::poll() {
    parts_->context.restart();
    parts_->context.poll();
}

void Loop::stop() { parts_->context.stop(); }

void Loop::post(std::function<void()> call) { asio::post(parts_->context, std::move(call)); }

asio::io_context& Loop::context() { return parts_->context; }

namespace {

/// The state lives as long as a wait is pending in asio; the token only tells it to fall silent.
struct SignalWait : std::enable_shared_from_this<SignalWait> {
    asio::signal_set set;
    std::function<void(int)> arrived;
    bool dropped = false;

    SignalWait(asio::io_context& context, std::function<void(int)> call) : set(context), arrived(std::move(call)) {}
    void wait() {
        set.async_wait([self = shared_from_this()](const boost::system::error_code& error, int number) {
            if (error || self->dropped) return;
            self->arrived(number);
            if (!self->dropped) self->wait();
        });
    }
    void drop() {
        dropped = true;
        boost::system::error_code ignored;
        set.cancel(ignored);
        set.clear(ignored);
    }
};

struct ReadWait : std::enable_shared_from_this<ReadWait> {
    asio::posix::stream_descriptor descriptor;
    std::function<void()> readable;
    bool dropped = false;

    ReadWait(asio::io_context& context, int fd, std::function<void()> call)
        : descriptor(context, fd), readable(std::move(call)) {}
    void wait() {
        descriptor.async_wait(asio::posix::stream_descriptor::wait_read,
                              [self = shared_from_this()](const boost::system::error_code& error) {
                                  if (error || self->dropped) return;
                                  self->readable();
                                  if (!self->dropped) self->wait();
                              });
    }
    void drop() {
        dropped = true;
        boost::system::error_code ignored;
        descriptor.close(ignored);
    }
};

template<class Wait>
class WaitToken final : public Loop::Token {
public:
    explicit WaitToken(std::shared_ptr<Wait> wait) : wait_(std::move(wait)) {}
    ~WaitToken() override { wait_->drop(); }

private:
    std::shared_ptr<Wait> wait_;
};

} // namespace

std::unique_ptr<Loop::Token> Loop::on_signal(std::initializer_list<int> numbers, std::function<void(int)> arrived) {
    auto wait = std::make_shared<SignalWait>(parts_->context, std::move(arrived));
    for (int number : numbers) {
        boost::system::error_code error;
        wait->set.add(number, error);
        CHECK(!error, error.message());
    }
    wait->wait();
    return std::make_unique<WaitToken<SignalWait>>(wait);
}

std::unique_ptr<Loop::Token> Loop::on_readable(int fd, std::function<void()> readable) {
    // A duplicate, so that two waits on one descriptor do not collide in epoll and the caller may close its own first.
    int own = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    CHECK(own >= 0, "on_readable wants an open descriptor");
    auto wait = std::make_shared<ReadWait>(parts_->context, own, std::move(readable));
    wait->wait();
    return std::make_unique<WaitToken<ReadWait>>(wait);
}

} // namespace skerry::env
