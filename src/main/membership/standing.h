#pragma once

#include "base/log.h"
#include "env/corrected_clock.h"
#include "http/client.h"
#include "main/membership/membership.h"
#include "store/store.h"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace skerry::main {

/// Keeps what a cell needs of its parent besides its wishes (rules T1 to T3): the time, certificates that have not ended, the
/// parent's newest key, and which of its nodes the parent revoked.
///
///     POST /renewal/v1     once after each start, each week, and when something is due; with the certificate that it has, ended
///     or
///                          not; and when the parent refuses a link
///     GET  /succession/v1  when the parent shows a key that is not pinned: of whoever answers there, since each step proves
///     itself
///
/// Runs while the link is down too: it is what brings the link back after an ended certificate or a change of the parent's key.
class Standing {
public:
    struct Options {
        boost::asio::io_context& context;
        env::Env env;
        env::CorrectedClock& clock;
        store::Store& store;
        Membership& membership;
        std::vector<std::string> parents;
        /// New certificates, or newly pinned keys, are in place.
        std::function<void()> changed;
        std::function<void()> clock_confirmed;
        /// Acts on these, and calls back when that is durable: whether any of them was news.
        std::function<void(const std::vector<trust::NodeRevocation>&, std::function<void(bool news)>)> revoked;
    };
    explicit Standing(Options);
    ~Standing();

    /// Asks as soon as it can, and looks after what becomes due from now on.
    void start();
    /// A session began. Costs nothing where nothing is due.
    void link_began();
    /// A dial failed: where the parent refused this cell, or this cell the parent, something may have to be renewed.
    void link_failed(const Error&);

private:
    void look();
    void ask_within(Duration longest);
    void ask();
    void answered(const trust::RenewalRequest&, Instant asked, const http::Response&);
    Result<void> take(const trust::RenewalRequest&, Instant asked, const trust::RenewalAnswer&);
    /// `refused`: what came of asking with this cell's certificate.
    void ask_succession(const Error& refused);
    /// `first`: how loud, where it is the first failure in a row.
    void failed(const std::string& why, Level first = Level::info);
    bool is_due() const;

    Options options_;
    std::size_t next_ = 0;
    unsigned failures_ = 0;
    unsigned in_a_row_ = 0; ///< asked again at once
    std::string heard_;     ///< which list of revoked nodes was acted on; the parent lets no link begin before it knows that
    std::shared_ptr<int> alive_ = std::make_shared<int>(0);
    std::unique_ptr<http::Client> client_;
    std::unique_ptr<http::Call> call_;
    std::unique_ptr<env::Timer> asking_; ///< set: it will ask
    std::unique_ptr<env::Timer> looking_;
};

} // namespace skerry::main
