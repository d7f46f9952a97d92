#include "sync/frame.h"

#include "sync/frames.pb.h"

#include <fmt/format.h>

#include <algorithm>

namespace skerry::sync {

namespace {

constexpr std::size_t longest_name = 253;
constexpr std::size_t longest_text = 1'024;

template<class... F>
struct Overload : F... {
    using F::operator()...;
};
template<class... F>
Overload(F...) -> Overload<F...>;

std::unexpected<Error> bad(std::string what) { return fail(Code::invalid, "bad frame: " + what); }

Result<Lane> read_lane(std::uint32_t number) {
    if (number >= lanes) return bad(fmt::format("lane {} does not exist", number));
    return static_cast<Lane>(number);
}

template<class T>
Result<T> read_id(std::string_view bytes, const char* what) {
    auto id = Id::from_bytes(bytes);
    if (!id || !*id) return bad(fmt::format("{} of {} bytes (an id has 16)", what, bytes.size()));
    return T{*id};
}

Result<Digest> read_digest(std::string_view bytes) {
    if (bytes.empty()) return Digest{};
    return Digest::from_bytes(bytes);
}

/// For people: a peer's words, whatever it put into them.
std::string clean(std::string_view text) {
    std::string out(text.substr(0, longest_text));
    for (char& c : out)
        if (c < ' ' || c > '~') c = '?';
    return out;
}

std::string cut(std::string text) {
    if (text.size() <= longest_text) return text;
    std::size_t end = longest_text;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end; // not within a character
    text.resize(end);
    return text;
}

void write(wire::Place& out, const Cursor& in) {
    out.set_incarnation(in.incarnation.bytes());
    out.set_number(in.number);
}

void write(wire::Frame& out, const Hello& in) {
    auto& hello = *out.mutable_hello();
    hello.set_format(in.format);
    hello.set_lowest_format(in.lowest_format);
    hello.set_version(cut(in.version));
    hello.set_cell(in.cell.bytes());
    hello.set_incarnation(in.incarnation.bytes());
    hello.set_boot_id(cut(in.boot_id));
    hello.set_role(in.role);
    hello.set_name(cut(in.name));
    hello.set_beat_ms(in.beat_ms);
    for (const Held& held : in.held) {
        auto& h = *hello.add_held();
        h.set_lane(static_cast<std::uint32_t>(held.lane));
        h.set_count(held.count);
        if (held.digest != Digest{}) h.set_digest(held.digest.bytes());
        if (held.cursor) {
            h.set_incarnation(held.cursor->incarnation.bytes());
            h.set_number(held.cursor->number);
        }
        if (held.open) write(*h.mutable_open(), *held.open);
    }
}

void write(wire::Frame& out, const Beat& in) {
    auto& beat = *out.mutable_beat();
    if (!in.same) {
        beat.set_down_desired(in.down[0]);
        beat.set_down_status(in.down[1]);
        beat.set_up_desired(in.up[0]);
        beat.set_up_status(in.up[1]);
    }
    beat.set_same(in.same);
    beat.set_busy(in.busy);
    if (in.path) {
        beat.set_round_trip_us(in.path->round_trip_us);
        beat.set_loss(in.path->loss);
    }
    if (!in.lease) return;
    beat.mutable_lease()->set_number(in.lease->number);
    beat.mutable_lease()->set_held(in.lease->held);
    for (const IncarnationId& earlier : in.lease->earlier) beat.mutable_lease()->add_earlier(earlier.bytes());
}

void write_key(wire::Item& item, const ItemKey& key) {
    item.set_kind(key.kind);
    item.set_project(key.project);
    item.set_name(key.name);
    item.set_uid(key.uid.bytes());
    item.set_home(key.home.bytes());
    item.set_part(key.part);
}

void write_content(wire::Item& item, const Item& in) {
    item.set_generation(in.generation);
    item.set_content(*in.bytes);
    item.set_seal(in.seal);
}

void write(wire::Frame& out, const Recall& in) {
    out.mutable_recall()->set_lane(static_cast<std::uint32_t>(in.lane));
    for (const Digest& hash : in.hashes) *out.mutable_recall()->mutable_hashes() += hash.bytes();
}

void write(wire::Frame& out, const Returned& in) {
    auto& returned = *out.mutable_returned();
    returned.set_lane(static_cast<std::uint32_t>(in.lane));
    returned.set_last(in.last);
    for (const Item& each : in.items) {
        auto& item = *returned.add_items();
        write_key(item, each.key);
        write_content(item, each);
    }
}

void write(wire::Frame& out, const Batch& in) {
    auto& batch = *out.mutable_batch();
    batch.set_lane(static_cast<std::uint32_t>(in.lane));
    for (const BatchItem& each : in.items) {
        auto& item = *batch.add_items();
        if (each.hash)
            item.set_hash(*each.hash);
        else
            write_key(item, each.item.key);
        write_content(item, each.item);
    }
    std::string removed;
    for (const Digest& hash : in.removed) removed += hash.bytes();
    batch.set_removed(std::move(removed));
    if (in.close) batch.set_close(*in.close);
    if (in.as_of) batch.set_as_of(*in.as_of);
    batch.set_digest(in.digest);
}

void write(wire::Frame& out, const Ranges& in) {
    auto& ranges = *out.mutable_ranges();
    ranges.set_lane(static_cast<std::uint32_t>(in.lane));
    ranges.set_answer(in.answer);
    ranges.set_word(in.word);
    ranges.set_last(in.last);
    for (const RangeSums& each : in.ranges) {
        auto& range = *ranges.add_ranges();
        range.set_bits(each.range.bits);
        range.set_prefix(each.range.prefix);
        range.set_split(each.split);
        std::string& sums = *range.mutable_sums();
        sums.reserve(each.sums.size() * 4);
        for (std::uint32_t sum : each.sums)
            for (unsigned shift = 0; shift < 32; shift += 8) sums.push_back(static_cast<char>(sum >> shift));
        std::string& entries = *range.mutable_entries();
        entries.reserve(each.entries.size() * 32);
        for (const Listed& entry : each.entries) entries += entry.hash.bytes() + entry.digest.bytes();
    }
}

void write(wire::Frame& out, const Courier& in) {
    auto& courier = *out.mutable_courier();
    courier.set_from(in.from.bytes());
    courier.set_to(in.to.bytes());
    for (const Cursor& head : in.history) write(*courier.add_history(), head);
    if (in.base) write(*courier.mutable_base(), *in.base);
    courier.set_desired(in.until[0]);
    courier.set_status(in.until[1]);
    courier.set_keep_unknown(in.keep_unknown);
    if (in.held) write(*courier.mutable_held(), *in.held);
    if (in.recovers) write(*courier.mutable_recovers(), *in.recovers);
}

void write(wire::Frame& out, const Listing& in) {
    auto& listing = *out.mutable_listing();
    listing.set_lane(static_cast<std::uint32_t>(in.lane));
    std::string& entries = *listing.mutable_entries();
    entries.reserve(in.entries.size() * 32);
    for (const Listed& entry : in.entries) entries += entry.hash.bytes() + entry.digest.bytes();
}

Result<Cursor> read(const wire::Place& in) {
    return Cursor{TRY(read_id<IncarnationId>(in.incarnation(), "place.incarnation")), in.number()};
}

Result<Hello> read(const wire::Hello& in) {
    Hello hello{.format = in.format(),
                .lowest_format = in.lowest_format() ? in.lowest_format() : in.format(),
                .version = clean(in.version()),
                .boot_id = clean(in.boot_id()),
                .role = in.role(),
                .name = clean(in.name()),
                .beat_ms = in.beat_ms()};
    if (!common_format(hello)) return hello; // the rest may mean anything
    hello.cell = TRY(read_id<CellId>(in.cell(), "hello.cell"));
    hello.incarnation = TRY(read_id<IncarnationId>(in.incarnation(), "hello.incarnation"));
    if (in.held_size() > static_cast<int>(lanes)) return bad(fmt::format("hello.held has {} entries", in.held_size()));
    for (const auto& h : in.held()) {
        Held held{.lane = TRY(read_lane(h.lane())), .count = h.count(), .digest = TRY(read_digest(h.digest()))};
        if (!h.incarnation().empty())
            held.cursor = Cursor{TRY(read_id<IncarnationId>(h.incarnation(), "hello.held.incarnation")), h.number()};
        if (h.has_open()) held.open = TRY(read(h.open()));
        hello.held.push_back(std::move(held));
    }
    return hello;
}

Result<Beat> read(const wire::Beat& in) {
    Beat beat{.down = {in.down_desired(), in.down_status()},
              .up = {in.up_desired(), in.up_status()},
              .busy = in.busy(),
              .same = in.same()};
    if (in.round_trip_us() > 0) beat.path = Path{.round_trip_us = in.round_trip_us(), .loss = std::min(in.loss(), 100U)};
    if (!in.has_lease()) return beat;
    if (in.lease().earlier_size() > static_cast<int>(most_earlier))
        return bad(fmt::format("beat.lease.earlier has {} entries (at most {})", in.lease().earlier_size(), most_earlier));
    beat.lease.emplace().number = in.lease().number();
    beat.lease->held = in.lease().held();
    for (const auto& earlier : in.lease().earlier())
        beat.lease->earlier.push_back(TRY(read_id<IncarnationId>(earlier, "beat.lease.earlier")));
    return beat;
}

Result<BatchItem> read(wire::Item& in) {
    BatchItem item;
    if (in.content().size() > max_item_bytes) return bad(fmt::format("an item of {} bytes", in.content().size()));
    if (in.has_hash()) {
        item.hash = in.hash();
    } else {
        if (in.kind() == 0 || in.kind() > 255 || in.part() > 2)
            return bad(fmt::format("an item of kind {}, part {}", in.kind(), in.part()));
        if (in.name().empty() || in.name().size() > longest_name || in.project().size() > longest_name)
            return bad("an item without a name, or with a longer one than names can be");
        item.item.key = {.kind = in.kind(),
                         .project = std::move(*in.mutable_project()),
                         .name = std::move(*in.mutable_name()),
                         .uid = TRY(read_id<Uid>(in.uid(), "item.uid")),
                         .home = TRY(read_id<CellId>(in.home(), "item.home")),
                         .part = static_cast<std::uint8_t>(in.part())};
    }
    if (in.seal().size() > max_seal_bytes)
        return bad(fmt::format("an item with a seal of {} bytes (at most {})", in.seal().size(), max_seal_bytes));
    item.item.generation = in.generation();
    item.item.bytes = std::make_shared<const std::string>(std::move(*in.mutable_content()));
    item.item.seal = std::move(*in.mutable_seal());
    return item;
}

Result<Recall> read(const wire::Recall& in) {
    Recall recall{.lane = TRY(read_lane(in.lane()))};
    std::string_view hashes = in.hashes();
    if (hashes.empty() || hashes.size() % 16 != 0 || hashes.size() / 16 > max_recalled)
        return bad(fmt::format("recall.hashes of {} bytes (16 each, at most {})", hashes.size(), max_recalled));
    for (; !hashes.empty(); hashes.remove_prefix(16)) recall.hashes.push_back(TRY(Digest::from_bytes(hashes.substr(0, 16))));
    return recall;
}

Result<Returned> read(wire::Returned& in) {
    Returned returned{.lane = TRY(read_lane(in.lane())), .last = in.last()};
    if (static_cast<std::size_t>(in.items_size()) > max_recalled)
        return bad(fmt::format("returned.items has {} entries (at most {})", in.items_size(), max_recalled));
    for (auto& each : *in.mutable_items()) {
        BatchItem item = TRY(read(each));
        if (item.hash) return bad("an item is returned without its key");
        returned.items.push_back(std::move(item.item));
    }
    return returned;
}

Result<Batch> read(wire::Batch& in) {
    Batch batch{.lane = TRY(read_lane(in.lane())), .digest = in.digest()};
    const std::string& removed = in.removed();
    if (removed.size() % 16 != 0) return bad(fmt::format("batch.removed of {} bytes", removed.size()));
    if (static_cast<std::size_t>(in.items_size()) + removed.size() / 16 > max_frame_items)
        return bad(fmt::format("a batch frame of {} items and {} removals (at most {})", in.items_size(), removed.size() / 16,
                               max_frame_items));
    for (auto& item : *in.mutable_items()) batch.items.push_back(TRY(read(item)));
    for (std::size_t at = 0; at < removed.size(); at += 16)
        batch.removed.push_back(TRY(Digest::from_bytes(std::string_view(removed).substr(at, 16))));
    if (in.has_close()) batch.close = in.close();
    if (in.has_as_of()) batch.as_of = in.as_of();
    return batch;
}

Result<RangeSums> read(const wire::Range& in) {
    if (in.bits() > Range::max_bits || (in.bits() < Range::max_bits && in.prefix() >> in.bits() != 0))
        return bad(fmt::format("a range of {} bits that begins with {}", in.bits(), in.prefix()));
    RangeSums range{.range = {.bits = static_cast<std::uint8_t>(in.bits()), .prefix = in.prefix()}};
    std::string_view sums = in.sums(), entries = in.entries();
    if (in.split() > Range::max_split || in.bits() + in.split() > Range::max_bits ||
        sums.size() != (in.split() ? std::size_t{4} << in.split() : 0) || (in.split() && !entries.empty()))
        return bad(fmt::format("a range of {} bits, split by {}, with {} bytes of sums", in.bits(), in.split(), sums.size()));
    range.split = static_cast<std::uint8_t>(in.split());
    range.sums.resize(sums.size() / 4);
    for (std::size_t at = 0; at < sums.size(); ++at)
        range.sums[at / 4] |= std::uint32_t{static_cast<unsigned char>(sums[at])} << (at % 4 * 8);
    if (entries.size() % 32 != 0) return bad(fmt::format("a range with {} bytes of entries", entries.size()));
    for (; !entries.empty(); entries.remove_prefix(32)) {
        range.entries.push_back(
            {TRY(Digest::from_bytes(entries.substr(0, 16))), TRY(Digest::from_bytes(entries.substr(16, 16)))});
        if (!range.range.contains(range.entries.back().hash.low)) return bad("a range with an entry from outside");
    }
    return range;
}

Result<Courier> read(const wire::Courier& in) {
    if (in.history_size() == 0 || in.history_size() > static_cast<int>(most_openings))
        return bad(fmt::format("courier.history has {} entries (1 to {})", in.history_size(), most_openings));
    Courier courier{.from = TRY(read_id<CellId>(in.from(), "courier.from")),
                    .to = TRY(read_id<CellId>(in.to(), "courier.to")),
                    .history = {},
                    .base = {},
                    .until = {in.desired(), in.status()},
                    .keep_unknown = in.keep_unknown(),
                    .held = {},
                    .recovers = {}};
    for (const auto& head : in.history()) courier.history.push_back(TRY(read(head)));
    if (in.has_base()) courier.base = TRY(read(in.base()));
    if (in.has_held()) courier.held = TRY(read(in.held()));
    if (in.has_recovers()) courier.recovers = TRY(read(in.recovers()));
    return courier;
}

Result<Listing> read(const wire::Listing& in) {
    Listing listing{.lane = TRY(read_lane(in.lane())), .entries = {}};
    std::string_view entries = in.entries();
    if (entries.size() % 32 != 0 || entries.size() / 32 > max_listed)
        return bad(fmt::format("listing.entries of {} bytes", entries.size()));
    for (std::size_t at = 0; at < entries.size(); at += 32)
        listing.entries.push_back(
            {TRY(Digest::from_bytes(entries.substr(at, 16))), TRY(Digest::from_bytes(entries.substr(at + 16, 16)))});
    return listing;
}

Result<Settings> read(const wire::Settings& in) {
    if (in.names_taken_size() > static_cast<int>(most_names_taken))
        return bad(fmt::format("settings.names_taken has {} entries (at most {})", in.names_taken_size(), most_names_taken));
    Settings settings{in.beat_ms()};
    for (const auto& name : in.names_taken()) settings.names_taken.push_back(clean(name));
    return settings;
}

Result<Ranges> read(const wire::Ranges& in) {
    Ranges ranges{.lane = TRY(read_lane(in.lane())),
                  .answer = in.answer(),
                  .word = static_cast<std::uint8_t>(in.word() % words),
                  .last = in.last()};
    if (in.ranges_size() > static_cast<int>(max_ranges))
        return bad(fmt::format("{} ranges (at most {})", in.ranges_size(), max_ranges));
    std::uint64_t end = 0;
    for (const auto& each : in.ranges()) {
        RangeSums range = TRY(read(each));
        if (range.range.begin() < end) return bad("ranges out of order, or one within another");
        if (!ranges.answer && !range.entries.empty()) return bad("an ask with entries");
        end = range.range.end();
        ranges.ranges.push_back(std::move(range));
    }
    return ranges;
}

} // namespace

std::optional<std::uint32_t> common_format(const Hello& hello) {
    std::uint32_t highest = std::min(hello.format, frame_format);
    if (highest < std::max(hello.lowest_format, lowest_frame_format)) return {};
    return highest;
}

Flow flow_of(const Frame& frame) {
    return std::visit(Overload{
                          [](const Beat&) { return Flow::lease; },
                          [](const Grant&) { return Flow::lease; },
                          [](const Batch& f) { return flow_of(f.lane); },
                          [](const Ranges& f) { return flow_of(f.lane); },
                          [](const Verify& f) { return flow_of(f.lane); },
                          [](const Recall& f) { return flow_of(f.lane); },
                          [](const Returned& f) { return flow_of(f.lane); },
                          [](const Fragment& f) { return flow_of(f.lane); },
                          [](const Ack&) { return Flow::desired; },
                          [](const auto&) { return Flow::security; },
                      },
                      frame);
}

std::string encode(const Frame& frame) {
    wire::Frame out;
    std::visit(Overload{
                   [&](const Hello& f) { write(out, f); },
                   [&](const Beat& f) { write(out, f); },
                   [&](const Batch& f) { write(out, f); },
                   [&](const Ranges& f) { write(out, f); },
                   [&](const Courier& f) { write(out, f); },
                   [&](const Listing& f) { write(out, f); },
                   [&](const Recall& f) { write(out, f); },
                   [&](const Returned& f) { write(out, f); },
                   [&](const Ack& f) {
                       auto& ack = *out.mutable_ack();
                       ack.set_desired(f.frames[0]);
                       ack.set_status(f.frames[1]);
                       ack.set_desired_differs(f.differs[0]);
                       ack.set_status_differs(f.differs[1]);
                   },
                   [&](const Verify& f) { out.mutable_verify()->set_lane(static_cast<std::uint32_t>(f.lane)); },
                   [&](const Settings& f) {
                       out.mutable_settings()->set_beat_ms(f.beat_ms);
                       for (const std::string& name : f.names_taken) out.mutable_settings()->add_names_taken(cut(name));
                   },
                   [](const Unknown&) {},
                   [&](const Bye& f) {
                       out.mutable_bye()->set_reason(cut(f.reason));
                       out.mutable_bye()->set_come_back_ms(f.come_back_ms);
                   },
                   [&](const Fragment& f) {
                       auto& fragment = *out.mutable_fragment();
                       fragment.set_lane(static_cast<std::uint32_t>(f.lane));
                       fragment.set_content(f.content);
                       fragment.set_last(f.last);
                   },
                   [&](const Grant& f) {
                       auto& grant = *out.mutable_grant();
                       grant.set_number(f.number);
                       grant.set_length_ms(f.length_ms);
                       grant.set_holder(f.holder);
                       grant.set_reason(cut(f.reason));
                   },
               },
               frame);
    return out.SerializeAsString();
}

Result<Frame> decode(std::string_view bytes, std::size_t longest) {
    if (bytes.size() > longest) return bad(fmt::format("{} bytes long (at most {})", bytes.size(), longest));
    wire::Frame in;
    if (!in.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return bad("not a frame");
    switch (in.body_case()) {
    case wire::Frame::kHello:
        return TRY(read(in.hello()));
    case wire::Frame::kBeat:
        return TRY(read(in.beat()));
    case wire::Frame::kGrant: {
        const auto& g = in.grant();
        return Grant{.number = g.number(), .length_ms = g.length_ms(), .holder = g.holder(), .reason = clean(g.reason())};
    }
    case wire::Frame::kBatch:
        return TRY(read(*in.mutable_batch()));
    case wire::Frame::kAck: {
        const auto& a = in.ack();
        return Ack{.frames = {a.desired(), a.status()}, .differs = {a.desired_differs(), a.status_differs()}};
    }
    case wire::Frame::kRanges:
        return TRY(read(in.ranges()));
    case wire::Frame::kCourier:
        return TRY(read(in.courier()));
    case wire::Frame::kListing:
        return TRY(read(in.listing()));
    case wire::Frame::kRecall:
        return TRY(read(in.recall()));
    case wire::Frame::kReturned:
        return TRY(read(*in.mutable_returned()));
    case wire::Frame::kVerify:
        return Verify{TRY(read_lane(in.verify().lane()))};
    case wire::Frame::kSettings:
        return TRY(read(in.settings()));
    case wire::Frame::kBye:
        return Bye{clean(in.bye().reason()), in.bye().come_back_ms()};
    case wire::Frame::kFragment:
        return Fragment{.lane = TRY(read_lane(in.fragment().lane())),
                        .content = std::move(*in.mutable_fragment()->mutable_content()),
                        .last = in.fragment().last()};
    case wire::Frame::BODY_NOT_SET:
        break;
    }
    if (!bytes.empty()) return Unknown{};
    return bad("an empty one");
}

} // namespace skerry::sync
