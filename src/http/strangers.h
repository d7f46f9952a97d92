#pragma once

#include <cstddef>
#include <list>

namespace skerry::http {

class Connection;

/// The connections of a server whose clients are nobody that is known, or not yet, oldest first: no certificate, and no request that
/// the application knew the sender of (Reception::known). Anybody can open those, so they are
/// bounded apart: a flood of them closes others of its kind, and takes no place from clients that are known.
class Strangers {
public:
    /// One's place among them, for as long as it lives.
    class Place {
    public:
        Place(Strangers& all, Connection& one) : all_(all.list_), at_(all.list_.insert(all.list_.end(), &one)) {}
        ~Place() { all_.erase(at_); }
        Place(const Place&) = delete;
        Place& operator=(const Place&) = delete;

    private:
        std::list<Connection*>& all_;
        std::list<Connection*>::iterator at_;
    };

    std::size_t count() const { return list_.size(); }
    auto begin() const { return list_.begin(); }
    auto end() const { return list_.end(); }

private:
    std::list<Connection*> list_;
};

} // namespace skerry::http
