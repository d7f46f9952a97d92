#pragma once

#include "env/env.h"
#include "store/store.h"

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace skerry::site {

/// Links between sites that an operator made neighbours (Site.spec.peers). For now they carry nothing but beats, so that a site
/// can say of another that it lives while the parent hears nothing of it.
///
///     store-1, whose spec.peers names store-2                    store-2
///        dials store-2 ─────────── mutual TLS, as sites ────────► accept
///        "1000" (its beat, ms) ─────────────────────────────────► hears store-1
///        hears store-2 ◄───────────────────────────────── "1000"
///
/// One side dials, for ever, with back-off. A neighbour is heard for three of its beats and two seconds after its last one.
class Neighbours {
public:
    /// `dialer` opens wires to sites of this fleet. `turned` is called when somebody begins or ceases to be heard. The store must
    /// outlive this.
    Neighbours(env::Env, store::Store&, std::string own_site, env::Dialer& dialer, std::function<void()> turned);
    ~Neighbours();

    void start();
    /// A wire of another site, authenticated. More than `most_contacts` are let go.
    void accept(std::unique_ptr<env::Wire>);
    /// Who is heard now, in order.
    std::vector<std::string> heard() const;

    static constexpr std::size_t most_contacts = 64;

private:
    class End;
    /// One other site: the wire we dialled, the wire it dialled.
    struct Contact {
        std::vector<std::string> addresses; ///< empty: it is for the other side to dial
        std::size_t next = 0;
        unsigned failures = 0;
        Instant retry{};
        std::unique_ptr<env::Timer> dialling;
        std::unique_ptr<End> dialled, accepted;
        Instant until{}; ///< heard until then
        bool heard = false;
    };

    void read_wishes();
    void tick();
    void dial(const std::string& name, Contact&);
    void arrived(const std::string& name, std::string_view message, End&);
    void closed(const std::string& name, End&);
    void drop(std::unique_ptr<End>&);
    void judge();
    Duration beat() const;

    env::Env env_;
    store::Store& store_;
    std::string own_;
    env::Dialer& dialer_;
    std::function<void()> turned_;
    std::map<std::string, Contact> contacts_;
    std::unique_ptr<store::Watch> watch_;
    std::unique_ptr<env::Timer> timer_;
};

} // namespace skerry::site
