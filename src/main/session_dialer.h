#pragma once

#include "env/env.h"

#include <functional>
#include <optional>

namespace skerry::main {

/// A dialer that tells when a control wire came up, the moment to renew the bulk wire of the same session, and when one did not.
class SessionDialer final : public env::Dialer {
public:
    /// Before the first dial. `inner` outlives this.
    void bind(env::Dialer& inner, std::function<void()> began, std::function<void(const Error&)> failed) {
        inner_ = &inner, began_ = std::move(began), failed_ = std::move(failed);
    }

    std::unique_ptr<env::Timer> dial(const std::string& address, env::Channel channel,
                                     std::function<void(Result<std::unique_ptr<env::Wire>>)> then) override {
        return inner_->dial(address, channel, [this, channel, then = std::move(then)](Result<std::unique_ptr<env::Wire>> wire) {
            bool control = channel == env::Channel::control, began = control && wire.has_value();
            std::optional<Error> error;
            if (control && !wire) error = wire.error();
            then(std::move(wire));
            if (began) began_();
            if (error) failed_(*error);
        });
    }

private:
    env::Dialer* inner_ = nullptr;
    std::function<void()> began_;
    std::function<void(const Error&)> failed_;
};

} // namespace skerry::main
