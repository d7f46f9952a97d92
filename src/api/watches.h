#pragma once

#include "api/permit.h"
#include "api/resource.h"
#include "env/env.h"
#include "http/message.h"
#include "http/server.h"
#include "store/store.h"

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>

namespace skerry::api {

/// All open watches. Each change is written as JSON once per form (view × Table or not × how much of the object), however many
/// watch it.
///
/// A watch that starts at a resourceVersion gets what changed since, `410 Expired` where that is no longer known, and without one
/// all that exists: both as fast as it reads. A watcher that then reads too slowly (more than 4 MiB unsent, or half a million
/// changes while it catches up) is cut off and comes back with its last version: no queue grows for it.
///
/// A change is told to so many watchers at a time, and the loop goes on with other work between: neither a beat nor the answer to
/// the writer waits for a thousand watchers. Where more changes come than can be told so, the oldest is told to all at once, which
/// holds back those who write.
class Watches {
public:
    /// `site` as in `get`.
    Watches(env::Env, store::Store&, std::string site);
    ~Watches();

    /// It ends when `allowed` no longer holds.
    void open(const Resource&, const http::Request&, const std::shared_ptr<http::Responder>&, Permit::Check allowed);
    std::size_t count() const;

private:
    struct Watcher;
    struct Form;
    struct News;
    void changed(const store::Change&);
    void close(Watcher&);
    void catch_up(Watcher&);
    void end_with(Watcher&, const Error&);
    void give_up(Watcher&);
    /// The oldest news, to up to so many watchers.
    void tell_news(std::size_t most);
    void tell_rest_soon();
    void pass(Watcher&, News&);
    void tell(Watcher&, const store::Change&, std::map<Form, std::string>& written);

    env::Env env_;
    store::Store& store_;
    std::string site_;
    std::map<std::uint64_t, std::shared_ptr<Watcher>> watchers_; ///< in the order in which they came
    std::uint64_t last_ = 0;
    std::deque<News> news_;               ///< not yet told to all
    std::unique_ptr<env::Timer> telling_; ///< while there are any
    std::unique_ptr<store::Watch> watch_;
};

} // namespace skerry::api
