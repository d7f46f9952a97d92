#include "api/status.h"
#include "base/bytes.h"
#include "base/digest.h"
#include "base/log.h"
#include "base/units.h"
#include "cell/links/seats.h"
#include "fleet/fleet.h"
#include "main/desks/courier_desk.h"
#include "main/images/blob_fetch.h"
#include "main/images/image_parts.h"
#include "model/allocation.pb.h"
#include "model/instance.pb.h"
#include "model/places/overriding.h"
#include "model/revision.pb.h"
#include "trust/certificate.h"
#include "trust/keys/key.h"
#include "trust/tokens/rights.h"

#include <utility>

namespace skerry::main {

namespace {

using model::Kind;

constexpr std::string_view courier_path = "/courier/v1/";
/// While loops work on what was wished just before: between two looks, looks without a change, looks at most.
constexpr Duration settling = 100ms;
constexpr int calm_looks = 3, most_looks = 50;
constexpr std::size_t portion = 1 << 20;

/// An image that a Revision names.
struct NamedImage {
    std::string digest, name;
    bool operator<(const NamedImage& other) const { return digest < other.digest; }
};

void add_images(const model::Revision& revision, std::set<NamedImage>& images) {
    for (const auto& closed : revision.spec().components())
        if (!closed.image_digest().empty()) images.insert({closed.image_digest(), closed.component().image()});
}

Json texts(const std::vector<std::string>& list) {
    Json json = Json::array();
    for (const std::string& text : list) json.push(text);
    return json;
}

} // namespace

/// One file on its way out.
struct CourierDesk::Packing {
    Neighbour neighbour = Neighbour::child;
    env::Peer peer;
    trust::Identity to;
    std::string receiver_key, receiver_pem; ///< fingerprint; public key or certificate
    trust::Succession succession;
    std::uint64_t max_size = 0;
    cell::Couriers::Extent extent = cell::Couriers::Extent::difference;
    std::shared_ptr<http::Responder> responder;

