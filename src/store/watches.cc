#include "store/watches.h"

namespace skerry::store {

struct Watches::Watcher {
    std::function<void(const Change&)> call;
    Number after = 0;
    bool dropped = false;
    bool called = false; ///< is being called: its function must not be destroyed
};

class Watches::Token final : public Watch {
public:
    explicit Token(std::shared_ptr<Watcher> watcher) : watcher_(std::move(watcher)) {}
    ~Token() override {
        watcher_->dropped = true;
        if (!watcher_->called) watcher_->call = nullptr;
    }

private:
    std::shared_ptr<Watcher> watcher_;
};

std::unique_ptr<Watch> Watches::add(std::function<void(const Change&)> call, Number after) {
    auto watcher = std::make_shared<Watcher>(Watcher{std::move(call), after});
    if (!telling_) std::erase_if(watchers_, [](const auto& w) { return w->dropped; });
    watchers_.push_back(watcher);
    return std::make_unique<Token>(std::move(watcher));
}

void Watches::tell(std::vector<Change> changes) {
    for (Change& change : changes) waiting_.push_back(std::move(change));
    if (telling_) return;
    telling_ = true;
    while (!waiting_.empty()) {
        const Change change = std::move(waiting_.front());
        waiting_.pop_front();
        for (std::size_t i = 0; i < watchers_.size(); i++) { // grows while it is walked
            std::shared_ptr<Watcher> watcher = watchers_[i];
            if (watcher->dropped || change.number <= watcher->after) continue;
            watcher->called = true;
            watcher->call(change);
            watcher->called = false;
            if (watcher->dropped) watcher->call = nullptr;
        }
    }
    telling_ = false;
    std::erase_if(watchers_, [](const auto& w) { return w->dropped; });
}

} // namespace skerry::store
