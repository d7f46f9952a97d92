#pragma once

#include "env/env.h"

#include <functional>

namespace skerry::main {

/// A dialer that tells when a control wire came up: the moment to renew the bulk wire of the same session.
class SessionDialer final : public env::Dialer {
public:
    /// Before the first dial. `inner` outlives this.
    void bind(env::Dialer& inner, std::function<void()> began) { inner_ = &inner, began_ = std::move(began); }

    std::unique_ptr<env::Timer> dial(const std::string& address, env::Channel channel,
                                     std::function<void(Result<std::unique_ptr<env::Wire>>)> then) override {
        return inner_->dial(address, channel, [this, channel, then = std::move(then)](Result<std::unique_ptr<env::Wire>> wire) {
            bool began = wire.has_value() && channel == env::Channel::control;
            then(std::move(wire));
            if (began) began_();
        });
    }

private:
    env::Dialer* inner_ = nullptr;
    std::function<void()> began_;
};

} // namespace skerry::main