    sync::CarriedSlices carried;
    std::string slices;
    std::set<NamedImage> wanted, there; ///< images that the file should bring; whose bytes the receiver has
    link::CourierContents contents;
    std::vector<depot::Digest> blobs, pinned;
    std::size_t images = 0;
    std::optional<link::CourierWriter> writer;
    Json told;
    std::shared_ptr<http::BodyStream> stream;
    std::size_t slices_at = 0, blob = 0;
    std::uint64_t at = 0;
    bool reading = false;
};

CourierDesk::CourierDesk(Options options) : options_(std::move(options)) {}
CourierDesk::~CourierDesk() = default;

bool CourierDesk::answer(const http::Request& request, const std::shared_ptr<http::Responder>& responder) {
    if (!request.path.starts_with(courier_path)) return false;
    auto refuse = [&](const Error& error) {
        responder->respond(api::refusal(error));
        return true;
    };
    bool packs = request.path == "/courier/v1/pack";
    if (!packs && request.path != "/courier/v1/apply")
        return refuse({Code::not_found, "there is nothing under " + request.path.substr(0, 200)});
    if (request.method != "POST") return refuse({Code::unsupported, request.method + " is not offered here; only POST"});
    auto who = options_.identify(request);
    if (!who) return refuse(who.error());
    // A file has a site's Secrets in it, and wishes for it.
    auto may = trust::may(*who, trust::Verb::create, {.kind = "Secret", .project = {}, .name = {}, .site = {}, .node = {}});
    if (!may) return refuse(may.error());
    if (!packs) {
        if (!request.upload) return refuse({Code::invalid, "the body is the file"});
        begin_taking(request, responder);
        return true;
    }
    auto packing = begin_packing(request);
    if (!packing) return refuse(packing.error());
    (*packing)->responder = responder;
    if ((*packing)->neighbour == Neighbour::parent) {
        carry(std::move(*packing));
        return true;
    }
    fleet::go_by_courier(options_.cell, (*packing)->to.name);
    settle(std::move(*packing), 0, 0, 0);
    return true;
}

Result<std::shared_ptr<CourierDesk::Packing>> CourierDesk::begin_packing(const http::Request& request) const {
    Json body = TRY(parse_json(request.body, {.bytes = 4096, .depth = 2, .values = 16}));
    auto packing = std::make_shared<Packing>();
    auto max_size = parse_bytes(body.text("maxSize"));
    if (!max_size) return fail(Code::invalid, "maxSize: " + max_size.error().message);
    packing->max_size = static_cast<std::uint64_t>(max_size->count);
    if (body.text("everything") == "true") packing->extent = cell::Couriers::Extent::everything;
    std::string site(body.text("site"));
    if ((body.text("parent") == "true") != site.empty()) return fail(Code::invalid, "site, parent: wanted one of the two");
    if (site.empty()) {
        const auto& authorities = options_.membership.parent_authorities();
        if (authorities.empty()) return fail(Code::unsupported, "parent: this cell has none; give --site NAME");
        auto authority = TRY(trust::read_certificate(authorities.front()));
        packing->neighbour = Neighbour::parent;
        packing->to = authority.identity;
        packing->receiver_key = authority.key_fingerprint;
        packing->receiver_pem = authorities.front();
    } else {
        packing->to = {.role = trust::Role::site, .name = site, .site = site};
        auto member = options_.members.member(packing->to);
        if (!member)
            return fail(Code::not_found, "site: no site \"" + site.substr(0, 253) +
                                             "\" has joined here; a courier is for sites that did (skerry get sites)");
        if (options_.members.is_revoked(member->key))
            return fail(Code::forbidden, "site: the keys of site " + site + " were revoked; let it join again with a new token");
        if (member->public_key.empty())
            return fail(Code::unavailable,
                        "site: the key of site " + site + " is not on record here yet; it is once the site was in touch");
        packing->to.cell = member->cell;
        TRY_VOID(cell::may_speak(options_.store, TRY(trust::peer_of(packing->to))) | during("site"));
        packing->receiver_key = member->key;
        packing->receiver_pem = member->public_key;
        packing->succession = trust::since(member->follows, options_.membership.succession());
    }
    packing->peer = TRY(trust::peer_of(packing->to));
    return packing;
}

/// Until what people wished a moment ago has become wishes for the site.
void CourierDesk::settle(std::shared_ptr<Packing> packing, std::uint64_t head, int calm, int looks) {
    std::uint64_t now = options_.store.heads().back().number;
    calm = now == head ? calm + 1 : 0;
    if (calm >= calm_looks || looks >= most_looks) return carry(std::move(packing));
    auto& timers = options_.cell.env().timers;
    auto timer = std::make_shared<std::unique_ptr<env::Timer>>();
    *timer = timers.after(settling, [this, packing = std::move(packing), now, calm, looks, timer] {
        auto kept = std::move(*timer); // until this call is over
        settle(packing, now, calm, looks + 1);
    });
}

void CourierDesk::carry(std::shared_ptr<Packing> packing) {
    auto refuse = [&](const Error& error) { packing->responder->respond(api::refusal(error)); };
    auto carried = options_.cell.couriers().pack(packing->neighbour, packing->peer, packing->extent);
    if (!carried) return refuse(carried.error());
    packing->carried = std::move(*carried);
    auto slices = sync::write_carried(packing->carried);
    if (!slices) return refuse(slices.error());
    packing->slices = std::move(*slices);

    if (packing->neighbour == Neighbour::child) {
        for (const auto& batch : packing->carried.slices[0].batches)
            for (const auto& each : batch.items) {
                model::Revision revision;
                if (each.item.key.kind == static_cast<std::uint32_t>(Kind::revision) &&
                    revision.ParseFromString(*each.item.bytes))
                    add_images(revision, packing->wanted);
            }
        // A Revision may have crossed a link that images waited for (rule L6): there is what ran, or what the site was asked about.
        std::set<NamedImage> all, ran;
        auto add = [&](const std::string& project, std::string_view name, std::set<NamedImage>& images) {
            if (const auto* revision = options_.store.get<model::Revision>({Kind::revision, project, std::string(name)}))
                add_images(*revision, images);
        };
        for (const auto& object : options_.store.list(Kind::allocation)) {
            const auto& spec = store::as<model::Allocation>(*object).spec();
            if (spec.site() == packing->to.name) add(object->key.project, spec.revision(), all);
        }
        for (const auto& object : options_.store.list(Kind::instance)) {
            const auto& instance = store::as<model::Instance>(*object);
            if (instance.spec().site() != packing->to.name) continue;
            add(object->key.project, model::original_of(instance.spec().revision()), all);
            if (instance.status().phase() == "Running")
                add(object->key.project, model::original_of(instance.status().revision()), ran);
        }
        // What it said to lack, as far as it needs it still.
        auto note = options_.store.note("courier.wants", packing->to.cell.text());
        auto lacks = note ? parse_json(*note) : fail(Code::not_found, {});
        if (lacks && lacks->array_items())
            for (const Json& digest : *lacks->array_items())
                for (const NamedImage& image : all)
                    if (digest.string() && *digest.string() == image.digest) packing->wanted.insert(image);
        for (const NamedImage& image : all)
            if (!packing->wanted.contains(image)) (lacks || ran.contains(image) ? packing->there : packing->wanted).insert(image);
    } else {
        for (const auto& object : options_.store.list(Kind::revision))
            add_images(store::as<model::Revision>(*object), packing->there);
    }
    options_.cell.env().workers.run(
        BlobFetch::lane,
        [this, packing] {
            if (packing->neighbour == Neighbour::child)
                choose_blobs(*packing);
            else
                find_wants(*packing);
            // Before a sweep that is next on the lane.
            for (const auto& blob : packing->blobs) options_.depot.pin(blob);
            packing->pinned = packing->blobs;
        },
        [this, packing] { send(packing); });
}

/// On the lane. Image by image, so that what is there is of use; what the receiver has already does not travel.
void CourierDesk::choose_blobs(Packing& packing) const {
    std::set<depot::Digest> chosen;
    for (const NamedImage& image : packing.there)
        if (auto digest = depot::Digest::parse(image.digest)) add_parts(options_.depot, *digest, chosen);
    std::uint64_t total = 0;
    for (const NamedImage& image : packing.wanted) {
        auto digest = depot::Digest::parse(image.digest);
        if (!digest) continue;
        std::set<depot::Digest> parts;
        add_parts(options_.depot, *digest, parts);
        std::vector<std::pair<depot::Digest, std::uint64_t>> more;
        std::uint64_t bytes = 0;
        bool whole = true, any = false;
        for (const auto& part : parts) {
            auto size = options_.depot.size(part);
            whole = whole && (size || part != *digest);
            if (!size) continue; // of a platform that was not pushed
            any = true;
            if (*size == 0 || chosen.contains(part)) continue;
            more.emplace_back(part, *size);
            bytes += *size;
        }
        bool fits = total + bytes <= packing.max_size && packing.contents.blobs.size() + more.size() <= link::most_courier_blobs;
        if (!whole || !any || !fits) {
            if (packing.contents.left_out.size() < link::most_courier_images)
                packing.contents.left_out.push_back(
                    image.name +
                    (!whole || !any ? " (no copy of it here)" : " (" + rounded(Bytes{static_cast<std::int64_t>(bytes)}) + ")"));
            continue;
        }
        total += bytes;
        packing.images += 1;
        for (const auto& [part, size] : more) {
            chosen.insert(part);
            packing.blobs.push_back(part);
            packing.contents.blobs.push_back({part.text(), size});
        }
    }
}

/// On the lane: images that work here needs and that are not whole.
void CourierDesk::find_wants(Packing& packing) const {
    for (const NamedImage& image : packing.there) {
        auto digest = depot::Digest::parse(image.digest);
        auto missing = digest ? missing_parts(options_.depot, *digest, options_.host) : std::unexpected(digest.error());
        if ((!missing || !missing->empty()) && packing.contents.wants.size() < link::most_courier_images)
            packing.contents.wants.push_back(image.digest);
    }
}

Json CourierDesk::summary(const Packing& packing) const {
    const sync::Courier& courier = packing.carried.courier;
    auto items = [&](std::size_t lane) {
        std::size_t count = 0;
        for (const auto& batch : packing.carried.slices[lane].batches) count += batch.items.size();
        return std::to_string(count);
    };
    constexpr std::size_t most_told = 16, longest_told = 300; // a header is short
    auto left_out = packing.contents.left_out;
    for (std::string& image : left_out) image = image.substr(0, longest_told);
    if (left_out.size() > most_told) {
        std::string more = "and " + std::to_string(left_out.size() - most_told) + " more";
        left_out.resize(most_told);
        left_out.push_back(std::move(more));
    }
    Json json = Json::object({{"to", packing.to.title()},
                              {"until", std::to_string(courier.until[0])},
                              {"objects", items(0)},
                              {"reports", items(1)},
                              {"images", std::to_string(packing.images)},
                              {"size", std::to_string(packing.writer->size())},
                              {"leftOut", texts(left_out)}});
    if (courier.base) json.set("base", std::to_string(courier.base->number));
    return json;
}

void CourierDesk::send(std::shared_ptr<Packing> packing) {
    auto begun = [&]() -> Result<void> {
        auto& chance = options_.cell.env().chance;
        auto credentials = TRY(options_.membership.link_credentials());
        packing->contents.salt = chance.id().bytes() + chance.id().bytes();
        packing->contents.slices = packing->slices.size();
        packing->contents.slices_hash = hex(sha256(packing->slices));
        link::CourierHeader header{.from = options_.self,
                                   .to = packing->to,
                                   .id = chance.id(),
                                   .made = options_.clock.wall(),
                                   .version = options_.version,
                                   .until = packing->carried.courier.until[0],
                                   .receiver_key = packing->receiver_key,
                                   .chain = credentials.chain_pem,
                                   .succession = packing->succession};
        if (packing->carried.courier.base) header.base = packing->carried.courier.base->number;
        packing->writer =
            TRY(link::CourierWriter::begin(std::move(header), packing->contents, packing->receiver_pem, credentials.key_pem));
        return {};
    }();
    if (!begun) {
        packing->responder->respond(api::refusal(begun.error()));
        return let_go(packing);
    }
    packing->told = summary(*packing);
    packing->carried = {};
    log(Level::info, "main", "packs a courier file: {}", write_json(packing->told));
    packing_.insert(packing);
    packing->stream = packing->responder->stream(200, {{"Content-Type", "application/octet-stream"},
                                                       {"Content-Length", std::to_string(packing->writer->size())},
                                                       {"X-Courier", write_json(packing->told)}});
    packing->stream->on_closed([this, weak = std::weak_ptr(packing)] {
        if (auto held = weak.lock()) let_go(held);
    });
    packing->stream->on_drained([this, weak = std::weak_ptr(packing)] {
        if (auto held = weak.lock()) send_on(held);
    });
    packing->stream->write(packing->writer->beginning());
    send_on(packing);
}

void CourierDesk::send_on(std::shared_ptr<Packing> packing) {
    if (packing->stream && !packing->stream->is_open()) return let_go(packing);
    while (packing->stream && !packing->reading && packing->stream->unsent() < http::BodyStream::high_mark) {
        if (packing->slices_at == packing->slices.size() && packing->blob < packing->blobs.size()) return send_blob(packing);
        bool last = packing->slices_at == packing->slices.size();
        auto next = std::string_view(packing->slices).substr(packing->slices_at, portion);
        packing->slices_at += next.size();
        auto bytes = last ? packing->writer->finish() : packing->writer->add(next);
        if (!bytes) return break_off(packing, bytes.error());
        packing->stream->write(std::move(*bytes));
        if (!last) continue;
        packing->stream->end();
        return let_go(packing);
    }
}

void CourierDesk::send_blob(std::shared_ptr<Packing> packing) {
    packing->reading = true;
    auto bytes = std::make_shared<Result<std::string>>();
    options_.cell.env().workers.run(
        "courier", [this, packing, bytes] { *bytes = options_.depot.read(packing->blobs[packing->blob], packing->at, portion); },
        [this, packing, bytes] {
            packing->reading = false;
            if (!packing->stream) return;
            if (*bytes && (*bytes)->empty())
                *bytes = fail(Code::corrupt, packing->blobs[packing->blob].text() + " is shorter now");
            auto sealed = *bytes ? packing->writer->add(**bytes) : std::unexpected((*bytes).error());
            if (!sealed) return break_off(packing, sealed.error());
            packing->stream->write(std::move(*sealed));
            packing->at += (*bytes)->size();
            if (packing->at >= packing->contents.blobs[packing->blob].size) ++packing->blob, packing->at = 0;
            send_on(packing);
        });
}

/// Who reads it sees a body that was cut.
void CourierDesk::break_off(const std::shared_ptr<Packing>& packing, const Error& error) {
    log(Level::warning, "main", "a courier file breaks off: {}", error.message);
    let_go(packing);
}

void CourierDesk::let_go(const std::shared_ptr<Packing>& packing) {
    packing_.erase(packing);
    // We may be inside a call of this very stream.
    options_.cell.env().timers.post([stream = std::exchange(packing->stream, nullptr)] {});
    options_.cell.env().workers.run(
        BlobFetch::lane,
        [this, pinned = std::exchange(packing->pinned, {})] {
            for (const auto& blob : pinned) options_.depot.unpin(blob);
        },
        [] {});
}

} // namespace skerry::main
