#pragma once

#include "base/result.h"
#include "depot/digest.h"
#include "depot/range.h"
#include "depot/spans.h"

#include <cstdint>
#include <deque>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

namespace skerry::depot {

/// A blob that somebody needs here.
struct Want {
    Digest digest;
    std::optional<std::uint64_t> size; ///< where the wish itself tells (OCI descriptors do)
    std::uint64_t have = 0;            ///< Depot::have
    int priority = 0;                  ///< lower goes first; equals in the order of their coming
};

/// Decides which bytes to ask a source for, and when; does no I/O and reads no clock.
///
/// The caller moves the bytes:
///
///     on any event:     while (auto request = fetch.next()) open a stream, send request->text()
///     answer `ok size`  fetch.offered(digest, size); Depot::open_partial
///     bytes             Depot::write, then fetch.arrived(request, offset, n); false: the stream is of no use any more
///     stream broke off  fetch.broke_off(request)
///     answer `no why`   fetch.refused(digest, why)
///     link went down    fetch.link_lost(), later fetch.link_back()
///     always            for (digest : fetch.take_complete()) Depot::finish → fetch.verified(digest)
///                                                                         or fetch.spoiled(digest, why)
///
/// At most `window` bytes are asked for and not yet here, in ranges of at most `range`; a range larger than the window's rest
/// waits. One digest is fetched once, whoever wants it. Every byte is asked for once, plus what was in flight at a cut, plus a
/// blob that came spoiled.
class Fetch {
public:
    struct Limits {
        std::uint64_t range = 1 << 20;
        std::uint64_t window = 4 << 20;
        int spoils = 3; ///< wrong contents of one blob until it counts as refused
    };
    Fetch() : Fetch(Limits{}) {}
    explicit Fetch(Limits limits) : limits_(limits) {}

    /// `owner` is whoever will unwant it (an image's name). Repeated wants of an owner for a digest count once.
    void want(const std::string& owner, Want);
    /// Returns the digests nobody wants any more: streams for them may be reset, transfers suspended.
    std::vector<Digest> unwant(const std::string& owner);

    /// The next range to ask for; none while the link is down, the window is full, or nothing is left to ask.
    std::optional<RangeRequest> next();

    /// The source has the blob, with that size. Returns false (and refuses the blob) where it contradicts what was known.
    bool offered(const Digest&, std::uint64_t size);
    /// Whether this request still stands: not one from before a cut, nor one whose blob was refused, spoiled or unwanted since.
    bool awaits(const RangeRequest&) const;
    /// `count` bytes at `offset` are here, of a range that was asked for. False for bytes that it does not owe, or no longer: they
    /// are not counted.
    bool arrived(const RangeRequest&, std::uint64_t offset, std::uint64_t count);
    /// The stream of the range ended early: what it still owed is asked for again. Nothing happens if the request no longer
    /// stands.
    void broke_off(const RangeRequest&);
    /// The source cannot give it. It is asked for again after `retry` or the next `link_back`.
    void refused(const Digest&, std::string why);
    void retry(const Digest&);

    void link_lost();
    void link_back();

    /// Blobs of which every byte arrived since the last call.
    std::vector<Digest> take_complete();
    /// The blob is whole in the depot: the want is fulfilled, until it is unwanted.
    void verified(const Digest&);
    /// The bytes were not those of the digest, or are lost: all over again.
    void spoiled(const Digest&, std::string why);

    struct Progress {
        std::uint64_t bytes_done = 0;
        std::uint64_t bytes_total = 0; ///< of blobs whose size is known
        std::uint64_t blobs_done = 0;
        std::uint64_t blobs_total = 0;
        std::uint64_t blobs_of_unknown_size = 0;
        std::vector<std::string> refusals; ///< `sha256:…: why`, at most 8
        bool is_done() const { return blobs_done == blobs_total; }
    };
    /// Of what an owner wants; of everything where `owner` is empty.
    Progress progress(const std::string& owner = {}) const;
    /// Asked for and not yet here.
    std::uint64_t in_flight() const { return in_flight_; }

private:
    enum class State : std::uint8_t { open, complete, done, refused };
    struct Flight {
        std::uint64_t length = 0;
        std::uint64_t got = 0;
        std::uint64_t number = 0; ///< of its request
    };
    struct Blob {
        std::set<std::string> owners;
        std::optional<std::uint64_t> size;
        bool size_is_certain = false; ///< told by a wish, not only by a source
        int priority = 0;
        std::uint64_t order = 0;
        Spans missing;                           ///< neither here nor asked for
        std::map<std::uint64_t, Flight> flights; ///< by offset of the request
        std::uint64_t here = 0;
        State state = State::open;
        int spoils = 0;
        std::string why;
    };
    static constexpr std::uint64_t endless = std::numeric_limits<std::uint64_t>::max();

    Blob* find(const Digest&);
    void ground(Blob&);
    void restart(Blob&, std::uint64_t have);
    void settle(const Digest&, Blob&);
    void enqueue(const Digest&, const Blob&);
    void dequeue(const Digest&, const Blob&);

    using Turn = std::tuple<int, std::uint64_t, Digest>;
    Limits limits_;
    bool linked_ = true;
    std::uint64_t in_flight_ = 0;
    std::uint64_t wants_ = 0;
    std::uint64_t requests_ = 0;
    std::map<Digest, Blob> blobs_;
    std::set<Turn> queue_; ///< open blobs with something missing
    std::vector<Digest> complete_;
};

} // namespace skerry::depot
